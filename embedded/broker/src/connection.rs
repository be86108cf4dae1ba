//! What one client's requests, streams and watches share.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::{RESPONSES_MAX, WATCHES_MAX};
use crate::node::Node;
use crate::responses::Responses;
use crate::text::printable;

/// What the streams and watches of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) node: Arc<Node>,
    pub(crate) responses: Responses,
    /// The address the client has reached the broker at: where it finds the SPU, too.
    pub(crate) address: SocketAddr,
    /// Permits for responses of streams and watches that are in memory at once.
    pub(crate) response_permits: Arc<Semaphore>,
    /// Permits for watches that run.
    pub(crate) watch_permits: Arc<Semaphore>,
    /// Cancelled when the connection or the broker ends.
    pub(crate) closing: CancellationToken,
    /// Counts tasks, so that a shutdown waits for them.
    tasks: TaskTracker,
}

impl Connection {
    pub(crate) fn new(
        node: Arc<Node>,
        responses: Responses,
        address: SocketAddr,
        closing: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            node,
            responses,
            address,
            response_permits: Arc::new(Semaphore::new(RESPONSES_MAX as usize)),
            watch_permits: Arc::new(Semaphore::new(WATCHES_MAX)),
            closing,
            tasks,
        }
    }

    /// Runs a stream or a watch as long as the connection.
    ///
    /// Its failure ends the connection: the protocol has no other way to report it.
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
