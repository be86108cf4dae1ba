//! Offsets that named consumers have committed; they survive restarts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fluvio_protocol::record::ReplicaKey;
use serde::{Deserialize, Serialize};

use crate::error::BrokerError;
use crate::sealed;

const FILE: &str = "consumer-offsets.json";

/// How far one consumer has read one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommittedOffset {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) consumer: String,
    /// The last record the consumer has seen.
    pub(crate) offset: i64,
    /// Seconds since 1970.
    pub(crate) modified_secs: u64,
}

/// Topic, partition and consumer.
type Key = (String, u32, String);

/// The committed offsets of all consumers, in one small file.
#[derive(Debug)]
pub(crate) struct ConsumerOffsets {
    path: PathBuf,
    committed: Mutex<BTreeMap<Key, CommittedOffset>>,
}

impl ConsumerOffsets {
    /// Reads what earlier runs stored.
    ///
    /// # Errors
    /// If the file is broken or missing: without it consumers would begin anew and not know.
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
        let stored: Vec<CommittedOffset> =
            serde_json::from_slice(&content).map_err(|error| broken(error.into()))?;
        let committed = stored.into_iter().map(|one| (key_of(&one), one)).collect();
        Ok(Self {
            path,
            committed: Mutex::new(committed),
        })
    }

    /// The last offset a consumer has seen of a partition.
    pub(crate) fn offset(&self, topic: &str, partition: u32, consumer: &str) -> Option<i64> {
        let key = (topic.to_owned(), partition, consumer.to_owned());
        self.lock().get(&key).map(|committed| committed.offset)
    }

    /// All there are, by topic, partition and consumer.
    pub(crate) fn all(&self) -> Vec<CommittedOffset> {
        self.lock().values().cloned().collect()
    }

    /// The file they are in.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets what was read of a topic.
    pub(crate) fn forget_topic(&self, topic: &str) -> io::Result<()> {
        let is_known = self
            .lock()
            .values()
            .any(|committed| committed.topic == topic);
        if !is_known {
            return Ok(());
        }
        self.change(|all| all.retain(|_, committed| committed.topic != topic))
    }

    /// Stores the last offset a consumer has seen of a partition.
    pub(crate) fn put(&self, replica: ReplicaKey, consumer: &str, offset: i64) -> io::Result<()> {
        let committed = CommittedOffset {
            topic: replica.topic,
            partition: replica.partition,
            consumer: consumer.to_owned(),
            offset,
            modified_secs: now_secs(),
        };
        self.change(|all| {
            all.insert(key_of(&committed), committed);
        })
    }

    /// Forgets the offset of one consumer in one partition.
    pub(crate) fn remove(&self, replica: ReplicaKey, consumer: String) -> io::Result<()> {
        self.change(|all| {
            all.remove(&(replica.topic, replica.partition, consumer));
        })
    }

    /// Changes memory and file together; the file is replaced in one step.
    fn change(&self, apply: impl FnOnce(&mut BTreeMap<Key, CommittedOffset>)) -> io::Result<()> {
        let mut committed = self.lock();
        apply(&mut committed);
        let all: Vec<&CommittedOffset> = committed.values().collect();
        sealed::write(&self.path, &serde_json::to_vec(&all)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, CommittedOffset>> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

fn key_of(committed: &CommittedOffset) -> Key {
    (
        committed.topic.clone(),
        committed.partition,
        committed.consumer.clone(),
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
