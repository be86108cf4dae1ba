//! Sends clients all objects of a kind, and then what changes.
//!
//! The first response is everything, since a client waits for it (an empty one it ignores: there
//! are always an SPU and the consumers' topic). Later ones are what differs from what was sent.

use std::io;
use std::sync::Arc;

use fluvio_controlplane_metadata::message::Message;
use fluvio_controlplane_metadata::partition::PartitionSpec;
use fluvio_controlplane_metadata::smartmodule::SmartModuleSpec;
use fluvio_controlplane_metadata::spg::SpuGroupSpec;
use fluvio_controlplane_metadata::spu::SpuSpec;
use fluvio_controlplane_metadata::tableformat::TableFormatSpec;
use fluvio_controlplane_metadata::topic::TopicSpec;
use fluvio_protocol::api::RequestHeader;
use fluvio_sc_schema::TryEncodableFrom;
use fluvio_sc_schema::objects::{
    Metadata, MetadataUpdate, ObjectApiWatchRequest, ObjectApiWatchResponse, WatchRequest,
    WatchResponse,
};

use crate::connection::Connection;
use crate::limits::{RESPONSES_MAX, WATCHES_MAX};
use crate::objects::{Kind, Snapshot};
use crate::wire::Request;

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
    let permits = Arc::clone(&connection.watch_permits);
    let permit = permits
        .try_acquire_owned()
        .map_err(|_| io::Error::other(format!("a connection has {WATCHES_MAX} watches at most")))?;
    connection.spawn(async move {
        let _permit = permit;
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
        // All permits: the response may hold all modules. The semaphore is never closed.
        let permits = &self.connection.response_permits;
        let _permits = permits.acquire_many(RESPONSES_MAX).await;
        let version = self.header.api_version();
        let response = ObjectApiWatchResponse::try_encode_from(WatchResponse::new(update), version)
            .map_err(io::Error::other)?;
        self.connection
            .responses
            .send(&self.header, &response)
            .await
    }
}
