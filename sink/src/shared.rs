//! What all tasks of a sink share.

use std::sync::Arc;
use std::time::Duration;

use partition_client::{Backoff, Cluster, Recovery, RecoveryConfig};
use sqlx::postgres::PgConnection;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::SinkConfig;
use crate::database;
use crate::error::SinkError;
use crate::membership::Assignment;
use crate::module::LoadedModules;
use crate::recent::Recent;
use crate::state::SinkState;

/// Largest response requested where a batch was skipped.
const FETCH_BYTES_LIMIT: i32 = 512 << 20;

/// What all tasks of a sink share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<SinkConfig>,
    pub(crate) cluster: Arc<Cluster>,
    /// Set by [`crate::module::follow`].
    pub(crate) modules: watch::Receiver<LoadedModules>,
    /// Each task writes its own entry; the owner of the sink reads.
    pub(crate) state: watch::Sender<SinkState>,
    /// Wakes the availability task after each commit.
    pub(crate) written: Arc<Notify>,
    /// What the stream tasks have committed, for the availability task.
    pub(crate) recent: Arc<Recent>,
    /// Set by [`crate::membership::run`]; each partition's task follows its own.
    pub(crate) assignment: watch::Receiver<Assignment>,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    /// Opens a connection that `pg_stat_activity` shows as this member's: by that name the other members
    /// end what a frozen process has left open.
    pub(crate) async fn connect(&self, role: &str) -> Result<PgConnection, SinkError> {
        let config = &self.config;
        let name = format!("{} {role}", config.member);
        database::connect(&config.database_url, &name, config.database_max).await
    }

    /// Waits before a retry, unless the sink is stopped.
    pub(crate) async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// The backoff between retries.
    pub(crate) fn backoff(&self) -> Backoff {
        let (first, longest) = self.config.retry;
        Backoff::new(first, longest)
    }

    /// When to retry, and with what limits.
    pub(crate) fn recovery(&self) -> Recovery {
        Recovery::new(RecoveryConfig {
            fetch_bytes: self.config.fetch_bytes_max,
            fetch_bytes_max: FETCH_BYTES_LIMIT,
            silence_max: self.config.silence_max,
            beyond_end_max: self.config.beyond_end_max,
        })
    }
}

/// Ends `limit` after the sink was stopped.
pub(crate) async fn stop_deadline(stop: CancellationToken, limit: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(limit).await;
}
