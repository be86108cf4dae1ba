//! What can go wrong between us and a cluster.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::anyhow;
use fluvio_protocol::link::ErrorCode;
use futures_util::FutureExt;

/// A request to the cluster that had no good response.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}")]
pub struct ClientError {
    /// What was being done, with the topic and partition.
    pub doing: String,
    /// Why it failed.
    #[source]
    pub cause: Cause,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No response in time.
    #[error("no response for {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The broker's error code.
    #[error("{0}")]
    Refused(ErrorCode),
    /// The cluster has no such topic.
    #[error("no such topic")]
    NoTopic,
    /// Records are stored, but not yet on every replica.
    #[error("its last records are not yet on every replica")]
    NotReplicated,
    /// The connection, or what came over it.
    // Fluvio gives `anyhow` errors, which are no `std` errors: their causes are kept as text.
    #[error("{0}")]
    Connection(String),
}

impl From<anyhow::Error> for Cause {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(cause) => cause,
            Err(error) => Self::Connection(format!("{error:#}")),
        }
    }
}

impl ClientError {
    pub(crate) fn new(doing: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self {
            doing: doing.into(),
            cause: cause.into(),
        }
    }
}

/// Does what reads a broker's bytes: fluvio's decoders panic at lengths that cannot be. What was read
/// from must not be used again.
pub(crate) async fn guarded<T>(
    reading: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let read = AssertUnwindSafe(reading).catch_unwind().await;
    read.unwrap_or_else(|_| Err(anyhow!("what was sent is no response of Fluvio")))
}

/// Waits for a response, but not longer than `max`.
pub(crate) async fn within<T>(
    max: Duration,
    response: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::time::timeout(max, guarded(response))
        .await
        .unwrap_or_else(|_| Err(Cause::Timeout(max).into()))
}
