#![doc = include_str!("../README.md")]

mod account;
mod binaries;
mod cluster;
mod elsewhere;
mod error;
mod files;
mod folder;
mod login;
mod postgres;
mod process;
mod random;
mod server;
mod supervisor;

pub use account::let_server_through;
pub use binaries::{find_binaries, version};
pub use elsewhere::{LeftOver, left_over};
pub use error::PostgresError;
pub use postgres::{Postgres, PostgresConfig};
