//! What the one node serves: its catalog, its partitions, its consumers' offsets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use fluvio_controlplane_metadata::topic::{CompressionAlgorithm, TopicSpec};
use fluvio_protocol::record::ReplicaKey;
use fluvio_types::defaults::{CONSUMER_STORAGE_TOPIC, SPU_SMARTENGINE_STORE_MAX_BYTES};
use tokio_util::sync::CancellationToken;

use crate::consumer_offsets::ConsumerOffsets;
use crate::engine::{Engine, unpack};
use crate::epoch_file::EpochFile;
use crate::error::BrokerError;
use crate::log::{Disk, Log, LogConfig, LogError};
use crate::metadata::MetadataStore;
use crate::quarantine;
use crate::topic_logs::TopicLogs;

/// The number by which clients know this node.
pub(crate) const SPU_ID: i32 = 5001;

/// A partition of a topic that exists.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: Log,
    /// What producers may use.
    pub(crate) compression: CompressionAlgorithm,
    /// Cancelled when the topic is deleted; ends the streams that read it.
    pub(crate) deleted: CancellationToken,
}

/// How a partition gets its log: begun or found.
type OpenLog = fn(PathBuf, LogConfig) -> Result<Log, LogError>;

/// State shared by all connections.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) metadata: MetadataStore,
    pub(crate) consumers: ConsumerOffsets,
    pub(crate) engine: Engine,
    /// Whether requests may bring modules of their own.
    pub(crate) adhoc_modules: bool,
    /// What one stream's chain may take of memory; the real SPU's default.
    pub(crate) chain_bytes_max: usize,
    logs: TopicLogs,
    /// Raised under `administering`.
    epoch: EpochFile,
    segment_bytes_max: u64,
    sync: bool,
    partitions: RwLock<HashMap<ReplicaKey, Arc<Partition>>>,
    /// Held while topics are created, changed or deleted: folder and catalog change together.
    administering: Mutex<()>,
}

impl Node {
    /// Opens everything the data folder holds. Takes time: reads the end of each log.
    ///
    /// A damaged log stops its partition only.
    pub(crate) fn open(
        data_dir: &Path,
        segment_bytes_max: u64,
        sync: bool,
    ) -> Result<Self, BrokerError> {
        let node = Self {
            metadata: MetadataStore::open(data_dir)?,
            consumers: ConsumerOffsets::open(data_dir)?,
            engine: Engine::start_in(&data_dir.join("compiled")).map_err(BrokerError::Engine)?,
            adhoc_modules: false,
            chain_bytes_max: SPU_SMARTENGINE_STORE_MAX_BYTES,
            logs: TopicLogs::open(data_dir)?,
            epoch: EpochFile::open(data_dir)?,
            segment_bytes_max,
            sync,
            partitions: RwLock::new(HashMap::new()),
            administering: Mutex::new(()),
        };
        node.accept_stored_modules();
        let (_, topics) = node.metadata.topics();
        let partitions = topics
            .iter()
            .map(|(name, topic)| (name.clone(), topic.spec.partitions()));
        node.logs.tidy(&partitions.collect())?;
        quarantine::report(data_dir)?;
        for (name, topic) in topics {
            // Its one log stays empty, and has no file that could be missing.
            let open = if is_system_topic(&name) {
                Log::create
            } else {
                Log::open
            };
            node.open_partitions(&name, &topic.spec, 0, open)?;
        }
        let newest = node
            .partitions()
            .iter()
            .map(|(_, partition)| partition.log.newest_epoch())
            .max();
        node.epoch.raise(newest.unwrap_or(i32::MIN))?;
        Ok(node)
    }

    /// All partitions there are.
    pub(crate) fn partitions(&self) -> Vec<(ReplicaKey, Arc<Partition>)> {
        let partitions = self.read_partitions();
        partitions
            .iter()
            .map(|(replica, partition)| (replica.clone(), Arc::clone(partition)))
            .collect()
    }

