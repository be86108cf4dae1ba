//! Stored records in order, as far as somebody wants to know them: a range of them, what is not yet
//! replicated, or what comes in from now on.

use std::ops::Range;
use std::time::Duration;

use anyhow::anyhow;
use fluvio_protocol::record::{Batch, RawRecords};
use futures_util::FutureExt;

use crate::cluster::Cluster;
use crate::error::{Cause, ClientError};
use crate::partition::TopicPartition;
use crate::records::stored_records;
use crate::stream::{FetchResponse, PartitionStream, StreamEvent, StreamRequest, read_failed};

/// When a log that is not replicated yet sends nothing for so long, its end was reached.
const QUIET_AFTER: Duration = Duration::from_millis(500);

/// Is given the value of each record.
pub type OnValue<'a> = dyn FnMut(&[u8]) + Send + 'a;

/// Reads a partition's stored records from an offset on, on a connection of its own.
#[derive(Debug)]
pub struct TailReader {
    partition: TopicPartition,
    stream: PartitionStream,
    response_max: Duration,
    next_offset: i64,
}

impl TailReader {
    /// Begins at an offset that the log has, or at its end; what is replicated.
    ///
    /// # Errors
    /// If the leader cannot be reached.
    pub async fn open(
        cluster: &Cluster,
        partition: TopicPartition,
        offset: i64,
    ) -> Result<Self, ClientError> {
        Self::with(cluster, partition, StreamRequest::stored(offset), offset).await
    }

    async fn with(
        cluster: &Cluster,
        partition: TopicPartition,
        request: StreamRequest<'_>,
        offset: i64,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            stream: PartitionStream::open(cluster, partition.clone(), request).await?,
            partition,
            response_max: cluster.response_max(),
            next_offset: offset,
        })
    }

    /// The offset of the next record to be read.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Reads the records in `offsets`, all of which are replicated, in order.
    ///
    /// # Errors
    /// If the leader does not respond, or does not have them.
    pub async fn read_range(
        cluster: &Cluster,
        partition: TopicPartition,
        offsets: Range<i64>,
        on_value: &mut OnValue<'_>,
    ) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut reader = Self::open(cluster, partition, offsets.start).await?;
        let response_max = reader.response_max;
        while reader.next_offset < offsets.end {
            let more = reader.read_more(offsets.end, on_value);
            let more = tokio::time::timeout(response_max, more).await;
            let silent = |_| read_failed(&reader.partition, Cause::Timeout(response_max));
            more.map_err(silent)??;
        }
        Ok(())
    }

    /// Reads the records from `offset` on that are stored at all, replicated or not; gives the end.
    ///
    /// # Errors
    /// If the leader cannot be reached.
    pub async fn read_unreplicated(
        cluster: &Cluster,
        partition: TopicPartition,
        offset: i64,
        on_value: &mut OnValue<'_>,
    ) -> Result<i64, ClientError> {
        let request = StreamRequest::unreplicated(offset);
        let mut reader = Self::with(cluster, partition, request, offset).await?;
        // No response says where such a log ends; only no more of them come.
        while let Ok(more) =
            tokio::time::timeout(QUIET_AFTER, reader.read_more(i64::MAX, on_value)).await
        {
            more?;
        }
        Ok(reader.next_offset)
    }

    /// Reads until there was a record: a broker that sends responses without any is as silent as one
    /// that sends none.
    async fn read_more(&mut self, end: i64, on_value: &mut OnValue<'_>) -> Result<(), ClientError> {
        let before = self.next_offset;
        while self.next_offset == before {
            let response = self.stream.next_response().await?;
            self.take(&response, end, on_value)?;
            self.stream.acknowledge(&response).await?;
        }
        Ok(())
    }

    /// Reads the records that have arrived by now, without waiting; [`TailReader::next_offset`] tells
    /// how far. For those who poll: a stream for each poll would be a connection each.
    ///
    /// # Errors
    /// If the stream has ended: another one is to be opened.
    pub async fn read_arrived(&mut self, on_value: &mut OnValue<'_>) -> Result<(), ClientError> {
        while let Some(event) = self.stream.next().now_or_never() {
            if let StreamEvent::Response(response) = event? {
                self.take(&response, i64::MAX, on_value)?;
                self.stream.acknowledge(&response).await?;
            }
        }
        Ok(())
    }

    /// Takes the records of a response that were not taken before and lie before `end`.
    fn take(
        &mut self,
        response: &FetchResponse,
        end: i64,
        on_value: &mut OnValue<'_>,
    ) -> Result<(), ClientError> {
        response.check(&self.partition)?;
        for batch in &response.batches {
            let next_offset = take_batch(batch, self.next_offset, end, on_value);
            self.next_offset = next_offset.map_err(|cause| read_failed(&self.partition, cause))?;
        }
        Ok(())
    }
}

