//! Kafka's record headers, kept in a Fluvio topic beside the mirror.
//!
//! ```text
//! trips          offset 7 ── "has headers", Kafka offset 12
//! trips-headers  Kafka offset 12: its headers         same partition, same order
//! ```
//! Headers are written before their records, so a record that has some finds them. A batch that is
//! written again after a crash repeats its headers; the Kafka offset tells.

use std::collections::VecDeque;

use anyhow::anyhow;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use fluvio_protocol::record::{Batch, RawRecords, Record as FluvioRecord};
use partition_client::{Cluster, PartitionStream, StreamRequest, TopicPartition, stored_records};

use crate::config::BridgeConfig;
use crate::error::BridgeError;
use crate::record::{Header, Record};

/// The length of a null value.
const NULL: i32 = -1;

/// The topic for headers of a Fluvio topic.
pub(crate) fn topic(of: &str) -> String {
    format!("{of}-headers")
}

/// A batch with the headers of those records that have some; none if none has.
pub(crate) fn batch(
    records: &[Record],
) -> Result<Option<Batch<RawRecords>>, fluvio_compression::CompressionError> {
    let with_headers = records.iter().filter(|record| !record.headers.is_empty());
    let encoded: Vec<_> = with_headers
        .map(|record| FluvioRecord::new(encode(record.offset, &record.headers)))
        .collect();
    if encoded.is_empty() {
        return Ok(None);
    }
    Batch::from(encoded).try_into().map(Some)
}

/// ```text
/// Kafka offset i64 │ per header: name length u32, name, value length i32 or −1, value
/// ```
fn encode(offset: i64, headers: &[Header]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i64(offset);
    for Header { name, value } in headers {
        bytes.put_u32(u32::try_from(name.len()).unwrap_or(u32::MAX));
        bytes.put_slice(name.as_bytes());
        let length = value
            .as_ref()
            .map_or(NULL, |value| i32::try_from(value.len()).unwrap_or(i32::MAX));
        bytes.put_i32(length);
        bytes.put_slice(value.as_deref().unwrap_or_default());
    }
    bytes.freeze()
}

/// None if the bytes are not of this form.
fn decode(mut bytes: Bytes) -> Option<(i64, Vec<Header>)> {
    let offset = bytes.try_get_i64().ok()?;
    let mut headers = Vec::new();
    while bytes.has_remaining() {
        let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        let name = take(&mut bytes, length)?;
        let value = match bytes.try_get_i32().ok()? {
            NULL => None,
            length => Some(take(&mut bytes, usize::try_from(length).ok()?)?),
        };
        headers.push(Header {
            name: String::from_utf8(name.into()).ok()?,
            value,
        });
    }
    Some((offset, headers))
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (bytes.len() >= length).then(|| bytes.split_to(length))
}

/// Finds the headers of one partition's records, in order.
pub(crate) struct HeaderReader<'a> {
    cluster: &'a Cluster,
    config: &'a BridgeConfig,
    partition: TopicPartition,
    /// Opened when the first record with headers comes.
    stream: Option<PartitionStream>,
    /// Read and not yet asked for.
    waiting: VecDeque<(i64, Vec<Header>)>,
    /// The first record of the topic for headers that was not taken yet.
    next_offset: i64,
}

impl<'a> HeaderReader<'a> {
    /// Goes on at `next_offset` of the topic for headers of `partition`.
    pub(crate) fn new(
        cluster: &'a Cluster,
        config: &'a BridgeConfig,
        partition: &TopicPartition,
        next_offset: i64,
    ) -> Self {
        Self {
            cluster,
            config,
            partition: TopicPartition {
                topic: topic(&partition.topic),
                partition: partition.partition,
            },
            stream: None,
            waiting: VecDeque::new(),
            next_offset,
        }
    }

    /// Where a later reader is to go on.
    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The headers of the record with this Kafka offset; each call must ask for a later one.
    pub(crate) async fn find(&mut self, kafka_offset: i64) -> Result<Vec<Header>, BridgeError> {
        loop {
            while let Some((offset, headers)) = self.waiting.pop_front() {
                self.next_offset += 1;
                if offset == kafka_offset {
                    return Ok(headers);
                }
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), BridgeError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let request =
                    StreamRequest::stored(self.next_offset).fetch_bytes(self.config.fetch_bytes);
                PartitionStream::open(self.cluster, self.partition.clone(), request).await?
            }
        };
        let within = self.config.request_timeout;
        let response = tokio::time::timeout(within, stream.next_response()).await;
        let missing = |_| {
            let reason = anyhow!("headers are missing there");
            BridgeError::unreadable(&self.partition, reason)
        };
        let response = response.map_err(missing)??;
        response.check(&self.partition)?;
        for batch in &response.batches {
            self.keep(batch)?;
        }
        stream.acknowledge(&response).await?;
        self.stream = Some(stream);
        Ok(())
    }

    fn keep(&mut self, batch: &Batch<RawRecords>) -> Result<(), BridgeError> {
        let records = stored_records(batch);
        let records = records.map_err(|source| BridgeError::unreadable(&self.partition, source))?;
        for (offset, record) in (batch.base_offset..).zip(records) {
            // The first batch may begin before the offset that was asked for.
            if offset < self.next_offset {
                continue;
            }
            let Some(headers) = decode(Bytes::clone(&record.value)) else {
                let at = self.partition.at(offset);
                let reason = "no headers as the bridge writes them".to_owned();
                return Err(BridgeError::Unusable { at, reason });
            };
            self.waiting.push_back(headers);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_are_decoded_as_they_were_encoded(
            offset in 0_i64..i64::MAX,
            parts in prop::collection::vec(
                (".{0,8}", prop::option::of(prop::collection::vec(any::<u8>(), 0..20))),
                0..6,
            ),
        ) {
            let header = |(name, value): (String, Option<Vec<u8>>)| Header {
                name,
                value: value.map(Bytes::from),
            };
            let headers: Vec<_> = parts.into_iter().map(header).collect();
            prop_assert_eq!(decode(encode(offset, &headers)), Some((offset, headers)));
        }

        #[test]
        fn any_bytes_are_headers_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let bytes = Bytes::from(bytes);
            if let Some((offset, headers)) = decode(bytes.clone()) {
                prop_assert_eq!(encode(offset, &headers), bytes);
            }
        }
    }
}
