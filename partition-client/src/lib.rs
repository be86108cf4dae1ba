#![doc = include_str!("../README.md")]

mod backoff;
mod client;
mod cluster;
mod error;
mod fetch;
mod leader;
mod module;
mod partition;
mod records;
mod recovery;
mod stream;
mod tail;
mod tls;

pub use backoff::Backoff;
pub use client::PartitionClient;
pub use cluster::{Cluster, TopicRetention, TopicShape};
pub use error::{Cause, ClientError};
pub use module::{ModuleError, SmartModule, module_version, short_version};
pub use partition::{OffsetRange, TopicPartition};
pub use records::{BatchError, outputs, stored_records};
pub use recovery::{ModuleChoice, Next, Recovery, RecoveryConfig, SessionEnd};
pub use stream::{FetchResponse, PartitionStream, StreamEvent, StreamRequest};
pub use tail::{OnValue, TailReader, has_unreplicated};
pub use tls::{Tls, connect, connect_admin};
