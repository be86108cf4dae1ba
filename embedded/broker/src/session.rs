//! One client from its first request to its last: who handles which.

use std::io;
use std::sync::Arc;

use fluvio_protocol::Encoder;
use fluvio_protocol::link::versions::ApiVersionsRequest;
use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::UpdateOffsetsRequest;
use tokio::task::spawn_blocking;

use crate::api::{Api, supported_versions};
use crate::connection::Connection;
use crate::node::Node;
use crate::streams::Streams;
use crate::text::printable;
use crate::wire::{Request, Requests};
use crate::{admin, consumer, fetch, offset, produce, watch};

/// Serves one client until it leaves or the broker stops.
pub(crate) async fn serve(connection: Connection, mut requests: Requests) -> io::Result<()> {
    // Streams and watches of this connection end with it.
    let _closed = connection.closing.clone().drop_guard();
    let mut session = Session {
        connection,
        streams: Streams::default(),
    };
    loop {
        let request = tokio::select! {
            biased;
            () = session.connection.closing.cancelled() => return Ok(()),
            request = requests.next() => request?,
        };
        match request {
            None => return Ok(()),
            // One after the other: a producer's batches must not overtake each other.
            Some(request) => session.handle(request).await?,
        }
    }
}

/// One client's connection and the streams it has opened.
#[derive(Debug)]
struct Session {
    connection: Connection,
    streams: Streams,
}

impl Session {
    async fn handle(&mut self, mut request: Request) -> io::Result<()> {
        match request.api {
            Api::Versions => self.send_versions(request).await,
            Api::Watch => watch::start(&self.connection, request),
            Api::Create | Api::Delete | Api::List | Api::Update => {
                admin::handle(&self.connection, request).await
            }
            Api::Produce => produce::handle(&self.connection, request).await,
            Api::FetchOffsets => offset::handle(&self.connection, request).await,
            Api::StreamFetch => self.open_stream(request).await,
            Api::UpdateOffsets => self.acknowledge(request).await,
            Api::UpdateConsumerOffset => {
                let update: UpdateConsumerOffsetRequest = request.decode()?;
                let stream = self.streams.get(update.session_id);
                self.respond_with(request, move |node| {
                    consumer::update(node, stream.as_deref(), &update)
                })
                .await
            }
            Api::DeleteConsumerOffset => {
                let delete = request.decode()?;
                self.respond_with(request, move |node| consumer::delete(node, delete))
                    .await
            }
            Api::FetchConsumerOffsets => {
                let fetch = request.decode()?;
                self.respond_with(request, move |node| consumer::list(node, &fetch))
                    .await
            }
        }
    }

    /// Sends the response that `work` gives on a thread that may block.
    async fn respond_with<P: Encoder + Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&Node) -> P + Send + 'static,
    ) -> io::Result<()> {
        let node = Arc::clone(&self.connection.node);
        let worked = spawn_blocking(move || work(&node)).await;
        let response = worked.map_err(io::Error::other)?;
        let responses = &self.connection.responses;
        responses.send(&request.header, &response).await
    }

    async fn send_versions(&self, mut request: Request) -> io::Result<()> {
        let versions: ApiVersionsRequest = request.decode()?;
        tracing::debug!(
            client.version = %printable(&versions.client_version),
            "a client has connected"
        );
        let responses = &self.connection.responses;
        responses.send(&request.header, &supported_versions()).await
    }

    async fn open_stream(&mut self, mut request: Request) -> io::Result<()> {
        let fetch: DefaultStreamFetchRequest = request.decode()?;
        let id = self.streams.next_id()?;
        if let Some(stream) = fetch::start(&self.connection, request.header, fetch, id).await? {
            self.streams.add(id, stream);
        }
        Ok(())
    }

    async fn acknowledge(&mut self, mut request: Request) -> io::Result<()> {
        let update: UpdateOffsetsRequest = request.decode()?;
        let response = self.streams.acknowledge(update);
        let responses = &self.connection.responses;
        responses.send(&request.header, &response).await
    }
}
