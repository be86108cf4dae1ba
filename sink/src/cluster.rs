//! What the cluster says about itself: partitions, their leaders, SmartModules.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio::{FluvioAdmin, FluvioClusterConfig};
use fluvio_future::net::DomainConnector;
use fluvio_socket::{ClientConfig, VersionedSocket};
use tokio::sync::Mutex;

use crate::error::SinkError;
use crate::stream;

/// Longest wait for an answer of the cluster; the client itself would wait a minute.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A Fluvio cluster, known by its address.
pub(crate) struct Cluster {
    config: FluvioClusterConfig,
    /// Shared by all tasks, made at first use and anew after an error. A mutex, because the
    /// client's requests go one by one anyway.
    admin: Mutex<Option<FluvioAdmin>>,
}

impl Cluster {
    pub(crate) fn new(config: FluvioClusterConfig) -> Self {
        Self {
            config,
            admin: Mutex::new(None),
        }
    }

    /// Number of partitions of the topic; none if there is no such topic.
    pub(crate) async fn partition_count(&self, topic: &str) -> Result<Option<u32>, SinkError> {
        let topics = self
            .ask("list the topics", async |admin| {
                admin.all::<TopicSpec>().await
            })
            .await?;
        let found = topics.into_iter().find(|object| object.name == topic);
        Ok(found.map(|object| object.spec.partitions()))
    }

    /// The SmartModule's wasm, packed with gzip; none if the cluster has no such module.
    pub(crate) async fn module(&self, name: &str) -> Result<Option<Vec<u8>>, SinkError> {
        let modules = self
            .ask("list the smartmodules", async |admin| {
                admin
                    .list::<SmartModuleSpec, _>(vec![name.to_owned()])
                    .await
            })
            .await?;
        let found = modules.into_iter().find(|object| object.name == name);
        Ok(found.map(|object| object.spec.wasm.payload.to_vec()))
    }

    /// A connection of its own to the partition's leader.
    ///
    /// One connection a stream: the broker frees a stream, and the memory of its modules, when the
    /// connection ends, and not before.
    pub(crate) async fn connect_leader(
        &self,
        topic: &str,
        partition: u32,
    ) -> Result<VersionedSocket, SinkError> {
        let doing = || format!("connect to the leader of {topic}/{partition}");
        let (spu, address) = self.leader(topic, partition).await?;
        let connect = async {
            let mut client = self.client_config()?.with_prefix_sni_domain(&spu);
            client.set_addr(address);
            Ok::<_, anyhow::Error>(client.connect().await?)
        };
        timely(connect)
            .await
            .map_err(|source| SinkError::broker(doing(), source))
    }

    /// Name and address of the partition's leader.
    async fn leader(&self, topic: &str, partition: u32) -> Result<(String, String), SinkError> {
        let key = format!("{topic}-{partition}");
        let doing = format!("find the leader of {topic}/{partition}");
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
            .map_err(|source| SinkError::broker(doing, source))?;
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
    ) -> Result<T, SinkError> {
        let mut slot = self.admin.lock().await;
        let answer = async {
            let admin = match slot.take() {
                Some(admin) => admin,
                None => FluvioAdmin::connect_with_config(&self.config)
                    .await
                    .with_context(|| format!("no cluster at {}", self.config.endpoint))?,
            };
            let answer = question(&admin).await?;
            Ok((admin, answer))
        };
        // On an error the connection is dropped with the future.
        let (admin, answer) = timely(answer)
            .await
            .map_err(|source| SinkError::broker(doing, source))?;
        *slot = Some(admin);
        Ok(answer)
    }
}

/// The end of each partition's committed log, by partition: what a sink has to reach to have
/// stored everything that is there now.
///
/// # Errors
/// [`SinkError::Broker`] if the cluster does not answer or has no such topic.
pub async fn log_ends(
    cluster: &FluvioClusterConfig,
    topic: &str,
) -> Result<BTreeMap<u32, i64>, SinkError> {
    let cluster = Cluster::new(cluster.clone());
    let count = cluster.partition_count(topic).await?;
    let count = count
        .ok_or_else(|| anyhow!("no such topic"))
        .map_err(|source| SinkError::broker(format!("read the ends of topic {topic}"), source))?;
    let mut ends = BTreeMap::new();
    for partition in 0..count {
        let range = stream::log_range(&cluster, topic, partition).await?;
        ends.insert(partition, range.end);
    }
    Ok(ends)
}

/// Waits for an answer of the cluster, but not for ever.
pub(crate) async fn timely<T>(
    answer: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::time::timeout(ANSWER_MAX, answer)
        .await
        .unwrap_or_else(|_| Err(anyhow!("no answer for {} s", ANSWER_MAX.as_secs())))
}
