//! Postgres and Fluvio: the given ones, or private ones that start and stop with us.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use embedded::broker::{Broker, BrokerConfig, BrokerError};
use embedded::postgres::{Postgres, PostgresConfig};

use crate::data_dir::DataDir;

/// A database with our tables in it.
pub(super) struct Database {
    url: String,
    private: Option<Postgres>,
}

impl Database {
    /// Uses `given`, or starts a private Postgres; then makes or updates the tables.
    pub(super) async fn start(given: Option<&str>, data_dir: &DataDir) -> Result<Self> {
        let database = match given {
            Some(url) => Self {
                url: url.to_owned(),
                private: None,
            },
            None => {
                let config = PostgresConfig {
                    data_dir: data_dir.postgres(),
                    listen: None,
                };
                let private = Postgres::start(config)
                    .await
                    .context("could not start postgres")?;
                Self {
                    url: private.url().to_owned(),
                    private: Some(private),
                }
            }
        };
        match sink::migrate(&database.url).await {
            Ok(()) => Ok(database),
            Err(error) => {
                let to_do = match database.private {
                    Some(_) => "could not make the tables",
                    None => "could not use the database: check that --database-url is right",
                };
                database.stop().await?;
                Err(error).context(to_do)
            }
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn stop(self) -> Result<()> {
        match self.private {
            Some(private) => private.shutdown().await.context("could not stop postgres"),
            None => Ok(()),
        }
    }
}

/// A Fluvio cluster, or the embedded broker in its place.
pub(super) struct Fluvio {
    address: String,
    private: Option<Broker>,
}

impl Fluvio {
    /// Uses `given`, or starts the embedded broker.
    pub(super) async fn start(given: Option<&str>, data_dir: &DataDir) -> Result<Self> {
        if let Some(address) = given {
            return Ok(Self {
                address: address.to_owned(),
                private: None,
            });
        }
        let private = start_broker(data_dir)
            .await
            .context("could not start the embedded broker")?;
        Ok(Self {
            address: private.address().to_string(),
            private: Some(private),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn stop(self) -> Result<()> {
        match self.private {
            Some(private) => private
                .shutdown()
                .await
                .context("could not stop the embedded broker"),
            None => Ok(()),
        }
    }
}

/// Takes Fluvio's usual port, or any free one if another Fluvio runs here.
async fn start_broker(data_dir: &DataDir) -> Result<Broker, BrokerError> {
    let config = BrokerConfig {
        data_dir: data_dir.fluvio(),
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
