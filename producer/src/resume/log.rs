//! Reads ranges of one partition's log, as they are stored.

use std::ops::Range;

use partition_client::TopicPartition;
use partition_client::{ClientError, Cluster, OffsetRange, OnValue, PartitionClient, TailReader};

/// One partition, to be read.
#[derive(Debug, Clone)]
pub(crate) struct Log<'a> {
    cluster: &'a Cluster,
    pub(crate) partition: TopicPartition,
}

impl<'a> Log<'a> {
    pub(crate) fn new(cluster: &'a Cluster, partition: TopicPartition) -> Self {
        Self { cluster, partition }
    }

    /// The replicated part of the log.
    pub(crate) async fn offset_range(&self) -> Result<OffsetRange, ClientError> {
        let mut client = PartitionClient::open(self.cluster, self.partition.clone()).await?;
        client.offset_range().await
    }

    /// Reads the records in `offsets`, all of which are replicated.
    pub(crate) async fn read_range(
        &self,
        offsets: Range<i64>,
        on_value: &mut OnValue<'_>,
    ) -> Result<(), ClientError> {
        TailReader::read_range(self.cluster, self.partition.clone(), offsets, on_value).await
    }

    /// Reads from an offset to the end of what is replicated; gives that end.
    pub(crate) async fn read_on(
        &self,
        from: i64,
        on_value: &mut OnValue<'_>,
    ) -> Result<i64, ClientError> {
        let end = self.offset_range().await?.end.max(from);
        self.read_range(from..end, on_value).await?;
        Ok(end)
    }

    /// Reads from an offset what is stored at all, replicated or not.
    pub(crate) async fn read_unreplicated(
        &self,
        from: i64,
        on_value: &mut OnValue<'_>,
    ) -> Result<(), ClientError> {
        let partition = self.partition.clone();
        let read = TailReader::read_unreplicated(self.cluster, partition, from, on_value);
        read.await.map(drop)
    }

    /// A reader that goes on with the log, from an offset on.
    pub(crate) async fn follow(&self, from: i64) -> Result<TailReader, ClientError> {
        TailReader::open(self.cluster, self.partition.clone(), from).await
    }
}
