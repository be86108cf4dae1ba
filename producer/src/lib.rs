#![doc = include_str!("../README.md")]

mod clock;
mod config;
mod error;
mod gbfs;
pub mod machines;
mod metrics;
mod partition;
mod pipeline;
mod resume;
mod send;
mod source;
mod summary;

pub use config::{ProducerConfig, Speed, SpeedError};
pub use error::ProducerError;
pub use gbfs::{FeedError, FeedUrl, FeedUrlError};
pub use metrics::ProducerRole;
pub use pipeline::run;
pub use source::{Source, SourceError};
pub use summary::{FeedSummary, Summary};
pub use trip_files::{FileProgress, FilesConfig, Progress, S3Config};
