#![doc = include_str!("../README.md")]

mod clock;
mod compact;
mod config;
mod encode;
mod error;
mod gbfs;
mod order;
mod partition;
mod pipeline;
mod progress;
mod resume;
mod send;
pub mod simulate;
mod source;

pub use config::{ProducerConfig, Speed, SpeedError};
pub use error::{ClusterError, ProducerError, RefusedFile};
pub use gbfs::{FeedError, FeedUrl, FeedUrlError};
pub use pipeline::run;
pub use progress::{FeedSummary, Progress, Summary};
pub use simulate::{SimulateConfig, SimulateError};
pub use source::{Source, SourceError};
