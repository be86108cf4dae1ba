#![doc = include_str!("../README.md")]

mod batch;
mod cluster;
mod config;
mod counts;
mod error;
mod groups;
mod headers;
mod kafka;
mod log;
mod module;
mod pipeline;
mod progress;
mod record;
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
pub use route::{Route, RouteError, Side, check_routes};
