//! Where Fluvio and Postgres are: by flag, by environment, or as a running `up` says.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use fluvio::{FluvioAdmin, FluvioClusterConfig};
use partition_client::Cluster;
use sqlx::{Connection, PgConnection};

use crate::data_dir::{self, Running};
use crate::database_url::DatabaseUrl;

/// Longest wait for a connection: the client itself would wait a minute.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// `--data-dir`
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDirFlag {
    /// Folder of a `bikeshare up`: where it keeps everything and says where it listens.
    #[arg(
        long,
        value_name = "FOLDER",
        env = "BIKESHARE_DATA_DIR",
        default_value = "data"
    )]
    pub(crate) data_dir: PathBuf,
}

/// `--fluvio`
#[derive(Debug, Clone, Args)]
pub(crate) struct FluvioFlag {
    /// Fluvio's controller; without it, that of the `up` running on --data-dir.
    #[arg(long, value_name = "HOST:PORT", env = "BIKESHARE_FLUVIO")]
    pub(crate) fluvio: Option<String>,
}

/// `--database-url`
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseFlag {
    /// Postgres, or `file:PATH` of a file with its URL; without it, that of the `up` running on
    /// --data-dir. A password may stand in PGPASSWORD or PGPASSFILE too.
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        hide_default_value = true
    )]
    pub(crate) database_url: Option<DatabaseUrl>,
}

impl FluvioFlag {
    /// The address to use.
    ///
    /// # Errors
    /// If none was given and no `up` runs.
    pub(crate) fn resolve(&self, data_dir: &DataDirFlag) -> Result<String> {
        let running = || data_dir::running(&data_dir.data_dir).map(|running| running.fluvio);
        self.fluvio.clone().or_else(running).with_context(|| {
            format!(
                "no Fluvio address: no `bikeshare up` runs on {:?}; start one, name its folder \
                 with --data-dir, or give --fluvio HOST:PORT",
                data_dir.data_dir
            )
        })
    }
}

impl DatabaseFlag {
    /// The address to use for reading.
    ///
    /// # Errors
    /// If none was given and no `up` runs, or a file cannot be read.
    pub(crate) fn resolve(&self, data_dir: &DataDirFlag) -> Result<String> {
        self.resolve_as(data_dir, |running| running.database_url)
    }

    /// The address to use for what only the sink may do.
    ///
    /// # Errors
    /// As [`DatabaseFlag::resolve`].
    pub(crate) fn resolve_for_sink(&self, data_dir: &DataDirFlag) -> Result<String> {
        self.resolve_as(data_dir, |running| running.sink_database_url)
    }

    fn resolve_as(
        &self,
        data_dir: &DataDirFlag,
        which: impl FnOnce(Running) -> String,
    ) -> Result<String> {
        if let Some(url) = &self.database_url {
            return url.read();
        }
        let running = data_dir::running(&data_dir.data_dir).map(which);
        running.with_context(|| {
            format!(
                "no database address: no `bikeshare up` runs on {:?}; start one, name its folder \
                 with --data-dir, or give --database-url postgres://…",
                data_dir.data_dir
            )
        })
    }
}

/// The client's configuration for a controller at `address`.
pub(crate) fn cluster_config(address: &str) -> FluvioClusterConfig {
    FluvioClusterConfig::new(address)
}

/// The cluster at `address`; connected with the first request.
pub(crate) fn cluster(address: &str) -> Cluster {
    Cluster::new(cluster_config(address), CONNECT_MAX)
}

/// Connects for what `partition-client` does.
///
/// # Errors
/// If there is no Fluvio at `address`.
pub(crate) async fn connect_cluster(address: &str) -> Result<Cluster> {
    let cluster = cluster(address);
    let connecting = async { Ok(cluster.connect().await.map_err(|error| error.cause)?) };
    timely(address, connecting).await?;
    Ok(cluster)
}

/// Connects for topics and SmartModules.
///
/// # Errors
/// If there is no Fluvio at `address`.
pub(crate) async fn connect_admin(address: &str) -> Result<FluvioAdmin> {
    let config = cluster_config(address);
    timely(address, FluvioAdmin::connect_with_config(&config)).await
}

/// Connects to Postgres; the message never shows the address, which holds a password.
///
/// # Errors
/// If Postgres is down or refuses.
pub(crate) async fn connect_database(url: &str) -> Result<PgConnection> {
    let connected = tokio::time::timeout(CONNECT_MAX, PgConnection::connect(url)).await;
    connected
        .map_err(anyhow::Error::from)
        .and_then(|outcome| outcome.map_err(anyhow::Error::from))
        .context(
            "could not connect to postgres: check that it runs and that --database-url is right",
        )
}

async fn timely<T>(address: &str, connecting: impl Future<Output = Result<T>>) -> Result<T> {
    let failed = || {
        format!(
            "could not connect to Fluvio at {address}: check that it runs and that --fluvio is right"
        )
    };
    let connected = tokio::time::timeout(CONNECT_MAX, connecting).await;
    connected.with_context(failed)?.with_context(failed)
}
