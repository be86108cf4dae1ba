#![doc = include_str!("../README.md")]

mod accept;
mod admin;
mod api;
mod batch;
mod broker;
mod chain;
mod compression;
mod connection;
mod consumer;
mod consumer_offsets;
mod engine;
mod epoch;
mod epoch_file;
mod error;
mod fetch;
mod files;
mod folder;
#[cfg(test)]
mod fuzz;
mod limits;
mod log;
mod metadata;
mod node;
mod objects;
mod offset;
mod peer;
mod produce;
mod quarantine;
mod responses;
mod retention;
mod scrub;
mod sealed;
mod session;
pub mod smartmodule;
mod streams;
mod text;
mod topic_logs;
mod watch;
mod wire;

pub use broker::{Broker, BrokerConfig};
pub use error::BrokerError;
pub use limits::Limits;
pub use log::{Damage, Flaw, LogError};
pub use peer::Peers;
