//! What stops the broker from starting or from serving a request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::log::LogError;

/// A failure of the embedded broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The port is taken, or the address does not belong to this machine.
    #[error(
        "could not listen on {address}: stop what listens there, \
         or choose another address with --fluvio HOST:PORT"
    )]
    Listen {
        /// The requested address.
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// Other machines could connect, and nobody has said that they may.
    #[error(
        "could not listen on {address}: whoever reaches it could read, write and run modules; \
         listen on 127.0.0.1, or allow it with Peers::Anyone"
    )]
    Unprotected {
        /// The requested address.
        address: SocketAddr,
    },
    /// Another broker runs on the same data folder.
    #[error(
        "data folder \"{}\" is in use by another broker: stop it, or choose another folder",
        folder.display()
    )]
    InUse {
        /// The folder of [`crate::BrokerConfig::data_dir`].
        folder: PathBuf,
    },
    /// The folder was written by a newer release, whose format is not known here.
    #[error(
        "data folder \"{}\" has version {found}, this release reads up to {supported}: \
         use a newer release, or choose another folder",
        folder.display()
    )]
    NewerFolder {
        /// The folder of [`crate::BrokerConfig::data_dir`].
        folder: PathBuf,
        /// What the folder's `VERSION` file says.
        found: u32,
        /// The newest version this release reads.
        supported: u32,
    },
    /// A file of the data folder could not be read or written.
    #[error("could not {action} \"{}\"", path.display())]
    File {
        /// "read", "write", "create", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file without which the folder would not be what it was.
    #[error("\"{}\" is not whole: restore it from a backup, or {remedy}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// How to go on without it.
        remedy: &'static str,
        #[source]
        source: io::Error,
    },
    /// A partition's log could not be opened.
    #[error("could not open the log of topic \"{topic}\" partition {partition}")]
    Log {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        #[source]
        source: LogError,
    },
    /// The engine of the SmartModules could not be started.
    #[error("could not start the engine of the smartmodules")]
    Engine(#[source] io::Error),
    /// A task of the broker panicked.
    #[error("a task of the broker panicked")]
    Panic(#[source] tokio::task::JoinError),
}

impl BrokerError {
    /// Wraps an I/O error with what was being done to which file.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
