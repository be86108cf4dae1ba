//! Offsets that named consumers have committed; they survive restarts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::ReplicaKey;
use fluvio_spu_schema::server::consumer_offset::{
    ConsumerOffset, DeleteConsumerOffsetRequest, DeleteConsumerOffsetResponse,
    FetchConsumerOffsetsRequest, FetchConsumerOffsetsResponse, FilterOpts,
    UpdateConsumerOffsetRequest, UpdateConsumerOffsetResponse,
};
use serde::{Deserialize, Serialize};

use crate::error::BrokerError;
use crate::fetch::StreamHandle;
use crate::node::Node;
use crate::sealed;

const FILE: &str = "consumer-offsets.json";

/// One consumer's progress in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    topic: String,
    partition: u32,
    consumer: String,
    /// The last record the consumer has seen.
    offset: i64,
    /// Seconds since 1970.
    modified_secs: u64,
}

/// Topic, partition and consumer.
type Key = (String, u32, String);

/// The committed offsets of all consumers, in one small file.
#[derive(Debug)]
pub(crate) struct ConsumerOffsets {
    path: PathBuf,
    progress: Mutex<BTreeMap<Key, Progress>>,
}

impl ConsumerOffsets {
    /// Reads what earlier runs stored.
    ///
    /// # Errors
    /// If the file is broken or missing: consumers would begin anew and not be told.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        let path = data_dir.join(FILE);
        let broken = |source| BrokerError::Broken {
            path: path.clone(),
            remedy: "write [] into it to let all named consumers begin anew",
            source,
        };
        let content = sealed::read(&path, |content| content.starts_with(b"["))
            .and_then(|content| content.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(broken)?;
        let stored: Vec<Progress> =
            serde_json::from_slice(&content).map_err(|error| broken(error.into()))?;
        let progress = stored.into_iter().map(|one| (key_of(&one), one)).collect();
        Ok(Self {
            path,
            progress: Mutex::new(progress),
        })
    }

    /// The last offset a consumer has seen of a partition.
    pub(crate) fn offset(&self, topic: &str, partition: u32, consumer: &str) -> Option<i64> {
        let key = (topic.to_owned(), partition, consumer.to_owned());
        self.lock().get(&key).map(|progress| progress.offset)
    }

    /// The file they are in.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets what was read of a topic.
    pub(crate) fn forget_topic(&self, topic: &str) -> io::Result<()> {
        let is_known = self.lock().values().any(|progress| progress.topic == topic);
        if !is_known {
            return Ok(());
        }
        self.change(|all| all.retain(|_, progress| progress.topic != topic))
    }

    /// Stores the last offset a consumer has seen of a partition.
    pub(crate) fn put(&self, replica: ReplicaKey, consumer: &str, offset: i64) -> io::Result<()> {
        let progress = Progress {
            topic: replica.topic,
            partition: replica.partition,
            consumer: consumer.to_owned(),
            offset,
            modified_secs: now_secs(),
        };
        self.change(|all| {
            all.insert(key_of(&progress), progress);
        })
    }

    fn remove(&self, replica: ReplicaKey, consumer: String) -> io::Result<()> {
        self.change(|all| {
            all.remove(&(replica.topic, replica.partition, consumer));
        })
    }

    /// Changes memory and file together; the file is replaced in one step.
    fn change(&self, apply: impl FnOnce(&mut BTreeMap<Key, Progress>)) -> io::Result<()> {
        let mut progress = self.lock();
        apply(&mut progress);
        let all: Vec<&Progress> = progress.values().collect();
        sealed::write(&self.path, &serde_json::to_vec(&all)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a folder that never had them the offsets of no consumers.
pub(crate) fn begin(data_dir: &Path) -> Result<(), BrokerError> {
    let path = data_dir.join(FILE);
    if path.exists() {
        return Ok(());
    }
    sealed::write(&path, b"[]").map_err(BrokerError::file("write", path))
}

/// Commits the offset of a stream that was opened with a consumer's name.
pub(crate) fn update(
    node: &Node,
    stream: Option<&StreamHandle>,
    request: &UpdateConsumerOffsetRequest,
) -> UpdateConsumerOffsetResponse {
    match try_update(node, stream, request.offset) {
        Ok(()) => UpdateConsumerOffsetResponse {
            offset: request.offset,
            error_code: ErrorCode::None,
        },
        Err(error_code) => UpdateConsumerOffsetResponse {
            offset: 0,
            error_code,
        },
    }
}

fn try_update(node: &Node, stream: Option<&StreamHandle>, offset: i64) -> Result<(), ErrorCode> {
    let stream = stream.ok_or(ErrorCode::FetchSessionNotFoud)?;
    let no_consumer = || ErrorCode::Other("stream without consumer id".to_owned());
    let consumer = stream.consumer.as_deref().ok_or_else(no_consumer)?;
    let replica = ReplicaKey::new(stream.topic.clone(), stream.partition);
    node.consumers
        .put(replica, consumer, offset)
        .map_err(not_stored)
}

/// Forgets one consumer's offset in one partition.
pub(crate) fn delete(
    node: &Node,
    request: DeleteConsumerOffsetRequest,
) -> DeleteConsumerOffsetResponse {
    let removed = node
        .consumers
        .remove(request.replica_id, request.consumer_id);
    let error_code = removed.err().map_or(ErrorCode::None, not_stored);
    DeleteConsumerOffsetResponse { error_code }
}

/// Lists committed offsets of partitions that still exist.
pub(crate) fn list(
    node: &Node,
    request: &FetchConsumerOffsetsRequest,
) -> FetchConsumerOffsetsResponse {
    let consumers = node
        .consumers
        .lock()
        .values()
        .filter(|progress| is_wanted(progress, request.filter_opts.as_ref()))
        .filter(|progress| {
            node.partition(&progress.topic, progress.partition)
                .is_some()
        })
        .map(|progress| {
            let replica = ReplicaKey::new(progress.topic.clone(), progress.partition);
            let consumer = progress.consumer.clone();
            ConsumerOffset::new(consumer, replica, progress.offset, progress.modified_secs)
        })
        .collect();
    FetchConsumerOffsetsResponse {
        error_code: ErrorCode::None,
        consumers,
    }
}

fn is_wanted(progress: &Progress, filter: Option<&FilterOpts>) -> bool {
    let Some(filter) = filter else { return true };
    let replica = filter.replica_id.as_ref().is_none_or(|replica| {
        replica.topic == progress.topic && replica.partition == progress.partition
    });
    let consumer = filter
        .consumer_id
        .as_ref()
        .is_none_or(|id| *id == progress.consumer);
    replica && consumer
}

fn not_stored(error: io::Error) -> ErrorCode {
    ErrorCode::Other(format!("could not store the consumer's offset: {error}"))
}

fn key_of(progress: &Progress) -> Key {
    (
        progress.topic.clone(),
        progress.partition,
        progress.consumer.clone(),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the commit's time is shown to people, only"
)]
fn now_secs() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |age| age.as_secs())
}
