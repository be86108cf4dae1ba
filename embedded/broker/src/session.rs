//! One connection: who answers which request, and the streams it has opened.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use fluvio_protocol::Encoder;
use fluvio_protocol::link::versions::ApiVersionsRequest;
use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::UpdateOffsetsRequest;
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{Api, supported_versions};
use crate::fetch::StreamHandle;
use crate::limits::{ANSWERS_MAX, STREAMS_MAX, WATCHES_MAX};
use crate::node::Node;
use crate::replies::Replies;
use crate::text::printable;
use crate::wire::{Request, Requests};
use crate::{admin, consumer, fetch, offset, produce, watch};

/// What the streams and watches of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) node: Arc<Node>,
    pub(crate) replies: Replies,
    /// The address the client has reached the broker at: where it finds the SPU, too.
    pub(crate) address: SocketAddr,
    /// Large answers that may still be under way; each is kept in memory.
    pub(crate) answers: Arc<Semaphore>,
    /// Watches that may still be started.
    pub(crate) watches: Arc<Semaphore>,
    /// Cancelled when the connection or the broker ends.
    pub(crate) closing: CancellationToken,
    /// Counts tasks, so that a shutdown waits for them.
    tasks: TaskTracker,
}

impl Connection {
    pub(crate) fn new(
        node: Arc<Node>,
        replies: Replies,
        address: SocketAddr,
        closing: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            node,
            replies,
            address,
            answers: Arc::new(Semaphore::new(ANSWERS_MAX as usize)),
            watches: Arc::new(Semaphore::new(WATCHES_MAX)),
            closing,
            tasks,
        }
    }

    /// Runs a stream or a watch as long as the connection. Its failure ends the connection, as
    /// there is nobody to tell.
    pub(crate) fn spawn(&self, running: impl Future<Output = io::Result<()>> + Send + 'static) {
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            let running = AssertUnwindSafe(closing.run_until_cancelled(running));
            match running.catch_unwind().await {
                Ok(None | Some(Ok(()))) => return,
                Ok(Some(Err(error))) => {
                    tracing::debug!(error = %printable(&error), "a stream could not send");
                }
                Err(_) => tracing::error!("closed the connection of a client: a stream's panic"),
            }
            closing.cancel();
        });
    }
}

/// Serves one client until it leaves or the broker stops.
pub(crate) async fn serve(connection: Connection, mut requests: Requests) -> io::Result<()> {
    // Streams and watches of this connection end with it.
    let _closed = connection.closing.clone().drop_guard();
    let mut session = Session {
        connection,
        streams: HashMap::new(),
        opened: 0,
        used: 0,
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
            Some(request) => session.answer(request).await?,
        }
    }
}

/// One client's connection and the streams it has opened.
#[derive(Debug)]
struct Session {
    connection: Connection,
    streams: HashMap<u32, Arc<StreamHandle>>,
    /// Number of the newest stream.
    opened: u32,
    /// Counts uses of streams, to know which was used longest ago.
    used: u64,
}

impl Session {
    async fn answer(&mut self, mut request: Request) -> io::Result<()> {
        match request.api {
            Api::Versions => self.answer_versions(request).await,
            Api::Watch => watch::start(&self.connection, request),
            Api::Create | Api::Delete | Api::List | Api::Update => {
                admin::answer(&self.connection, request).await
            }
            Api::Produce => produce::answer(&self.connection, request).await,
            Api::FetchOffsets => offset::answer(&self.connection, request).await,
            Api::StreamFetch => self.open_stream(request).await,
            Api::UpdateOffsets => self.acknowledge(request).await,
            Api::UpdateConsumerOffset => {
                let update: UpdateConsumerOffsetRequest = request.decode()?;
                let stream = self.streams.get(&update.session_id).cloned();
                self.answer_with(request, move |node| {
                    consumer::update(node, stream.as_deref(), &update)
                })
                .await
            }
            Api::DeleteConsumerOffset => {
                let delete = request.decode()?;
                self.answer_with(request, move |node| consumer::delete(node, delete))
                    .await
            }
            Api::FetchConsumerOffsets => {
                let fetch = request.decode()?;
                self.answer_with(request, move |node| consumer::list(node, &fetch))
                    .await
            }
        }
    }

    /// Answers with what is worked out, or written to a file, on a thread that may block.
    async fn answer_with<P: Encoder + Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&Node) -> P + Send + 'static,
    ) -> io::Result<()> {
        let node = Arc::clone(&self.connection.node);
        let worked = spawn_blocking(move || work(&node)).await;
        let response = worked.map_err(io::Error::other)?;
        let replies = &self.connection.replies;
        replies.send(&request.header, &response).await
    }

    async fn answer_versions(&self, mut request: Request) -> io::Result<()> {
        let versions: ApiVersionsRequest = request.decode()?;
        tracing::debug!(
            client.version = %printable(&versions.client_version),
            "a client has connected"
        );
        let replies = &self.connection.replies;
        replies.send(&request.header, &supported_versions()).await
    }

    async fn open_stream(&mut self, mut request: Request) -> io::Result<()> {
        let fetch: DefaultStreamFetchRequest = request.decode()?;
        self.make_room();
        let id = self.opened.checked_add(1);
        let id = id.ok_or_else(|| io::Error::other("a connection has opened all its streams"))?;
        self.opened = id;
        if let Some(stream) = fetch::start(&self.connection, request.header, fetch, id).await? {
            self.used += 1;
            stream.used_at(self.used);
            self.streams.insert(id, Arc::new(stream));
        }
        Ok(())
    }

    /// Forgets streams that have ended. Clients do not say when they leave one: of too many, the
    /// one that was acknowledged longest ago is ended, which its client is told.
    fn make_room(&mut self) {
        self.streams.retain(|_, stream| !stream.has_ended());
        if self.streams.len() >= STREAMS_MAX {
            let oldest = self.streams.iter().min_by_key(|(_, stream)| stream.used());
            let oldest = oldest.map(|(id, _)| *id);
            if let Some(stream) = oldest.and_then(|id| self.streams.remove(&id)) {
                stream.end();
            }
        }
    }

    async fn acknowledge(&mut self, mut request: Request) -> io::Result<()> {
        let update: UpdateOffsetsRequest = request.decode()?;
        self.used += 1;
        let response = fetch::acknowledge(&self.streams, update, self.used);
        let replies = &self.connection.replies;
        replies.send(&request.header, &response).await
    }
}
