//! `--metrics`: where a role, or all roles of `up`, are watched.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use telemetry::{Role, Serving};

/// Where metrics and health are served; the same for each role.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct MetricsFlag {
    /// Serve metrics for Prometheus at /metrics there, at /healthz whether anything has stopped, and
    /// at /readyz whether everything does its work; without it, nowhere.
    #[arg(long, value_name = "HOST:PORT", env = "BIKESHARE_METRICS")]
    metrics: Option<SocketAddr>,
}

impl MetricsFlag {
    /// Serves what the roles say for as long as what is returned lives.
    ///
    /// # Errors
    /// If the address is taken.
    pub(crate) async fn serve(self, roles: Vec<Arc<dyn Role>>) -> Result<Option<Serving>> {
        let Some(address) = self.metrics else {
            return Ok(None);
        };
        let serving = telemetry::serve(address, roles, env!("CARGO_PKG_VERSION")).await?;
        Ok(Some(serving))
    }
}
