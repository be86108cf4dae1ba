//! What one client's requests, streams and watches share.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::{ANSWERS_MAX, WATCHES_MAX};
use crate::node::Node;
use crate::replies::Replies;
use crate::text::printable;

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
