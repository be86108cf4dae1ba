//! What can stop the server from starting or going on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The server could not start, or broke.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Another program listens there.
    #[error(
        "address {address} is already in use: stop the program that listens there, or choose \
         another address with --listen (port 0 takes any free one)"
    )]
    AddressTaken {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused the address.
    #[error("could not listen on {address}: choose another address with --listen")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The tile template cannot be used.
    #[error(
        "tile url \"{url}\" must start with http:// or https:// and hold {{z}}, {{x}} and {{y}}"
    )]
    TileUrl {
        /// What was given.
        url: String,
    },
    /// The public address cannot begin an address.
    #[error("public url \"{url}\" must start with http:// or https:// and a host, without ? and #")]
    PublicUrl {
        /// What was given.
        url: String,
    },
    /// The system's id cannot stand in a GBFS feed.
    #[error("system id \"{system_id}\" must be printable ASCII without blanks and %")]
    SystemId {
        /// What was given.
        system_id: String,
    },
    /// The contact of the GBFS feed is no e-mail address.
    #[error("contact \"{address}\" is not an e-mail address such as gbfs@bikes.example")]
    Contact {
        /// What was given.
        address: String,
    },
    /// The base map's file cannot be read.
    #[error("could not read the base map {path:?}")]
    BaseMapFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The base map's file is none.
    #[error("{path:?} is no base map: make one with `bikeshare basemap build`")]
    BaseMap {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: basemap::DecodeError,
    },
    /// The task that follows Postgres ended: the page would never change again.
    #[error("the task that follows postgres ended though it was not told to: see the log, restart")]
    Follow,
}

impl AppError {
    pub(crate) fn of_bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressTaken { address, source },
            _ => Self::Bind { address, source },
        }
    }
}
