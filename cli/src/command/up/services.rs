//! Postgres and Fluvio: the given ones, or private ones that start and stop with us.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use embedded_broker::{Broker, BrokerConfig, BrokerError};
use embedded_postgres::{Postgres, PostgresConfig};
use fluvio::FluvioClusterConfig;

use super::DatabaseFlags;
use crate::data_dir::DataDir;
use crate::shutdown;

/// The page's login in a private Postgres.
const PAGE: &str = "bikeshare_page";
/// The sink's login in a private Postgres.
const SINK: &str = "bikeshare_sink";
/// How long a private Postgres may take for its last checkpoint if nobody waits for us.
const CHECKPOINT_MAX: Duration = Duration::from_secs(60);
/// Of what is left after a signal: for the ends of Postgres that are not polite.
const FORCE_MAX: Duration = Duration::from_secs(2);
/// How long the broker may take to write down what it holds.
const BROKER_MAX: Duration = Duration::from_secs(5);

/// A database with our tables in it.
pub(super) struct Database {
    reader_url: String,
    writer_url: String,
    private: Option<Postgres>,
}

impl Database {
    /// Uses `given`, or starts a private Postgres; then makes or updates the tables.
    pub(super) async fn start(given: &DatabaseFlags, data_dir: &DataDir) -> Result<Self> {
        match &given.database_url {
            Some(url) => Self::given(url.read()?, given).await,
            None => Self::private(data_dir).await,
        }
    }

    async fn given(writer_url: String, flags: &DatabaseFlags) -> Result<Self> {
        let reader_url = match &flags.page_database_url {
            Some(url) => url.read()?,
            None => writer_url.clone(),
        };
        sink::migrate(&writer_url)
            .await
            .context("could not use the database: check that --database-url is right")?;
        Ok(Self {
            reader_url,
            writer_url,
            private: None,
        })
    }

    async fn private(data_dir: &DataDir) -> Result<Self> {
        data_dir.let_postgres_through()?;
        let config = PostgresConfig {
            data_dir: data_dir.postgres(),
            listen: None,
        };
        let postgres = Postgres::start(config)
            .await
            .context("could not start postgres")?;
        match logins(&postgres).await {
            Ok((reader_url, writer_url)) => Ok(Self {
                reader_url,
                writer_url,
                private: Some(postgres),
            }),
            Err(error) => {
                postgres
                    .shutdown()
                    .await
                    .context("could not stop postgres")?;
                Err(error)
            }
        }
    }

    /// Where the tables can be read.
    pub(super) fn reader_url(&self) -> &str {
        &self.reader_url
    }

    /// Where the tables can be written.
    pub(super) fn writer_url(&self) -> &str {
        &self.writer_url
    }

    /// Waits for a private Postgres to end for good, and says why it did.
    pub(super) async fn failure(&self) -> anyhow::Error {
        match &self.private {
            Some(postgres) => {
                anyhow::Error::from(postgres.failure().await).context("postgres has failed")
            }
            None => std::future::pending().await,
        }
    }

    pub(super) async fn stop(self) -> Result<()> {
        let Some(postgres) = self.private else {
            return Ok(());
        };
        let patience = shutdown::left().map_or(CHECKPOINT_MAX, |left| {
            left.saturating_sub(FORCE_MAX).max(FORCE_MAX / 2)
        });
        let stopped = postgres.shutdown_within(patience).await;
        stopped.context("could not stop postgres")
    }
}

/// Makes the tables as their owner, and the logins of page and sink, which may read and write.
async fn logins(postgres: &Postgres) -> Result<(String, String)> {
    sink::migrate(postgres.url())
        .await
        .context("could not make the tables")?;
    sink::make_roles(postgres.url()).await?;
    let reader_url = postgres.login(PAGE, sink::READER).await?;
    let writer_url = postgres.login(SINK, sink::WRITER).await?;
    Ok((reader_url, writer_url))
}

/// A Fluvio cluster, or the embedded broker in its place.
pub(super) struct Fluvio {
    cluster: FluvioClusterConfig,
    private: Option<Broker>,
}

impl Fluvio {
    /// Uses `given`, or starts the embedded broker.
    pub(super) async fn start(
        given: Option<FluvioClusterConfig>,
        data_dir: &DataDir,
        sync: bool,
    ) -> Result<Self> {
        if let Some(cluster) = given {
            return Ok(Self {
                cluster,
                private: None,
            });
        }
        let private = start_broker(data_dir, sync)
            .await
            .context("could not start the embedded broker")?;
        Ok(Self {
            cluster: FluvioClusterConfig::new(private.address().to_string()),
            private: Some(private),
        })
    }

    pub(super) fn cluster(&self) -> &FluvioClusterConfig {
        &self.cluster
    }

    pub(super) async fn stop(self) -> Result<()> {
        match self.private {
            Some(private) => {
                shutdown::within("the embedded broker", BROKER_MAX, private.shutdown())
                    .await?
                    .context("could not stop the embedded broker")
            }
            None => Ok(()),
        }
    }
}

/// Takes Fluvio's usual port, or any free one if another Fluvio runs here.
async fn start_broker(data_dir: &DataDir, sync: bool) -> Result<Broker, BrokerError> {
    let config = BrokerConfig {
        data_dir: data_dir.fluvio(),
        sync,
        ..BrokerConfig::default()
    };
    match Broker::start(config.clone()).await {
        Err(BrokerError::Listen { address, .. }) => {
            tracing::info!("{address} is in use: the embedded broker takes another port");
            let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            Broker::start(BrokerConfig { listen, ..config }).await
        }
        started => started,
    }
}
