//! One partition, a request and its response at a time: where its log begins and ends, a batch or a
//! record of it, what is added.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use fluvio::Isolation;
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords, RecordSet};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_socket::{FluvioSocket, Versions};
use fluvio_spu_schema::produce::{
    DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest,
};
use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};

use crate::cluster::Cluster;
use crate::error::{Cause, ClientError, within};
use crate::fetch::fetch_request;
use crate::partition::{OffsetRange, TopicPartition, find_range};
use crate::records::stored_records;
use crate::stream::{checksum, leader_epoch};

/// How much later than the broker we give up waiting for a write.
const APPEND_GRACE: Duration = Duration::from_secs(2);
/// Enough for a batch's head; a broker that sends whole batches only sends one.
const HEAD_BYTES_MAX: i32 = 1024;
/// First and largest response requested where one batch is wanted. A real SPU cuts a response in the
/// middle of a batch, and that one is requested again; a producer's batches have 16 KiB to 2 MiB.
const BATCH_BYTES_FIRST: i32 = 64 << 10;
const BATCH_BYTES_MAX: i32 = 64 << 20;
/// How much larger the next response may be.
const BATCH_BYTES_GROWTH: i32 = 8;

/// A connection to a partition's leader. After an error another one is to be opened: a late response
/// would be taken for the next request's.
pub struct PartitionClient {
    partition: TopicPartition,
    response_max: Duration,
    socket: FluvioSocket,
    versions: Versions,
}

impl fmt::Debug for PartitionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartitionClient({})", self.partition)
    }
}

impl PartitionClient {
    /// Connects to the leader.
    ///
    /// # Errors
    /// If there is no such partition, or its leader cannot be reached.
    pub async fn open(cluster: &Cluster, partition: TopicPartition) -> Result<Self, ClientError> {
        let socket = cluster.connect_leader(&partition).await?;
        let (socket, _, versions) = socket.split();
        Ok(Self {
            partition,
            response_max: cluster.response_max(),
            socket,
            versions,
        })
    }

    /// Which partition it is.
    #[must_use]
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The replicated part of the log.
    ///
    /// # Errors
    /// If the leader does not respond.
    pub async fn offset_range(&mut self) -> Result<OffsetRange, ClientError> {
        let TopicPartition { topic, partition } = self.partition.clone();
        let request = FetchOffsetsRequest::new(topic, partition);
        let response = self.request(request, self.response_max).await;
        response
            .and_then(|response| find_range(response, &self.partition))
            .map_err(|cause| self.failed("read the range of", cause))
    }

    /// Adds batches at the end and waits until every replica has them; gives the first one's
    /// offset.
    ///
    /// # Errors
    /// After any but [`ErrorCode::MessageTooLarge`] they may be stored or not: the log shows.
    pub async fn append(&mut self, batches: Vec<Batch<RawRecords>>) -> Result<i64, ClientError> {
        let partition = DefaultPartitionRequest {
            partition_index: self.partition.partition,
            records: RecordSet { batches },
        };
        let topic = DefaultTopicRequest {
            name: self.partition.topic.clone(),
            partitions: vec![partition],
            ..DefaultTopicRequest::default()
        };
        let request = DefaultProduceRequest {
            isolation: Isolation::ReadCommitted,
            timeout: self.response_max,
            topics: vec![topic],
            ..DefaultProduceRequest::default()
        };
        let response = self
            .request(request, self.response_max + APPEND_GRACE)
            .await;
        let stored = response.and_then(|response| {
            let TopicPartition { topic, partition } = &self.partition;
            match response.find_partition_response(topic, *partition) {
                Some(found) if found.error_code == ErrorCode::None => Ok(found.base_offset),
                Some(found) => Err(Cause::Refused(found.error_code.clone()).into()),
                None => Err(anyhow!("the response does not name the partition")),
            }
        });
        stored.map_err(|cause| self.failed("write to", cause))
    }

    /// The batch that holds a replicated offset; its records may be cut.
    ///
    /// # Errors
    /// If the log has no such record.
    pub async fn batch_head(&mut self, offset: i64) -> Result<Batch<RawRecords>, ClientError> {
        let found = async {
            let batches = self
                .fetch(offset, HEAD_BYTES_MAX, Isolation::ReadCommitted)
                .await?;
            holding(batches, offset)
        };
        found.await.map_err(|cause| self.failed("read", cause))
    }

    /// The batch that holds an offset, whole, replicated or not.
    ///
    /// # Errors
    /// If the log has no such record, or its batch is damaged or larger than 64 MiB.
    pub async fn batch_at(&mut self, offset: i64) -> Result<Batch<RawRecords>, ClientError> {
        let mut bytes_max = BATCH_BYTES_FIRST;
        loop {
            let fetched = self
                .fetch(offset, bytes_max, Isolation::ReadUncommitted)
                .await;
            let batch = fetched.and_then(|batches| holding(batches, offset));
            let batch = batch.map_err(|cause| self.failed("read", cause))?;
            if batch.validate_decoding() {
                checksum::check(&batch).map_err(|cause| self.failed("read", cause))?;
                return Ok(batch);
            }
            if bytes_max >= BATCH_BYTES_MAX {
                let cause = anyhow!("the batch of {offset} is larger than {BATCH_BYTES_MAX} bytes");
                return Err(self.failed("read", cause));
            }
            bytes_max = bytes_max
                .saturating_mul(BATCH_BYTES_GROWTH)
                .min(BATCH_BYTES_MAX);
        }
    }

