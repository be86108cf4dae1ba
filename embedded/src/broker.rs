//! A single-node Fluvio that unmodified clients connect to.
//!
//! ```text
//! client ─TCP─▶ session ─┬─▶ admin, watch ──▶ node: catalog of topics and SmartModules
//!                        ├─▶ produce ──(chain)──▶ log of a partition
//!                        ├─▶ fetch   ◀──(chain)── log of a partition
//!                        └─▶ offset, consumer
//! ```
//! It is controller (SC) and processing unit (SPU) of a cluster in one process, on one port. Topics,
//! modules, records and consumers' offsets are on disk and survive `kill -9`.
//!
//! Not here: replication (a topic that asks for it gets a warning and one replica), retention
//! (logs grow until their topic is deleted), TLS and authorization (listen on loopback),
//! deduplication, mirroring, SPU groups.

mod admin;
mod batch;
mod chain;
mod consumer;
pub(crate) mod engine;
mod epoch;
mod error;
mod fetch;
mod folder;
mod log;
mod metadata;
mod node;
mod offset;
mod produce;
mod quarantine;
mod scrub;
mod sealed;
mod session;
mod topic_logs;
mod watch;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use error::BrokerError;
pub use log::{Damage, Flaw, LogError};

use folder::FolderLock;
use node::Node;

/// The controller's port of a real cluster, so that clients' default profile fits.
const PORT: u16 = 9003;
/// Chosen: a few thousand segments hold what a small machine's disk does.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// How long to wait after the system could not accept a connection, as when out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the broker listens and keeps its data.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Address for clients; port 0 lets the system choose. Default `127.0.0.1:9003`.
    pub listen: SocketAddr,
    /// Folder for everything that is kept; created if it is not there. Default `data/fluvio`.
    pub data_dir: PathBuf,
    /// Bytes after which a log goes on in a new file, and the largest batch. Default 256 MiB.
    pub segment_bytes_max: u64,
    /// Whether a request may bring a SmartModule that was not uploaded before, and so was not
    /// tried. Default: no.
    pub adhoc_modules: bool,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            data_dir: PathBuf::from("data/fluvio"),
            segment_bytes_max: SEGMENT_BYTES_MAX,
            adhoc_modules: false,
        }
    }
}

/// A running broker; it stops when this is dropped, and [`Broker::shutdown`] waits for that.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    tasks: TaskTracker,
    closing: DropGuard,
    /// Released last: no task writes to the folder any more.
    lock: FolderLock,
}

impl Broker {
    /// Opens the data folder and starts to listen.
    ///
    /// Runs on the caller's tokio runtime; long computations and file access go to its blocking
    /// threads.
    ///
    /// # Errors
    /// If the address or the folder is in use, or the folder cannot be read.
    // Boxed: a future's code is compiled where it is polled, and is to be optimized as this crate is.
    pub fn start(config: BrokerConfig) -> BoxFuture<'static, Result<Self, BrokerError>> {
        Box::pin(async move {
            let address = config.listen;
            let listening = |source| BrokerError::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(listening)?;
            let address = listener.local_addr().map_err(listening)?;
            let opening = tokio::task::spawn_blocking(move || open(&config));
            let (node, lock) = opening.await.map_err(BrokerError::Panic)??;
            let node = Arc::new(node);
            let tasks = TaskTracker::new();
            let closing = CancellationToken::new();
            let scrubbing = scrub::run(Arc::clone(&node));
            tasks.spawn(closing.clone().run_until_cancelled_owned(scrubbing));
            tasks.spawn(accept(listener, node, closing.clone(), tasks.clone()));
            tracing::info!(%address, "the embedded broker listens");
            Ok(Self {
                address,
                tasks,
                closing: closing.drop_guard(),
                lock,
            })
        })
    }

    /// The address clients connect to, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections, waits until nothing is written any more and frees the folder.
    ///
    /// # Errors
    /// None today; a flush on shutdown could fail.
    pub async fn shutdown(self) -> Result<(), BrokerError> {
        drop(self.closing);
        self.tasks.close();
        self.tasks.wait().await;
        drop(self.lock);
        Ok(())
    }
}

fn open(config: &BrokerConfig) -> Result<(Node, FolderLock), BrokerError> {
    let lock = folder::claim(&config.data_dir)?;
    let mut node = Node::open(&config.data_dir, config.segment_bytes_max)?;
    node.adhoc_modules = config.adhoc_modules;
    Ok((node, lock))
}

/// Serves each client in a task of its own.
async fn accept(
    listener: TcpListener,
    node: Arc<Node>,
    closing: CancellationToken,
    tasks: TaskTracker,
) {
    while let Some(accepted) = closing.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let session = session::serve(
            Arc::clone(&node),
            stream,
            closing.child_token(),
            tasks.clone(),
        );
        tasks.spawn(async move {
            if let Err(error) = session.await {
                report(&error);
            }
        });
    }
}

/// A client that is gone is no news; one that sent what is not understood is.
fn report(error: &io::Error) {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let gone = matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    );
    let error = error as &dyn std::error::Error;
    if gone {
        tracing::debug!(error, "a client is gone");
    } else {
        tracing::warn!(error, "closed the connection of a client");
    }
}
