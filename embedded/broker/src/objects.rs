//! The objects that clients list and watch, as each client should see them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fluvio_controlplane_metadata::mirror::MirrorSpec;
use fluvio_controlplane_metadata::partition::{
    PartitionResolution, PartitionSpec, PartitionStatus,
};
use fluvio_controlplane_metadata::smartmodule::SmartModuleSpec;
use fluvio_controlplane_metadata::spg::SpuGroupSpec;
use fluvio_controlplane_metadata::spu::{
    CustomSpuSpec, Endpoint, IngressPort, SpuSpec, SpuStatus, SpuType,
};
use fluvio_controlplane_metadata::tableformat::TableFormatSpec;
use fluvio_controlplane_metadata::topic::{TopicResolution, TopicSpec, TopicStatus};
use fluvio_protocol::record::ReplicaKey;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::AdminSpec;
use fluvio_sc_schema::objects::Metadata;

use crate::connection::Connection;
use crate::node::SPU_ID;

/// Objects by key, each with the epoch of its last change.
pub(crate) type Snapshot<S> = BTreeMap<String, (i64, Metadata<S>)>;

/// A kind of object that clients may list and watch.
pub(crate) trait Kind: AdminSpec<Status: Encoder + Decoder + Send + Sync> + Sync {
    /// All objects of the kind and the epoch, as this client should see them.
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>);
}

impl Kind for TopicSpec {
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>) {
        let (epoch, topics) = connection.node.metadata.topics();
        let objects = topics.into_iter().map(|(name, topic)| {
            let replicas = vec![vec![SPU_ID]; topic.spec.partitions() as usize];
            let status = TopicStatus::new(TopicResolution::Provisioned, replicas, "");
            (
                name.clone(),
                (
                    topic.epoch,
                    Metadata {
                        name,
                        spec: topic.spec,
                        status,
                    },
                ),
            )
        });
        (epoch, objects.collect())
    }
}

impl Kind for PartitionSpec {
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>) {
        let (epoch, topics) = connection.node.metadata.topics();
        let mut objects = Snapshot::new();
        for (name, topic) in topics {
            let spec = PartitionSpec::from_replicas(vec![SPU_ID], &topic.spec, None);
            for index in 0..topic.spec.partitions() {
                let status = status_of(connection, &name, index);
                let key = ReplicaKey::new(name.clone(), index).to_string();
                let object = Metadata {
                    name: key.clone(),
                    spec: spec.clone(),
                    status,
                };
                objects.insert(key, (topic.epoch, object));
            }
        }
        (epoch, objects)
    }
}

fn status_of(connection: &Connection, topic: &str, index: u32) -> PartitionStatus {
    let Some(partition) = connection.node.partition(topic, index) else {
        return PartitionStatus::default();
    };
    let end = partition.log.end_offset();
    PartitionStatus::new2(
        (SPU_ID, end, end),
        Vec::new(),
        i64::try_from(partition.log.bytes()).unwrap_or(PartitionStatus::SIZE_ERROR),
        PartitionResolution::Online,
        partition.log.start_offset(),
    )
}

impl Kind for SpuSpec {
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>) {
        let mut status = SpuStatus::default();
        status.set_online();
        let spec = the_spu(connection);
        let name = format!("custom-spu-{SPU_ID}");
        (
            0,
            Snapshot::from([(name.clone(), (0, Metadata { name, spec, status }))]),
        )
    }
}

impl Kind for CustomSpuSpec {
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>) {
        let (epoch, spus) = SpuSpec::snapshot(connection);
        let custom = spus.into_iter().map(|(key, (epoch, spu))| {
            let Metadata { name, spec, status } = spu;
            (
                key,
                (
                    epoch,
                    Metadata {
                        name,
                        spec: spec.into(),
                        status,
                    },
                ),
            )
        });
        (epoch, custom.collect())
    }
}

/// The client finds the SPU where it has found the controller.
fn the_spu(connection: &Connection) -> SpuSpec {
    let (host, port) = (host_of(connection.address.ip()), connection.address.port());
    SpuSpec {
        id: SPU_ID,
        spu_type: SpuType::Custom,
        public_endpoint: IngressPort::from_port_host(port, host.clone()),
        private_endpoint: Endpoint::from_port_host(port, host),
        ..SpuSpec::default()
    }
}

/// Clients put host and port together with a colon: the colons of IPv6 must be in brackets.
fn host_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

impl Kind for SmartModuleSpec {
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>) {
        let (epoch, modules) = connection.node.metadata.smartmodules();
        let objects = modules.into_iter().map(|(name, module)| {
            let object = Metadata {
                name: name.clone(),
                spec: module.spec,
                status: Default::default(),
            };
            (name, (module.epoch, object))
        });
        (epoch, objects.collect())
    }
}

/// Kinds of which there is never any here.
macro_rules! nothing_of {
    ($($spec:ty),+) => { $(
        impl Kind for $spec {
            fn snapshot(_: &Connection) -> (i64, Snapshot<Self>) {
                (0, Snapshot::new())
            }
        }
    )+ };
}
nothing_of!(SpuGroupSpec, TableFormatSpec, MirrorSpec);

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn hosts_are_spelled_as_clients_dial_them() {
        let dialled =
            ["127.0.0.1", "::1", "::ffff:10.0.0.7"].map(|ip| host_of(ip.parse().unwrap()));
        assert_eq!(dialled, ["127.0.0.1", "[::1]", "10.0.0.7"]);
    }
}
