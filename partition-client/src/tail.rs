//! Stored records in order, as far as somebody wants to know them: a range of them, what is not yet
//! replicated, or what comes in from now on.

use std::ops::Range;
use std::time::Duration;

use anyhow::anyhow;
use fluvio_protocol::record::{Batch, RawRecords};
use futures_util::FutureExt;

use crate::cluster::Cluster;
use crate::error::{Cause, ClientError, within};
use crate::partition::TopicPartition;
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
    /// If the leader does not answer, or does not have them.
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
        while reader.next_offset < offsets.end {
            let response = async { Ok(reader.stream.next_response().await) };
            let response = within(reader.response_max, response).await;
            let response = response.map_err(|cause| read_failed(&reader.partition, cause))??;
            reader.take(&response, offsets.end, on_value)?;
            reader.stream.acknowledge(&response).await?;
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
        while let Ok(response) =
            tokio::time::timeout(QUIET_AFTER, reader.stream.next_response()).await
        {
            let response = response?;
            reader.take(&response, i64::MAX, on_value)?;
            reader.stream.acknowledge(&response).await?;
        }
        Ok(reader.next_offset)
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
            let next_offset = self.take_batch(batch, end, on_value);
            self.next_offset = next_offset.map_err(|cause| read_failed(&self.partition, cause))?;
        }
        Ok(())
    }

    fn take_batch(
        &self,
        batch: &Batch<RawRecords>,
        end: i64,
        on_value: &mut OnValue<'_>,
    ) -> Result<i64, Cause> {
        let expected = self.next_offset;
        let records = batch.memory_records().map_err(anyhow::Error::from)?;
        if batch.base_offset > expected {
            let found = batch.base_offset;
            return Err(anyhow!("{found} came where {expected} should have").into());
        }
        for (offset, record) in (batch.base_offset..end).zip(records) {
            if offset >= expected {
                on_value(record.value.as_ref());
            }
        }
        Ok(batch.get_last_offset() + 1)
    }
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
