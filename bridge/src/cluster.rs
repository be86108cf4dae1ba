//! What the Fluvio cluster says about itself: topics, partitions, their leaders.

use std::time::Duration;

use anyhow::{Context, anyhow};
use fluvio::consumer::ConsumerOffset;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::{AddPartition, TopicSpec, UpdateTopicAction};
use fluvio::{Fluvio, FluvioAdmin, FluvioClusterConfig};
use fluvio_future::net::DomainConnector;
use fluvio_socket::{ClientConfig, VersionedSocket};
use tokio::sync::Mutex;

use crate::error::BridgeError;

/// Longest wait until a new topic can be written; a real cluster needs a few seconds.
const READY_MAX: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);

/// Partitions and replicas of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    pub(crate) replication: u32,
}

/// A Fluvio cluster, known by its address.
pub(crate) struct Cluster {
    config: FluvioClusterConfig,
    answer_within: Duration,
    /// Shared by all tasks, made at first use and anew after an error. A mutex, because the
    /// client's requests go one by one anyway.
    admin: Mutex<Option<FluvioAdmin>>,
}

impl Cluster {
    pub(crate) fn new(config: FluvioClusterConfig, answer_within: Duration) -> Self {
        Self {
            config,
            answer_within,
            admin: Mutex::new(None),
        }
    }

    /// The topic's shape; none if there is no such topic.
    pub(crate) async fn shape(&self, topic: &str) -> Result<Option<Shape>, BridgeError> {
        let topics = self
            .ask("list Fluvio's topics", async |admin| {
                admin.all::<TopicSpec>().await
            })
            .await?;
        let found = topics.into_iter().find(|object| object.name == topic);
        Ok(found.map(|object| Shape {
            partitions: object.spec.partitions(),
            replication: object.spec.replication_factor().unwrap_or(1),
        }))
    }

    /// How many SPUs can hold replicas now.
    pub(crate) async fn spus_online(&self) -> Result<u32, BridgeError> {
        let spus = self
            .ask("list Fluvio's SPUs", async |admin| {
                admin.all::<SpuSpec>().await
            })
            .await?;
        let online = spus.iter().filter(|spu| spu.status.is_online()).count();
        Ok(u32::try_from(online).unwrap_or(u32::MAX))
    }

    /// Creates the topic and waits until each partition can be written and read.
    pub(crate) async fn create(&self, topic: &str, shape: Shape) -> Result<(), BridgeError> {
        let doing = format!("create topic \"{topic}\" in Fluvio");
        let spec = TopicSpec::new_computed(shape.partitions, shape.replication, None);
        self.ask(&doing, async |admin| {
            admin.create(topic.to_owned(), false, spec.clone()).await
        })
        .await?;
        self.wait_for(topic, shape, doing).await
    }

    /// Gives the topic more partitions and waits until they can be written and read.
    pub(crate) async fn add_partitions(
        &self,
        topic: &str,
        found: Shape,
        wanted: Shape,
    ) -> Result<(), BridgeError> {
        let doing = format!("add partitions to topic \"{topic}\" in Fluvio");
        let count = wanted.partitions - found.partitions;
        self.ask(&doing, async |admin| {
            let more = UpdateTopicAction::AddPartition(AddPartition { count });
            admin.update::<TopicSpec>(topic.to_owned(), more).await
        })
        .await?;
        self.wait_for(topic, wanted, doing).await
    }

