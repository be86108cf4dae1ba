//! A single-node Fluvio and a private Postgres, so that one machine needs nothing installed.
//!
//! Both are the real thing to who connects: producer, sink, app and tools use them through the
//! plain clients and tell them from a cluster by address only.

pub mod broker;
pub mod postgres;

pub use broker::{Broker, BrokerConfig, BrokerError};
