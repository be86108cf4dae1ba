//! What the one node serves: its catalog, its partitions, its consumers' offsets.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use fluvio_controlplane_metadata::topic::{CompressionAlgorithm, TopicSpec};
use fluvio_protocol::record::ReplicaKey;
use fluvio_smartengine::SmartEngine;
use fluvio_types::defaults::{CONSUMER_STORAGE_TOPIC, SPU_SMARTENGINE_STORE_MAX_BYTES};
use tokio_util::sync::CancellationToken;

use super::consumer::ConsumerOffsets;
use super::error::BrokerError;
use super::folder::remove;
use super::log::Log;
use super::metadata::MetadataStore;

/// The number by which clients know this node.
pub(super) const SPU_ID: i32 = 5001;

/// A partition of a topic that exists.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) log: Log,
    /// What producers may use.
    pub(super) compression: CompressionAlgorithm,
    /// Cancelled when the topic is deleted; ends the streams that read it.
    pub(super) deleted: CancellationToken,
}

/// State shared by all connections.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) metadata: MetadataStore,
    pub(super) consumers: ConsumerOffsets,
    pub(super) engine: SmartEngine,
    /// What one stream's chain may take of memory; the real SPU's default.
    pub(super) chain_bytes_max: usize,
    logs_folder: PathBuf,
    segment_bytes_max: u64,
    partitions: RwLock<HashMap<ReplicaKey, Arc<Partition>>>,
    /// Held while topics are created, changed or deleted: folder and catalog change together.
    administering: Mutex<()>,
}

impl Node {
    /// Opens everything the data folder holds. Takes time: reads the end of each log.
    pub(super) fn open(data_dir: &Path, segment_bytes_max: u64) -> Result<Self, BrokerError> {
        let node = Self {
            metadata: MetadataStore::open(data_dir)?,
            consumers: ConsumerOffsets::open(data_dir)?,
            engine: SmartEngine::new(),
            chain_bytes_max: SPU_SMARTENGINE_STORE_MAX_BYTES,
            logs_folder: data_dir.join("logs"),
            segment_bytes_max,
            partitions: RwLock::new(HashMap::new()),
            administering: Mutex::new(()),
        };
        node.remove_orphans()?;
        let (_, topics) = node.metadata.topics();
        for (name, topic) in topics {
            node.open_partitions(&name, &topic.spec, 0)?;
        }
        Ok(node)
    }

    /// Finds a partition of a topic.
    pub(super) fn partition(&self, topic: &str, partition: u32) -> Option<Arc<Partition>> {
        self.read_partitions()
            .get(&ReplicaKey::new(topic, partition))
            .map(Arc::clone)
    }

    /// Creates a topic with empty partitions; `false` if there is one of this name.
    pub(super) fn create_topic(&self, name: &str, spec: TopicSpec) -> Result<bool, BrokerError> {
        let _administering = self
            .administering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.metadata.topic(name).is_some() {
            return Ok(false);
        }
        self.remove_logs(name)?;
        self.open_partitions(name, &spec, 0)?;
        self.metadata.put_topic(name, spec)?;
        Ok(true)
    }

    /// Replaces a topic's spec by one with as many partitions or more.
    pub(super) fn extend_topic(&self, name: &str, spec: TopicSpec) -> Result<(), BrokerError> {
        let _administering = self
            .administering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let existing = self
            .metadata
            .topic(name)
            .map_or(0, |topic| topic.partitions());
        self.open_partitions(name, &spec, existing)?;
        self.metadata.put_topic(name, spec)
    }

    /// Deletes a topic with all its data; streams that read it are told.
    pub(super) fn delete_topic(&self, name: &str) -> Result<(), BrokerError> {
        let _administering = self
            .administering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.metadata.remove_topic(name)?;
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
        self.consumers
            .forget_topic(name)
            .map_err(BrokerError::file("forget consumers in", &self.logs_folder))?;
        self.remove_logs(name)
    }

    fn open_partitions(&self, name: &str, spec: &TopicSpec, from: u32) -> Result<(), BrokerError> {
        for index in from..spec.partitions() {
            let folder = self.logs_folder.join(name).join(index.to_string());
            let log = Log::open(folder, self.segment_bytes_max_of(spec)).map_err(|source| {
                BrokerError::Log {
                    topic: name.to_owned(),
                    partition: index,
                    source,
                }
            })?;
            let partition = Arc::new(Partition {
                log,
                compression: spec.get_compression_type().clone(),
                deleted: CancellationToken::new(),
            });
            self.partitions
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(ReplicaKey::new(name, index), partition);
        }
        Ok(())
    }

    /// A topic may ask for smaller or larger segments than the broker's.
    fn segment_bytes_max_of(&self, spec: &TopicSpec) -> u64 {
        let asked = spec.get_storage().and_then(|storage| storage.segment_size);
        asked.map_or(self.segment_bytes_max, u64::from)
    }

    /// Removes logs of topics whose deletion, or creation, a crash cut short.
    fn remove_orphans(&self) -> Result<(), BrokerError> {
        let folder = &self.logs_folder;
        fs::create_dir_all(folder).map_err(BrokerError::file("create", folder))?;
        for entry in fs::read_dir(folder).map_err(BrokerError::file("list", folder))? {
            let name = entry
                .map_err(BrokerError::file("list", folder))?
                .file_name();
            let name = name.to_string_lossy();
            if self.metadata.topic(&name).is_none() {
                tracing::warn!(topic = %name, "remove the log of a topic that does not exist");
                self.remove_logs(&name)?;
            }
        }
        Ok(())
    }

    fn remove_logs(&self, topic: &str) -> Result<(), BrokerError> {
        let folder = self.logs_folder.join(topic);
        remove(&folder).map_err(BrokerError::file("remove", folder))
    }

    fn read_partitions(&self) -> RwLockReadGuard<'_, HashMap<ReplicaKey, Arc<Partition>>> {
        self.partitions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a topic is the broker's own, which clients may not change.
pub(super) fn is_system_topic(name: &str) -> bool {
    name == CONSUMER_STORAGE_TOPIC
}
