//! What a cluster says about itself, and what it is told: topics, SmartModules, consumers.

use std::time::Duration;

use anyhow::{Context, anyhow};
use fluvio::consumer::ConsumerOffset;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::{
    AddPartition, CleanupPolicy, CompressionAlgorithm, SegmentBasedPolicy, TopicSpec,
    TopicStorageConfig, UpdateTopicAction,
};
use fluvio::{FluvioAdmin, FluvioClusterConfig};
use fluvio_compression::Compression;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::error::{ClientError, within};
use crate::module::SmartModule;
use crate::tls::{connect, connect_admin};

/// Longest wait until what was made can be used; a real cluster needs a few seconds.
const READY_MAX: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);

/// Partitions and replicas of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicShape {
    /// Number of partitions.
    pub partitions: u32,
    /// Replicas of each partition.
    pub replication: u32,
}

/// How long a topic keeps its records. Whole segments go, the oldest first, never the one that is written;
/// what is not said is left to the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicRetention {
    /// Seconds since a segment was written last.
    pub seconds: Option<u32>,
    /// Bytes after which a partition goes on in a new segment.
    pub segment_bytes: Option<u32>,
    /// Bytes of a partition.
    pub partition_bytes: Option<u64>,
}

impl TopicRetention {
    fn declare(self, spec: &mut TopicSpec) {
        if let Some(time_in_seconds) = self.seconds {
            let policy = SegmentBasedPolicy { time_in_seconds };
            spec.set_cleanup_policy(CleanupPolicy::Segment(policy));
        }
        if self.segment_bytes.is_some() || self.partition_bytes.is_some() {
            spec.set_storage(TopicStorageConfig {
                segment_size: self.segment_bytes,
                max_partition_size: self.partition_bytes,
            });
        }
    }
}

/// A Fluvio cluster, known by its address.
pub struct Cluster {
    config: FluvioClusterConfig,
    response_max: Duration,
    /// Shared by all tasks, made at first use and anew after an error. A mutex, because the
    /// client's requests go one by one anyway.
    admin: Mutex<Option<FluvioAdmin>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({})", self.config.endpoint)
    }
}

impl Cluster {
    /// No connection is made before the first request. No response is waited for longer than
    /// `response_max`; Fluvio's client itself would wait a minute.
    #[must_use]
    pub fn new(config: FluvioClusterConfig, response_max: Duration) -> Self {
        Self {
            config,
            response_max,
            admin: Mutex::new(None),
        }
    }

    pub(crate) fn config(&self) -> &FluvioClusterConfig {
        &self.config
    }

    pub(crate) fn response_max(&self) -> Duration {
        self.response_max
    }

    /// Connects now instead of with the first request.
    ///
    /// # Errors
    /// If there is no Fluvio at the address.
    pub async fn connect(&self) -> Result<(), ClientError> {
        let doing = format!("connect to Fluvio at {}", self.config.endpoint);
        self.request(&doing, async |_| Ok(())).await
    }