    /// What is stored may also be sent along with requests.
    fn accept_stored_modules(&self) {
        let (_, modules) = self.metadata.smartmodules();
        for (name, module) in modules {
            match unpack(&module.spec.wasm.payload) {
                Ok(wasm) => self.engine.accept(&name, &wasm),
                Err(error) => tracing::warn!(
                    smartmodule = name,
                    error = &error as &dyn std::error::Error,
                    "a stored smartmodule cannot be unpacked"
                ),
            }
        }
    }

    /// Finds a partition of a topic.
    pub(crate) fn partition(&self, topic: &str, partition: u32) -> Option<Arc<Partition>> {
        self.read_partitions()
            .get(&ReplicaKey::new(topic, partition))
            .map(Arc::clone)
    }

    /// Creates a topic with empty partitions; `false` if there is one of this name.
    pub(crate) fn create_topic(&self, name: &str, spec: TopicSpec) -> Result<bool, BrokerError> {
        let _administering = self
            .administering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.metadata.topic(name).is_some() {
            return Ok(false);
        }
        self.logs.clear(name)?;
        // What consumers have read of an earlier topic of this name is not of this one.
        self.forget_consumers(name)?;
        self.epoch.raise(i32::MIN)?;
        self.open_partitions(name, &spec, 0, Log::create)?;
        self.metadata.put_topic(name, spec)?;
        Ok(true)
    }

    /// Replaces a topic's spec by one with as many partitions or more.
    pub(crate) fn extend_topic(&self, name: &str, spec: TopicSpec) -> Result<(), BrokerError> {
        let _administering = self
            .administering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let existing = self
            .metadata
            .topic(name)
            .map_or(0, |topic| topic.partitions());
        self.epoch.raise(i32::MIN)?;
        self.open_partitions(name, &spec, existing, Log::create)?;
        self.metadata.put_topic(name, spec)
    }

    /// Deletes a topic with all its data; streams that read it end with an error.
    pub(crate) fn delete_topic(&self, name: &str) -> Result<(), BrokerError> {
        let _administering = self
            .administering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.metadata.remove_topic(name, &self.logs.deleted(name))?;
        let mut partitions = self
            .partitions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        partitions.retain(|replica, partition| {
            let keep = replica.topic != name;
            if !keep {
                partition.deleted.cancel();
            }
            keep
        });
        drop(partitions);
        self.forget_consumers(name)?;
        self.logs.remove(name)
    }

    fn forget_consumers(&self, topic: &str) -> Result<(), BrokerError> {
        let forgotten = self.consumers.forget_topic(topic);
        forgotten.map_err(BrokerError::file(
            "forget a topic in",
            self.consumers.path(),
        ))
    }

    fn open_partitions(
        &self,
        name: &str,
        spec: &TopicSpec,
        from: u32,
        open: OpenLog,
    ) -> Result<(), BrokerError> {
        for index in from..spec.partitions() {
            let replica = ReplicaKey::new(name, index);
            let config = LogConfig {
                replica: replica.clone(),
                segment_bytes_max: self.segment_bytes_max_of(spec),
                leader_epoch: self.epoch.leader_epoch(),
                sync: self.sync,
                storage: Arc::new(Disk),
            };
            let opened = open(self.logs.folder_of(name, index), config);
            let partition = Arc::new(Partition {
                log: opened.map_err(|source| BrokerError::Log {
                    topic: name.to_owned(),
                    partition: index,
                    source,
                })?,
                compression: spec.get_compression_type().clone(),
                deleted: CancellationToken::new(),
            });
            self.partitions
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(replica, partition);
        }
        Ok(())
    }

    /// A topic may ask for smaller or larger segments than the broker's.
    fn segment_bytes_max_of(&self, spec: &TopicSpec) -> u64 {
        let requested = spec.get_storage().and_then(|storage| storage.segment_size);
        requested.map_or(self.segment_bytes_max, u64::from)
    }

    fn read_partitions(&self) -> RwLockReadGuard<'_, HashMap<ReplicaKey, Arc<Partition>>> {
        self.partitions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a topic is the broker's own, which clients may not change.
pub(crate) fn is_system_topic(name: &str) -> bool {
    name == CONSUMER_STORAGE_TOPIC
}

#[cfg(test)]
mod tests;
