//! Tells clients what objects there are, and then what changes.
//!
//! The first answer is everything, since a client waits for it (an empty one it ignores: there
//! are always an SPU and the consumers' topic). Later ones are what differs from what was sent.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use fluvio_controlplane_metadata::message::Message;
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
use fluvio_protocol::api::RequestHeader;
use fluvio_protocol::record::ReplicaKey;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::objects::{
    Metadata, MetadataUpdate, ObjectApiWatchRequest, ObjectApiWatchResponse, WatchRequest,
    WatchResponse,
};
use fluvio_sc_schema::{AdminSpec, TryEncodableFrom};

use crate::limits::{ANSWERS_MAX, WATCHES_MAX};
use crate::node::SPU_ID;
use crate::session::Connection;
use crate::wire::Request;

/// Objects by key, each with the epoch of its last change.
pub(crate) type Snapshot<S> = BTreeMap<String, (i64, Metadata<S>)>;

/// A kind of object that clients may list and watch.
pub(crate) trait Kind: AdminSpec<Status: Encoder + Decoder + Send + Sync> + Sync {
    /// All objects of the kind and the epoch, as this client should see them.
    fn snapshot(connection: &Connection) -> (i64, Snapshot<Self>);
}

/// Starts to send what a client wants to watch.
pub(crate) fn start(connection: &Connection, mut request: Request) -> io::Result<()> {
    let body: ObjectApiWatchRequest = request.decode()?;
    let header = request.header;
    let started = start_if::<TopicSpec>(connection, &header, &body)?
        || start_if::<PartitionSpec>(connection, &header, &body)?
        || start_if::<SpuSpec>(connection, &header, &body)?
        || start_if::<SmartModuleSpec>(connection, &header, &body)?
        || start_if::<SpuGroupSpec>(connection, &header, &body)?
        || start_if::<TableFormatSpec>(connection, &header, &body)?;
    if started {
        Ok(())
    } else {
        let message = "objects of this type cannot be watched";
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }
}

fn start_if<S: Kind + 'static>(
    connection: &Connection,
    header: &RequestHeader,
    body: &ObjectApiWatchRequest,
) -> io::Result<bool> {
    let request: Option<WatchRequest<S>> = body.downcast().map_err(io::Error::other)?;
    let Some(request) = request else {
        return Ok(false);
    };
    let watch = Watch::<S> {
        connection: connection.clone(),
        header: header.clone(),
        summary: request.summary,
        sent: Snapshot::new(),
    };
    let places = Arc::clone(&connection.watches);
    let place = places
        .try_acquire_owned()
        .map_err(|_| io::Error::other(format!("a connection has {WATCHES_MAX} watches at most")))?;
    connection.spawn(async move {
        let _place = place;
        watch.run().await
    });
    Ok(true)
}

/// One client's view of one kind of objects.
#[derive(Debug)]
struct Watch<S: Kind> {
    connection: Connection,
    header: RequestHeader,
    /// Without the bytes of modules.
    summary: bool,
    /// What the client knows.
    sent: Snapshot<S>,
}

impl<S: Kind> Watch<S> {
    async fn run(mut self) -> io::Result<()> {
        let mut epochs = self.connection.node.metadata.follow();
        let (epoch, objects) = S::snapshot(&self.connection);
        let all = objects
            .values()
            .map(|(_, object)| self.view(object))
            .collect();
        self.sent = objects;
        self.send(MetadataUpdate::with_all(epoch, all)).await?;
        while epochs.changed().await.is_ok() {
            let (epoch, objects) = S::snapshot(&self.connection);
            let changes = self.changes_to(&objects);
            self.sent = objects;
            if !changes.is_empty() {
                self.send(MetadataUpdate::with_changes(epoch, changes))
                    .await?;
            }
        }
        Ok(())
    }

    fn changes_to(&self, objects: &Snapshot<S>) -> Vec<Message<Metadata<S>>> {
        let updated = objects.iter().filter(|(key, (epoch, _))| {
            self.sent
                .get(*key)
                .is_none_or(|(sent_epoch, _)| sent_epoch != epoch)
        });
        let deleted = self
            .sent
            .iter()
            .filter(|(key, _)| !objects.contains_key(*key));
        updated
            .map(|(_, (_, object))| Message::update(self.view(object)))
            .chain(deleted.map(|(_, (_, object))| Message::delete(self.view(object))))
            .collect()
    }

    fn view(&self, object: &Metadata<S>) -> Metadata<S> {
        if self.summary {
            object.clone().summary()
        } else {
            object.clone()
        }
    }

    async fn send(&self, update: MetadataUpdate<S>) -> io::Result<()> {
        // One at a time: it may have all modules. Never closed.
        let _places = self.connection.answers.acquire_many(ANSWERS_MAX).await;
        let version = self.header.api_version();
        let response = ObjectApiWatchResponse::try_encode_from(WatchResponse::new(update), version)
            .map_err(io::Error::other)?;
        self.connection.replies.send(&self.header, &response).await
    }
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
