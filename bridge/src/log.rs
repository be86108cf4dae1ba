//! One partition's log in Fluvio: where it ends, what it holds, what is added.
//!
//! This speaks the wire messages of Fluvio's published schema crates, because the client's producer
//! sets times and batch heads itself, and its consumer hides batches.

mod cut;
mod lookup;
mod stream;

use std::time::Duration;

use anyhow::anyhow;
use domain::Position;
use fluvio::Isolation;
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords, RecordSet, ReplicaKey};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_socket::{FluvioSocket, VersionedSocket, Versions};
use fluvio_spu_schema::produce::{
    DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest,
};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;

pub(crate) use self::stream::{Answer, LogStream, StreamRequest};
use crate::cluster::Cluster;
use crate::error::BridgeError;

/// How much later than the broker the client gives up waiting for an answer.
const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// When a log that is not replicated yet says nothing for so long, its end was reached.
const QUIET_AFTER: Duration = Duration::from_millis(500);

/// Which partition, and how its broker is asked.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) answer_within: Duration,
    pub(crate) fetch_bytes: i32,
}

impl Place {
    pub(crate) fn at(&self, offset: i64) -> Position {
        Position {
            topic: self.topic.clone(),
            partition: self.partition,
            offset,
        }
    }

    pub(crate) fn failed(&self, doing: &str, source: impl Into<anyhow::Error>) -> BridgeError {
        let Self {
            topic, partition, ..
        } = self;
        BridgeError::fluvio(format!("{doing} {topic}/{partition} in Fluvio"), source)
    }
}

/// The replicated part of a partition's log: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogRange {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// Why records were not added.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// A batch is larger than the broker takes.
    TooLarge,
    /// They may be stored or not: the log tells.
    Failed(BridgeError),
}

/// A connection to a partition's leader, for one request at a time.
pub(crate) struct Log {
    place: Place,
    socket: FluvioSocket,
    versions: Versions,
}

impl Log {
    pub(crate) async fn open(cluster: &Cluster, place: Place) -> Result<Self, BridgeError> {
        let socket = cluster
            .connect_leader(&place.topic, place.partition)
            .await?;
        Ok(Self::on(socket, place))
    }

    fn on(socket: VersionedSocket, place: Place) -> Self {
        let (socket, _, versions) = socket.split();
        Self {
            place,
            socket,
            versions,
        }
    }

    /// Where the replicated part of the log starts and ends.
    pub(crate) async fn range(&mut self) -> Result<LogRange, BridgeError> {
        let request = FetchOffsetsRequest::new(self.place.topic.clone(), self.place.partition);
        let answer = self.ask(request).await;
        answer
            .and_then(|response| find_range(response, &self.place))
            .map_err(|source| self.place.failed("read the range of", source))
    }

    /// Adds batches at the end and waits until every replica has them; gives the first one's
    /// offset.
    pub(crate) async fn append(
        &mut self,
        batches: Vec<Batch<RawRecords>>,
    ) -> Result<i64, AppendError> {
        let partition = DefaultPartitionRequest {
            partition_index: self.place.partition,
            records: RecordSet { batches },
        };
        let topic = DefaultTopicRequest {
            name: self.place.topic.clone(),
            partitions: vec![partition],
            ..DefaultTopicRequest::default()
        };
        let request = DefaultProduceRequest {
            isolation: Isolation::ReadCommitted,
            timeout: self.place.answer_within,
            topics: vec![topic],
            ..DefaultProduceRequest::default()
        };
        let answer = self.ask(request).await;
        let failed = |source| AppendError::Failed(self.place.failed("write to", source));
        let answer = answer.map_err(failed)?;
        let found = answer.find_partition_response(&self.place.topic, self.place.partition);
        match found.map(|found| (&found.error_code, found.base_offset)) {
            Some((ErrorCode::None, base_offset)) => Ok(base_offset),
            Some((ErrorCode::MessageTooLarge, _)) => Err(AppendError::TooLarge),
            Some((code, _)) => Err(failed(anyhow!("{code}"))),
            None => Err(failed(anyhow!("the answer does not name the partition"))),
        }
    }

    async fn ask<R>(&mut self, request: R) -> anyhow::Result<R::Response>
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
        let within = self.place.answer_within + ANSWER_GRACE;
        let answer = tokio::time::timeout(within, self.socket.send(&message)).await;
        let answer = answer.map_err(|_| anyhow!("no answer for {} s", within.as_secs()))?;
        Ok(answer?.response)
    }
}

fn find_range(
    response: <FetchOffsetsRequest as Request>::Response,
    place: &Place,
) -> anyhow::Result<LogRange> {
    let replica = ReplicaKey::new(place.topic.clone(), place.partition);
    let found = response.find_partition(&replica);
    let found = found.ok_or_else(|| anyhow!("no such partition"))?;
    if found.error_code != ErrorCode::None {
        return Err(anyhow!("{}", found.error_code));
    }
    Ok(LogRange {
        start: found.start_offset,
        end: found.last_stable_offset,
    })
}

/// The last batch before `end`, which is known to be there.
pub(crate) async fn last_batch(
    cluster: &Cluster,
    place: &Place,
    end: i64,
) -> Result<Batch<RawRecords>, BridgeError> {
    let request = StreamRequest::new(end - 1, Isolation::ReadCommitted);
    let mut stream = LogStream::open(cluster, place.clone(), request).await?;
    let answer = tokio::time::timeout(place.answer_within, stream.next()).await;
    let answer = answer.map_err(|_| place.failed("read the end of", anyhow!("no answer")))??;
    let mut batches = answer.batches.into_iter();
    batches
        .rfind(|batch| batch.base_offset < end)
        .ok_or_else(|| place.failed("read the end of", anyhow!("an answer without a batch")))
}

/// Fails if the log goes on after `end`, where it is replicated.
///
/// What stands there must be neither written again nor taken for safe: it becomes readable when the
/// replicas are back. A request of an earlier run that was still under way shows itself here, too.
pub(crate) async fn check_all_replicated(
    cluster: &Cluster,
    place: &Place,
    end: i64,
) -> Result<(), BridgeError> {
    let request = StreamRequest::new(end, Isolation::ReadUncommitted);
    let mut stream = LogStream::open(cluster, place.clone(), request).await?;
    match tokio::time::timeout(QUIET_AFTER, stream.next()).await {
        // Nothing tells where such a log ends, only that nothing comes any more.
        Err(_) => Ok(()),
        Ok(Ok(answer)) if answer.batches.is_empty() => Ok(()),
        Ok(Ok(_)) => {
            let source = anyhow!("its last records are not yet on every replica");
            Err(place.failed("go on in", source))
        }
        Ok(Err(error)) => Err(error),
    }
}
