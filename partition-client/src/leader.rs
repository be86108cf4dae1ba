//! The way to a partition's leader: the one place where a connection to a broker begins.

use anyhow::anyhow;
use fluvio::FluvioClusterConfig;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio_socket::{ClientConfig, VersionedSocket};

use crate::cluster::Cluster;
use crate::error::{ClientError, within};
use crate::partition::TopicPartition;
use crate::tls::connector;

/// The SPU that leads a partition.
struct Leader {
    name: String,
    /// `host:port`
    address: String,
}

impl Cluster {
    /// A connection of its own to the partition's leader.
    ///
    /// One connection a stream: the broker frees a stream, and the memory of its modules, when the
    /// connection ends, and not before.
    pub(crate) async fn connect_leader(
        &self,
        partition: &TopicPartition,
    ) -> Result<VersionedSocket, ClientError> {
        let leader = self.leader(partition).await?;
        let connecting = connect(self.config(), leader);
        within(self.response_max(), connecting)
            .await
            .map_err(|cause| {
                ClientError::new(
                    format!("connect to the leader of {partition} in Fluvio"),
                    cause,
                )
            })
    }

    async fn leader(&self, partition: &TopicPartition) -> Result<Leader, ClientError> {
        let key = format!("{}-{}", partition.topic, partition.partition);
        let doing = format!("find the leader of {partition} in Fluvio");
        let (partitions, spus) = self
            .request(&doing, async |admin| {
                Ok((
                    admin.all::<PartitionSpec>().await?,
                    admin.all::<SpuSpec>().await?,
                ))
            })
            .await?;
        let found = partitions.into_iter().find(|object| object.name == key);
        let spu = found.and_then(|found| {
            spus.into_iter()
                .find(|spu| spu.spec.id == found.spec.leader)
        });
        let spu = spu.ok_or_else(|| {
            ClientError::new(doing, anyhow!("no such partition, or its leader is away"))
        })?;
        let address = match spu.spec.public_endpoint_local {
            Some(local) if self.config().use_spu_local_address => {
                format!("{}:{}", local.host, local.port)
            }
            _ => spu.spec.public_endpoint.addr(),
        };
        Ok(Leader {
            name: spu.name,
            address,
        })
    }
}

async fn connect(config: &FluvioClusterConfig, leader: Leader) -> anyhow::Result<VersionedSocket> {
    let connector = connector(config)?;
    let local = config.use_spu_local_address;
    let client = ClientConfig::new(&config.endpoint, connector, local);
    let mut client = client.with_prefix_sni_domain(&leader.name);
    client.set_addr(leader.address);
    Ok(client.connect().await?)
}
