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
mod prepare;
mod prepared;
mod progress;
mod resume;
mod row;
mod send;
pub mod simulate;
mod sort;
mod source;
mod spill;

pub use config::{ProducerConfig, S3Config, Speed, SpeedError};
pub use error::{ClusterError, ProducerError, RefusedFile};
pub use gbfs::{FeedError, FeedUrl, FeedUrlError};
pub use pipeline::run;
pub use prepare::{PrepareSummary, Target, prepare};
pub use progress::{FeedSummary, FileProgress, Progress, Summary};
pub use simulate::{SimulateConfig, SimulateError};
pub use source::{S3Error, S3Location, Source, SourceError};