    /// The topic's shape; none if there is no such topic.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn topic_shape(&self, topic: &str) -> Result<Option<TopicShape>, ClientError> {
        let found = self.topic(topic).await?;
        Ok(found.map(|spec| TopicShape {
            partitions: spec.partitions(),
            replication: spec.replication_factor().unwrap_or(1),
        }))
    }

    async fn topic(&self, topic: &str) -> Result<Option<TopicSpec>, ClientError> {
        let listing = self.request("list Fluvio's topics", async |admin| {
            admin.all::<TopicSpec>().await
        });
        let mut topics = listing.await?.into_iter();
        let found = topics.find(|object| object.name == topic);
        Ok(found.map(|object| object.spec))
    }

    /// How the batches of a topic are to be compressed; none if there is no such topic.
    ///
    /// Where the topic leaves it to its writers: zstd, which makes trips ten times smaller.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn topic_compression(&self, topic: &str) -> Result<Option<Compression>, ClientError> {
        let found = self.topic(topic).await?;
        Ok(found.map(|spec| match spec.get_compression_type() {
            CompressionAlgorithm::None => Compression::None,
            CompressionAlgorithm::Gzip => Compression::Gzip,
            CompressionAlgorithm::Snappy => Compression::Snappy,
            CompressionAlgorithm::Lz4 => Compression::Lz4,
            CompressionAlgorithm::Any | CompressionAlgorithm::Zstd => Compression::Zstd,
        }))
    }

    /// How many SPUs can hold replicas now.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn spus_online(&self) -> Result<u32, ClientError> {
        let listing = self.request("list Fluvio's SPUs", async |admin| {
            admin.all::<SpuSpec>().await
        });
        let spus = listing.await?;
        let online = spus.iter().filter(|spu| spu.status.is_online()).count();
        Ok(u32::try_from(online).unwrap_or(u32::MAX))
    }

    /// Creates the topic and waits until each partition can be written and read.
    ///
    /// # Errors
    /// If the cluster refuses it, or the partitions are not ready in a minute.
    pub async fn create_topic(
        &self,
        topic: &str,
        shape: TopicShape,
        retention: TopicRetention,
    ) -> Result<(), ClientError> {
        let doing = format!("create topic \"{topic}\" in Fluvio");
        let mut spec = TopicSpec::new_computed(shape.partitions, shape.replication, None);
        retention.declare(&mut spec);
        let creator = self.with_patience();
        let creating = creator.request(&doing, async |admin| {
            admin.create(topic.to_owned(), false, spec).await
        });
        // Seen on a real controller: now and then it misses the change it waits for, and responds
        // only with the next one. The partitions show that it is there.
        tokio::select! {
            Err(refused) = creating => Err(refused),
            ready = self.wait_until_in_sync(topic, shape) => ready,
        }
    }

    /// Gives the topic more partitions and waits until they can be written and read.
    ///
    /// # Errors
    /// If the cluster refuses, or the partitions are not ready in a minute.
    pub async fn add_partitions(
        &self,
        topic: &str,
        found: TopicShape,
        wanted: TopicShape,
    ) -> Result<(), ClientError> {
        let doing = format!("add partitions to topic \"{topic}\" in Fluvio");
        let count = wanted.partitions - found.partitions;
        let adding = self.request(&doing, async |admin| {
            let more = UpdateTopicAction::AddPartition(AddPartition { count });
            admin.update::<TopicSpec>(topic.to_owned(), more).await
        });
        adding.await?;
        self.wait_until_in_sync(topic, wanted).await
    }

    /// For a request that takes long: on a connection of its own, behind whose response no other
    /// request waits.
    fn with_patience(&self) -> Self {
        Self::new(self.config.clone(), READY_MAX)
    }

    /// Waits until each partition can be written and read, and each replica has all that readers are shown.
    ///
    /// Of replicas no more are waited for than there are SPUs.
    ///
    /// # Errors
    /// If that is not so after a minute.
    pub async fn wait_until_in_sync(
        &self,
        topic: &str,
        shape: TopicShape,
    ) -> Result<(), ClientError> {
        let replication = shape.replication.min(self.spus_online().await?);
        let deadline = Instant::now() + READY_MAX;
        loop {
            let in_sync = self.partitions_in_sync(topic, replication).await?;
            if in_sync >= shape.partitions as usize {
                return Ok(());
            }
            if Instant::now() > deadline {
                let wanted = shape.partitions;
                return Err(ClientError::new(
                    format!("wait for the replicas of topic \"{topic}\" in Fluvio"),
                    anyhow!(
                        "{in_sync} of {wanted} partitions have them in sync after {READY_MAX:?}: are all \
                         SPUs running?"
                    ),
                ));
            }
            sleep(READY_POLL).await;
        }
    }

    async fn partitions_in_sync(
        &self,
        topic: &str,
        replication: u32,
    ) -> Result<usize, ClientError> {
        let listing = self.request("list Fluvio's partitions", async |admin| {
            admin.all::<PartitionSpec>().await
        });
        let partitions = listing.await?;
        let in_sync = partitions.iter().filter(|partition| {
            let name = partition.name.rsplit_once('-').map(|(topic, _)| topic);
            let status = &partition.status;
            // The leader is not among them; a follower that has not connected has offset -1, and before it
            // has, nothing that is written becomes readable.
            let shown = status.leader.hw.max(0);
            let followers = status.replicas.iter();
            let up_to_date = followers.filter(|follower| follower.leo >= shown).count();
            name == Some(topic) && status.is_online() && up_to_date + 1 >= replication as usize
        });
        Ok(in_sync.count())
    }

    /// The last record that each consumer has seen, by partition.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn consumer_offsets(&self) -> Result<Vec<ConsumerOffset>, ClientError> {
        let listing = async {
            let client = connect(&self.config).await?;
            client.consumer_offsets().await
        };
        within(self.response_max, listing)
            .await
            .map_err(|cause| ClientError::new("list Fluvio's consumers", cause))
    }

    /// The SmartModule of this name; none if the cluster has no such module.
    ///
    /// # Errors
    /// If the cluster does not respond.
    pub async fn smart_module(&self, name: &str) -> Result<Option<SmartModule>, ClientError> {
        let listing = self.request("list Fluvio's SmartModules", async |admin| {
            let names = vec![name.to_owned()];
            admin.list::<SmartModuleSpec, _>(names).await
        });
        let mut modules = listing.await?.into_iter();
        let found = modules.find(|object| object.name == name);
        let wasm = found.map(|object| object.spec.wasm.payload.to_vec());
        let wasm = wasm.filter(|wasm| !wasm.is_empty());
        Ok(wasm.map(|wasm| SmartModule::packed(name.to_owned(), wasm)))
    }

    /// Uploads a SmartModule, new or changed, and waits until the controller has it.
    ///
    /// The controller hands it to the SPUs a little later; no request shows when.
    ///
    /// # Errors
    /// If `wasm` is none, or the cluster refuses it.
    pub async fn upload_smart_module(&self, name: &str, wasm: &[u8]) -> Result<(), ClientError> {
        let doing = format!("upload smartmodule \"{name}\" to Fluvio");
        let failed = |cause: anyhow::Error| ClientError::new(&*doing, cause);
        let packed = SmartModuleWasm::from_raw_wasm_bytes(wasm);
        let packed = packed.map_err(|cause| failed(cause.into()))?;
        let spec = SmartModuleSpec {
            wasm: packed,
            ..SmartModuleSpec::default()
        };
        // An embedded broker runs the module over a sample first.
        let uploader = self.with_patience();
        let uploading = uploader.request(&doing, async |admin| {
            admin.create(name.to_owned(), false, spec).await
        });
        uploading.await?;
        let deadline = Instant::now() + READY_MAX;
        loop {
            let found = self.smart_module(name).await?;
            let found = found.map(|module| module.wasm()).transpose();
            if found.map_err(failed)?.is_some_and(|found| found == wasm) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(failed(anyhow!(
                    "the cluster still has another one after {READY_MAX:?}"
                )));
            }
            sleep(READY_POLL).await;
        }
    }

    /// Sends a request to the controller; after an error the next one makes a new connection.
    pub(crate) async fn request<T>(
        &self,
        doing: &str,
        request: impl AsyncFnOnce(&FluvioAdmin) -> anyhow::Result<T>,
    ) -> Result<T, ClientError> {
        let mut slot = self.admin.lock().await;
        let response = async {
            let admin = match slot.take() {
                Some(admin) => admin,
                None => connect_admin(&self.config)
                    .await
                    .with_context(|| format!("no Fluvio at {}", self.config.endpoint))?,
            };
            let response = request(&admin).await?;
            Ok((admin, response))
        };
        // On an error the connection is dropped with the future.
        // Boxed: within callers' futures its type is too deep for the compiler.
        let (admin, response) = within(self.response_max, Box::pin(response))
            .await
            .map_err(|cause| ClientError::new(doing, cause))?;
        *slot = Some(admin);
        Ok(response)
    }
}