/// Takes the records of a batch from `expected` on and before `end`; gives the offset behind the batch.
///
/// # Errors
/// If the batch does not hold the record at `expected`, or not all that its head says.
fn take_batch(
    batch: &Batch<RawRecords>,
    expected: i64,
    end: i64,
    on_value: &mut OnValue<'_>,
) -> Result<i64, Cause> {
    let (first, next) = (batch.base_offset, batch.get_last_offset() + 1);
    if first > expected || next <= expected {
        return Err(anyhow!("{first} to {next} came where {expected} should have").into());
    }
    let records = stored_records(batch).map_err(anyhow::Error::from)?;
    for (offset, record) in (first..end).zip(records) {
        if offset >= expected {
            on_value(record.value.as_ref());
        }
    }
    Ok(next)
}

/// Whether the log has records from `end` on, where its replicated part ends.
///
/// # Errors
/// If the leader cannot be reached.
pub async fn has_unreplicated(
    cluster: &Cluster,
    partition: &TopicPartition,
    end: i64,
) -> Result<bool, ClientError> {
    let request = StreamRequest::unreplicated(end);
    let mut stream = PartitionStream::open(cluster, partition.clone(), request).await?;
    match tokio::time::timeout(QUIET_AFTER, stream.next_response()).await {
        // Where such a log ends shows only in that nothing comes any more.
        Err(_) => Ok(false),
        Ok(response) => {
            let response = response?;
            response.check(partition)?;
            Ok(!response.batches.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use fluvio_protocol::record::Record;

    use super::*;

    /// Takes the batch of offsets 4 to 6 where `expected` should come; gives what was taken.
    fn taken(expected: i64, end: i64, change: impl FnOnce(&mut Batch<RawRecords>)) -> String {
        let records: Vec<_> = ["a", "b", "c"].map(Record::new).into();
        let mut batch: Batch<RawRecords> = Batch::from(records).try_into().unwrap();
        batch.set_base_offset(4);
        change(&mut batch);
        let mut values = String::new();
        let mut on_value = |value: &[u8]| values.push_str(std::str::from_utf8(value).unwrap());
        match take_batch(&batch, expected, end, &mut on_value) {
            Ok(next) => format!("{values}, then {next}"),
            Err(cause) => cause.to_string(),
        }
    }

    #[test]
    fn each_record_is_taken_once_and_what_does_not_fit_is_an_error() {
        let unchanged = |_: &mut Batch<RawRecords>| {};
        let judgements = [
            taken(4, 9, unchanged),
            taken(5, 9, unchanged),
            taken(4, 6, unchanged),
            taken(3, 9, unchanged),
            taken(7, 9, unchanged),
            taken(4, 9, |batch| batch.header.last_offset_delta = 9),
            taken(4, 9, |batch| batch.header.last_offset_delta = -1),
        ];
        expect![[r#"
            abc, then 7
            bc, then 7
            ab, then 7
            4 to 7 came where 3 should have
            4 to 7 came where 7 should have
            incomplete batch: 3 of 10 records
            4 to 4 came where 4 should have"#]]
        .assert_eq(&judgements.join("\n"));
    }
}
