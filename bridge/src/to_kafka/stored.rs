//! Records as they are stored, headers included, without a gap.

use partition_client::{FetchResponse, PartitionStream, StreamRequest, TopicPartition};

use super::{Taken, ToKafka};
use crate::batch::Decoded;
use crate::error::BridgeError;
use crate::headers::HeaderReader;
use crate::progress::Progress;
use crate::record::Record;
use crate::resume::Contiguous;

/// One partition's records from an offset on.
pub(super) struct StoredRecords<'a> {
    partition: TopicPartition,
    stream: PartitionStream,
    headers: HeaderReader<'a>,
    batches: Contiguous,
    /// Taken, but not yet acknowledged.
    response: Option<FetchResponse>,
}

impl<'a> StoredRecords<'a> {
    pub(super) async fn open(task: &ToKafka<'a>, from: Progress) -> Result<Self, BridgeError> {
        let (cluster, config, partition) = (task.cluster, task.config, task.source());
        let request = StreamRequest::stored(from.next_offset).fetch_bytes(config.fetch_bytes);
        Ok(Self {
            stream: PartitionStream::open(cluster, partition.clone(), request).await?,
            headers: HeaderReader::new(cluster, config, &partition, from.next_headers_offset),
            batches: Contiguous::resume(partition.clone(), &from),
            partition,
            response: None,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Taken, BridgeError> {
        loop {
            let response = self.stream.next_response().await?;
            response.check(&self.partition)?;
            let records = self.records(&response).await?;
            self.response = Some(response);
            if !records.is_empty() {
                let progress = self.batches.progress(self.headers.next_offset());
                return Ok(Taken { records, progress });
            }
            self.acknowledge().await?;
        }
    }

    pub(super) async fn acknowledge(&mut self) -> Result<(), BridgeError> {
        match self.response.take() {
            Some(response) => Ok(self.stream.acknowledge(&response).await?),
            None => Ok(()),
        }
    }

    async fn records(&mut self, response: &FetchResponse) -> Result<Vec<Record>, BridgeError> {
        let mut records = Vec::new();
        for batch in &response.batches {
            for decoded in self.batches.take(batch)? {
                records.push(self.complete(decoded).await?);
            }
        }
        Ok(records)
    }

    /// The record with its headers.
    async fn complete(&mut self, decoded: Decoded) -> Result<Record, BridgeError> {
        let Decoded {
            mut record,
            kafka_offset,
            has_headers,
        } = decoded;
        if let Some(offset) = kafka_offset.filter(|_| has_headers) {
            record.headers = self.headers.find(offset).await?;
        }
        Ok(record)
    }
}
