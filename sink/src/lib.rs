#![doc = include_str!("../README.md")]

mod availability;
mod batch;
mod cluster;
mod config;
mod copy;
mod cursor;
mod database;
mod error;
mod last_record;
mod locations;
mod log_check;
mod migrations;
mod module;
mod pair;
mod pipeline;
mod roles;
mod session;
mod shared;
mod split;
mod state;
mod storable;
mod stream_key;
mod task;
mod window;
mod write;

pub use cluster::log_ends;
pub use config::{OtherLog, SinkConfig};
pub use database::migrate;
pub use error::SinkError;
pub use module::{Module, ModuleSource, ModuleSources};
pub use pipeline::run;
pub use roles::{READER, WRITER, make_roles};
pub use state::{AvailabilityState, SinkState, StreamState, StreamStatus};