    /// The value of the record at an offset, and the leader epoch of its batch if the broker gives
    /// one; replicated or not.
    ///
    /// # Errors
    /// If the log has no such record.
    pub async fn record_at(&mut self, offset: i64) -> Result<(Option<i32>, Bytes), ClientError> {
        let batch = self.batch_at(offset).await?;
        let index = usize::try_from(offset - batch.base_offset).ok();
        let records = stored_records(&batch).map_err(anyhow::Error::from);
        let record = records.and_then(|records| {
            let record = index.and_then(|index| records.into_iter().nth(index));
            record.ok_or_else(|| anyhow!("the log has no record {offset}"))
        });
        let record = record.map_err(|cause| self.failed("read", cause))?;
        Ok((leader_epoch(&batch), Bytes::clone(&record.value)))
    }

    /// Stores the last record that a consumer has seen; the log must hold one at `at`.
    ///
    /// # Errors
    /// If the leader refuses it.
    pub async fn set_consumer_offset(
        &mut self,
        consumer: &str,
        seen: i64,
        at: i64,
    ) -> Result<(), ClientError> {
        let setting = async {
            // Fluvio takes this of a stream only, which must have sent something.
            let fetch = fetch_request(
                &self.partition,
                at,
                HEAD_BYTES_MAX,
                Isolation::ReadCommitted,
            )
            .consumer_id(Some(consumer.to_owned()))
            .build()?;
            let stream = self.first_response(fetch).await?;
            let update = UpdateConsumerOffsetRequest::new(seen, stream.stream_id);
            match self.request(update, self.response_max).await?.error_code {
                ErrorCode::None => Ok(()),
                code => Err(Cause::Refused(code).into()),
            }
        };
        let doing = format!("store how far \"{consumer}\" has read");
        let set: anyhow::Result<()> = setting.await;
        set.map_err(|cause| self.failed(&doing, cause))
    }

    /// The batches of one response, from the one that holds the offset on; the last may be cut.
    async fn fetch(
        &mut self,
        offset: i64,
        bytes_max: i32,
        isolation: Isolation,
    ) -> anyhow::Result<Vec<Batch<RawRecords>>> {
        let request = fetch_request(&self.partition, offset, bytes_max, isolation).build()?;
        let response = self.first_response(request).await?;
        Ok(response.partition.records.batches)
    }

    /// Opens a stream and takes its first response. It is not acknowledged, so nothing more comes
    /// and the next request can be sent.
    async fn first_response(
        &mut self,
        request: DefaultStreamFetchRequest,
    ) -> anyhow::Result<DefaultStreamFetchResponse> {
        let response = self.request(request, self.response_max).await?;
        match &response.partition.error_code {
            ErrorCode::None => Ok(response),
            code => Err(Cause::Refused(code.clone()).into()),
        }
    }

    async fn request<R>(&mut self, request: R, max: Duration) -> anyhow::Result<R::Response>
    where
        R: Request + Send + Sync,
        RequestMessage<R>: Encoder,
        R::Response: Decoder,
    {
        let version = self.versions.lookup_version::<R>();
        let mut message = RequestMessage::new_request(request);
        message
            .header
            .set_api_version(version.unwrap_or(R::DEFAULT_API_VERSION));
        within(max, async {
            Ok(self.socket.send(&message).await?.response)
        })
        .await
    }

    fn failed(&self, doing: &str, cause: impl Into<Cause>) -> ClientError {
        ClientError::new(format!("{doing} {} in Fluvio", self.partition), cause)
    }
}

impl Cluster {
    /// The end of each partition's replicated log, by partition.
    ///
    /// # Errors
    /// If the cluster does not respond or has no such topic.
    pub async fn log_ends(&self, topic: &str) -> Result<BTreeMap<u32, i64>, ClientError> {
        let no_topic =
            || ClientError::new(format!("read the ends of topic {topic}"), Cause::NoTopic);
        let shape = self.topic_shape(topic).await?.ok_or_else(no_topic)?;
        let mut ends = BTreeMap::new();
        for partition in 0..shape.partitions {
            let topic = topic.to_owned();
            let mut client =
                PartitionClient::open(self, TopicPartition { topic, partition }).await?;
            ends.insert(partition, client.offset_range().await?.end);
        }
        Ok(ends)
    }
}

fn holding(batches: Vec<Batch<RawRecords>>, offset: i64) -> anyhow::Result<Batch<RawRecords>> {
    let mut batches = batches.into_iter();
    batches
        .find(|batch| batch.base_offset <= offset && offset <= batch.get_last_offset())
        .ok_or_else(|| anyhow!("no batch holds offset {offset}"))
}
