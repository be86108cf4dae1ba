#![doc = include_str!("../README.md")]

pub mod broker;
pub mod postgres;
pub mod smartmodule;

pub use broker::{Broker, BrokerConfig, BrokerError, Limits, Peers};
