//! The broker as its user sees it: started on a folder, reached by its address, shut down.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::accept::{self, Server};
use crate::error::BrokerError;
use crate::folder::{self, FolderLock};
use crate::limits::{Limits, Quotas};
use crate::node::Node;
use crate::peer::{Guard, Peers};
use crate::{retention, scrub};

/// The controller's port of a real cluster, so that clients' default profile fits.
const PORT: u16 = 9003;
/// Chosen: a few thousand segments hold what a small machine's disk does.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;

/// Where the broker listens and keeps its data.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Address for clients; port 0 lets the system choose. Default `127.0.0.1:9003`.
    pub listen: SocketAddr,
    /// Folder for everything that is kept; created if it is not there. Default `data/fluvio`.
    pub data_dir: PathBuf,
    /// Bytes after which a log goes on in a new file, and the largest batch. Default 256 MiB.
    pub segment_bytes_max: u64,
    /// Whether a batch is acknowledged only when the disk has it, so that a power cut loses none.
    /// Default: no; it survives the end of this process, as on a real SPU.
    pub sync: bool,
    /// Whether a request may bring a SmartModule that was not uploaded before, and so was not
    /// tried. Default: no.
    pub adhoc_modules: bool,
    /// Who may connect; an address that is not loopback must have [`Peers::Anyone`].
    pub peers: Peers,
    /// What clients may take of memory, connections and time.
    pub limits: Limits,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            data_dir: PathBuf::from("data/fluvio"),
            segment_bytes_max: SEGMENT_BYTES_MAX,
            sync: false,
            adhoc_modules: false,
            peers: Peers::default(),
            limits: Limits::default(),
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
    /// If the address or the folder is in use, the folder cannot be read, or other machines could
    /// connect without [`Peers::Anyone`].
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        let limits = config.limits.clone();
        let guard = Arc::new(Guard::new(config.peers));
        let (listener, address) = listen(&config).await?;
        let opening = tokio::task::spawn_blocking(move || open(&config));
        let (node, lock) = opening.await.map_err(BrokerError::Panic)??;
        let node = Arc::new(node);
        let tasks = TaskTracker::new();
        let closing = CancellationToken::new();
        let scrubbing = scrub::run(Arc::clone(&node));
        tasks.spawn(closing.clone().run_until_cancelled_owned(scrubbing));
        let deleting = retention::run(Arc::clone(&node));
        tasks.spawn(closing.clone().run_until_cancelled_owned(deleting));
        let server = Server {
            node,
            guard,
            quotas: Quotas::new(limits),
            closing: closing.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(accept::accept(listener, server));
        tracing::info!(%address, "the embedded broker listens");
        Ok(Self {
            address,
            tasks,
            closing: closing.drop_guard(),
            lock,
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

async fn listen(config: &BrokerConfig) -> Result<(TcpListener, SocketAddr), BrokerError> {
    let address = config.listen;
    if config.peers == Peers::SameUser && !address.ip().is_loopback() {
        return Err(BrokerError::Unprotected { address });
    }
    let failed = |source| BrokerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    // With the port that the system has chosen for port 0.
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn open(config: &BrokerConfig) -> Result<(Node, FolderLock), BrokerError> {
    let lock = folder::claim(&config.data_dir)?;
    let mut node = Node::open(&config.data_dir, config.segment_bytes_max, config.sync)?;
    node.adhoc_modules = config.adhoc_modules;
    Ok((node, lock))
}
