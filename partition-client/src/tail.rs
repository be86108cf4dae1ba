//! Stored records in order, as far as somebody wants to know them: a range of them, what is not yet
//! replicated, or what comes in from now on.

use std::ops::Range;
use std::time::Duration;

use anyhow::anyhow;
use fluvio_protocol::record::{Batch, RawRecords};
use futures_util::FutureExt;

use crate::client::TopicPartition;
use crate::cluster::Cluster;
use crate::error::{Cause, ClientError, within};
use crate::stream::{FetchResponse, PartitionStream, StreamEvent, StreamRequest};

/// When a log that is not replicated yet says nothing for so long, its end was reached.
const QUIET_AFTER: Duration = Duration::from_millis(500);

/// Reads a partition's stored records from an offset on, on a connection of its own.
#[derive(Debug)]
pub struct TailReader {
    partition: TopicPartition,
    stream: PartitionStream,
    response_max: Duration,
    next_offset: i64,
}

impl TailReader {
    /// Begins at an offset that the log has, or at its end.
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

    /// Shows the value of each record in `offsets`, all of which are replicated.
    ///
    /// # Errors
    /// If the leader does not answer, or does not have them.
    pub async fn read_range(
        cluster: &Cluster,
        partition: TopicPartition,
        offsets: Range<i64>,
        on_value: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut reader = Self::open(cluster, partition, offsets.start).await?;
        while reader.next_offset < offsets.end {
            let response = async { Ok(reader.stream.next_response().await) };
            let response = within(reader.response_max, response).await;
            let response = response.map_err(|cause| reader.failed(cause))??;
            reader.take(&response, offsets.end, on_value)?;
            reader.stream.acknowledge(&response).await?;
        }
        Ok(())
    }

    /// Shows the value of each record from `offset` on that is stored at all, replicated or not;
    /// gives the end.
    ///
    /// # Errors
    /// If the leader cannot be reached.
    pub async fn read_unreplicated(
        cluster: &Cluster,
        partition: TopicPartition,
        offset: i64,
        on_value: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<i64, ClientError> {
        let request = StreamRequest::unreplicated(offset);
        let mut reader = Self::with(cluster, partition, request, offset).await?;
        // Nothing tells where such a log ends, only that nothing comes any more.
        while let Ok(response) =
            tokio::time::timeout(QUIET_AFTER, reader.stream.next_response()).await
        {
            let response = response?;
            reader.take(&response, i64::MAX, on_value)?;
            reader.stream.acknowledge(&response).await?;
        }
        Ok(reader.next_offset)
    }

    /// Shows the value of each record that has arrived by now, without waiting; gives the offset to
    /// go on at.
    ///
    /// For those who look again and again.
    ///
    /// # Errors
    /// If the stream has ended: another one is to be opened.
    pub async fn read_arrived(
        &mut self,
        on_value: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<i64, ClientError> {
        while let Some(event) = self.stream.next().now_or_never() {
            if let StreamEvent::Response(response) = event? {
                self.take(&response, i64::MAX, on_value)?;
                self.stream.acknowledge(&response).await?;
            }
        }
        Ok(self.next_offset)
    }

    /// Shows the records of a response that were not shown before and lie before `end`.
    fn take(
        &mut self,
        response: &FetchResponse,
        end: i64,
        on_value: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<(), ClientError> {
        if let Some(code) = &response.error {
            return Err(self.failed(Cause::Refused(code.clone())));
        }
        for batch in &response.batches {
            let next_offset = self.show(batch, end, on_value);
            self.next_offset = next_offset.map_err(|cause| self.failed(cause))?;
        }
        Ok(())
    }

    fn show(
        &self,
        batch: &Batch<RawRecords>,
        end: i64,
        on_value: &mut (dyn FnMut(&[u8]) + Send),
    ) -> anyhow::Result<i64> {
        let expected = self.next_offset;
        if batch.base_offset > expected {
            return Err(anyhow!(
                "{} came where {expected} should have",
                batch.base_offset
            ));
        }
        for (offset, record) in (batch.base_offset..end).zip(batch.memory_records()?) {
            if offset >= expected {
                on_value(record.value.as_ref());
            }
        }
        Ok(batch.get_last_offset() + 1)
    }

    fn failed(&self, cause: impl Into<Cause>) -> ClientError {
        ClientError::new(format!("read {} in Fluvio", self.partition), cause)
    }
}
