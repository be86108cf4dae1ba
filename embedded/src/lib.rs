#![doc = include_str!("../README.md")]

pub mod broker;
pub mod postgres;

pub use broker::{Broker, BrokerConfig, BrokerError};
