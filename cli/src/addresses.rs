//! Where Fluvio and Postgres are: by flag, by environment, or as a running `up` says.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use fluvio::{FluvioAdmin, FluvioClusterConfig};
use partition_client::{Cluster, Tls};
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
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
}

/// How Fluvio is spoken to, where it speaks TLS. Files are read anew for each connection.
#[derive(Debug, Clone, Args)]
pub(crate) struct TlsFlags {
    /// Speak TLS with Fluvio; its certificates are signed by those in this file (PEM).
    #[arg(long, value_name = "FILE", env = "BIKESHARE_FLUVIO_CA")]
    fluvio_ca: Option<PathBuf>,
    /// Certificate of this program, for a Fluvio that asks for one (PEM).
    #[arg(long, value_name = "FILE", env = "BIKESHARE_FLUVIO_CERT", requires_all = ["fluvio_ca", "fluvio_key"])]
    fluvio_cert: Option<PathBuf>,
    /// Key of --fluvio-cert (PEM).
    #[arg(
        long,
        value_name = "FILE",
        env = "BIKESHARE_FLUVIO_KEY",
        requires = "fluvio_cert"
    )]
    fluvio_key: Option<PathBuf>,
    /// Name in the certificate of Fluvio's controller, if it is not the host of --fluvio. Those of SPUs have
    /// their own names before it: `*.NAME`.
    #[arg(
        long,
        value_name = "NAME",
        env = "BIKESHARE_FLUVIO_DOMAIN",
        requires = "fluvio_ca"
    )]
    fluvio_domain: Option<String>,
}

impl TlsFlags {
    /// Whether Fluvio is to be spoken to by TLS.
    pub(crate) fn is_given(&self) -> bool {
        self.fluvio_ca.is_some()
    }

    /// The client's configuration for a controller at `address`.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub(crate) fn config(&self, address: &str) -> Result<FluvioClusterConfig> {
        let config = FluvioClusterConfig::new(address);
        let Some(ca) = self.fluvio_ca.clone() else {
            return Ok(config);
        };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let tls = Tls {
            ca,
            client: self.fluvio_cert.clone().zip(self.fluvio_key.clone()),
            domain: self
                .fluvio_domain
                .clone()
                .unwrap_or_else(|| host.to_owned()),
        };
        let policy = tls.policy().context("could not speak TLS with Fluvio")?;
        Ok(config.with_tls(policy))
    }

    /// The flags as they are given to another call of this program.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let domain = self.fluvio_domain.clone().map(PathBuf::from);
        let all = [
            ("--fluvio-ca", &self.fluvio_ca),
            ("--fluvio-cert", &self.fluvio_cert),
            ("--fluvio-key", &self.fluvio_key),
            ("--fluvio-domain", &domain),
        ];
        let given = all
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value.clone()?)));
        given
            .flat_map(|(flag, value)| [flag.into(), value.into_os_string()])
            .collect()
    }
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
    /// The cluster to use.
    ///
    /// # Errors
    /// If none was given and no `up` runs, or a file for TLS cannot be used.
    pub(crate) fn resolve(&self, data_dir: &DataDirFlag) -> Result<FluvioClusterConfig> {
        self.tls.config(&self.address(data_dir)?)
    }

    fn address(&self, data_dir: &DataDirFlag) -> Result<String> {
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

/// The cluster; connected with the first request.
pub(crate) fn cluster(config: &FluvioClusterConfig) -> Cluster {
    Cluster::new(config.clone(), CONNECT_MAX)
}

/// Connects for what `partition-client` does.
///
/// # Errors
/// If there is no Fluvio at its address.
pub(crate) async fn connect_cluster(config: &FluvioClusterConfig) -> Result<Cluster> {
    let cluster = cluster(config);
    let connecting = async { Ok(cluster.connect().await.map_err(|error| error.cause)?) };
    timely(&config.endpoint, connecting).await?;
    Ok(cluster)
}

/// Connects for topics and SmartModules.
///
/// # Errors
/// If there is no Fluvio at its address.
pub(crate) async fn connect_admin(config: &FluvioClusterConfig) -> Result<FluvioAdmin> {
    timely(&config.endpoint, partition_client::connect_admin(config)).await
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
