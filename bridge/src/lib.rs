#![doc = include_str!("../README.md")]

mod batch;
mod config;
mod counts;
mod error;
mod groups;
mod headers;
mod kafka;
mod lag;
pub mod machines;
mod metrics;
mod module;
mod pipeline;
mod progress;
mod properties;
mod record;
mod report;
mod resume;
mod retry;
mod route;
mod stamp;
mod to_fluvio;
mod to_kafka;
mod topics;

pub use config::BridgeConfig;
pub use counts::Summary;
pub use error::BridgeError;
pub use pipeline::run;
pub use properties::{KafkaProperties, PropertyError};
pub use route::{Route, RouteError, Side, check_routes};