    async fn wait_for(&self, topic: &str, shape: Shape, doing: String) -> Result<(), BridgeError> {
        let deadline = tokio::time::Instant::now() + READY_MAX;
        while self.ready_partitions(topic, shape).await? < shape.partitions as usize {
            if tokio::time::Instant::now() > deadline {
                let source = anyhow!("not ready after {READY_MAX:?}: are all SPUs running?");
                return Err(BridgeError::fluvio(doing, source));
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Ok(())
    }

    /// Before a follower has connected, nothing that is written becomes readable.
    async fn ready_partitions(&self, topic: &str, shape: Shape) -> Result<usize, BridgeError> {
        let partitions = self
            .ask("list Fluvio's partitions", async |admin| {
                admin.all::<PartitionSpec>().await
            })
            .await?;
        let ready = partitions.iter().filter(|partition| {
            let name = partition.name.rsplit_once('-').map(|(topic, _)| topic);
            // The leader is not among them; a follower that has not connected has offset -1.
            let followers = partition.status.replicas.iter();
            let connected = followers.filter(|follower| follower.leo >= 0).count();
            let is_online = partition.status.is_online();
            name == Some(topic) && is_online && connected + 1 >= shape.replication as usize
        });
        Ok(ready.count())
    }

    /// The last record that each consumer has seen, by partition.
    pub(crate) async fn consumer_offsets(&self) -> Result<Vec<ConsumerOffset>, BridgeError> {
        let listing = async {
            let client = Fluvio::connect_with_config(&self.config).await?;
            client.consumer_offsets().await
        };
        self.timely(listing)
            .await
            .map_err(|source| BridgeError::fluvio("list Fluvio's consumers", source))
    }

    /// The SmartModule's wasm, packed with gzip; none if the cluster has no such module.
    pub(crate) async fn module(&self, name: &str) -> Result<Option<Vec<u8>>, BridgeError> {
        let modules = self
            .ask("list Fluvio's SmartModules", async |admin| {
                admin
                    .list::<SmartModuleSpec, _>(vec![name.to_owned()])
                    .await
            })
            .await?;
        let found = modules.into_iter().find(|object| object.name == name);
        let wasm = found.map(|object| object.spec.wasm.payload.to_vec());
        Ok(wasm.filter(|wasm| !wasm.is_empty()))
    }

    /// A connection of its own to the partition's leader.
    pub(crate) async fn connect_leader(
        &self,
        topic: &str,
        partition: u32,
    ) -> Result<VersionedSocket, BridgeError> {
        let doing = format!("connect to the leader of {topic}/{partition} in Fluvio");
        let (spu, address) = self.leader(topic, partition).await?;
        let connect = async {
            let mut client = self.client_config()?.with_prefix_sni_domain(&spu);
            client.set_addr(address);
            Ok::<_, anyhow::Error>(client.connect().await?)
        };
        self.timely(connect)
            .await
            .map_err(|source| BridgeError::fluvio(doing, source))
    }

    /// Name and address of the partition's leader.
    async fn leader(&self, topic: &str, partition: u32) -> Result<(String, String), BridgeError> {
        let key = format!("{topic}-{partition}");
        let doing = format!("find the leader of {topic}/{partition} in Fluvio");
        let (partitions, spus) = self
            .ask(&doing, async |admin| {
                Ok((
                    admin.all::<PartitionSpec>().await?,
                    admin.all::<SpuSpec>().await?,
                ))
            })
            .await?;
        let leader = partitions.into_iter().find(|object| object.name == key);
        let spu = leader.and_then(|partition| {
            spus.into_iter()
                .find(|spu| spu.spec.id == partition.spec.leader)
        });
        let spu = spu
            .ok_or_else(|| anyhow!("no such partition, or its leader is away"))
            .map_err(|source| BridgeError::fluvio(doing, source))?;
        let address = match spu.spec.public_endpoint_local {
            Some(local) if self.config.use_spu_local_address => {
                format!("{}:{}", local.host, local.port)
            }
            _ => spu.spec.public_endpoint.addr(),
        };
        Ok((spu.name, address))
    }

    fn client_config(&self) -> anyhow::Result<ClientConfig> {
        let connector = DomainConnector::try_from(self.config.tls.clone())?;
        let local = self.config.use_spu_local_address;
        Ok(ClientConfig::new(&self.config.endpoint, connector, local))
    }

    /// Asks the controller; after an error the next question makes a new connection.
    async fn ask<T>(
        &self,
        doing: &str,
        question: impl AsyncFnOnce(&FluvioAdmin) -> anyhow::Result<T>,
    ) -> Result<T, BridgeError> {
        let mut slot = self.admin.lock().await;
        let answer = async {
            let admin = match slot.take() {
                Some(admin) => admin,
                None => FluvioAdmin::connect_with_config(&self.config)
                    .await
                    .with_context(|| format!("no Fluvio at {}", self.config.endpoint))?,
            };
            let answer = question(&admin).await?;
            Ok((admin, answer))
        };
        // On an error the connection is dropped with the future.
        let (admin, answer) = self
            .timely(answer)
            .await
            .map_err(|source| BridgeError::fluvio(doing, source))?;
        *slot = Some(admin);
        Ok(answer)
    }

    async fn timely<T>(
        &self,
        answer: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let within = self.answer_within;
        tokio::time::timeout(within, answer)
            .await
            .unwrap_or_else(|_| Err(anyhow!("no answer for {} s", within.as_secs())))
    }
}
