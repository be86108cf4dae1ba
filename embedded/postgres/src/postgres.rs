//! The server as its user sees it: started on a folder, reached by its address, shut down.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use crate::cluster::{self, ROLE};
use crate::error::PostgresError;
use crate::folder::Folder;
use crate::supervisor::Supervisor;
use crate::{binaries, login, process, server};

/// The database every other part connects to.
const DATABASE: &str = "bikeshare";
/// How long [`Postgres::shutdown`] waits for the checkpoint, which can be large.
const CHECKPOINT_MAX: Duration = Duration::from_secs(60);

/// Where a private Postgres lives and listens.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The folder it owns, for example `<data>/postgres`; made if missing. Nothing else may
    /// be kept in it.
    pub data_dir: PathBuf,
    /// The loopback port to listen on; `None` takes a free one, a new one at each start.
    pub listen: Option<u16>,
}

/// A running private Postgres; dropping it without [`Postgres::shutdown`] stops the server
/// at once, which the next start repairs from the write-ahead log.
pub struct Postgres {
    // Before `folder`: the server must be gone when the folder's lock is released.
    supervisor: Supervisor,
    port: u16,
    url: String,
    folder: Arc<Folder>,
}

impl Postgres {
    /// Starts the server on `config.data_dir`, making the folder and the database if they
    /// are new, and returns once it accepts connections.
    ///
    /// # Errors
    /// See [`PostgresError`]; each text says what to do about it.
    pub async fn start(config: PostgresConfig) -> Result<Postgres, PostgresError> {
        let folder = Folder::open(&config.data_dir)?;
        process::stop_leftovers(&folder.cluster()).await?;
        let major = cluster::major(&folder)?;
        let bin = binaries::find_for(major)?;
        folder.account().check_reach(&bin)?;
        let password = folder.password(major.is_some())?;
        match major {
            Some(major) => cluster::check_version(&folder, major, &bin)?,
            None => cluster::create(&folder, &bin).await?,
        }
        let server = server::start(&folder, &bin, config.listen).await?;
        let port = server.port();
        create_database(&url(ROLE, &password, port, "postgres")).await?;
        tracing::info!(port, "postgres accepts connections on 127.0.0.1:{port}");
        let folder = Arc::new(folder);
        Ok(Postgres {
            supervisor: Supervisor::start(server, &folder, bin),
            port,
            url: url(ROLE, &password, port, DATABASE),
            folder,
        })
    }

    /// The owner's `postgres://…` for sqlx, **with the password**: not for logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The `postgres://…` of a login that has the rights of the role `group` and no more; it has
    /// a new password after each call.
    ///
    /// # Errors
    /// [`PostgresError::Login`] if there is no such group or the server does not answer.
    pub async fn login(
        &self,
        name: &'static str,
        group: &'static str,
    ) -> Result<String, PostgresError> {
        let password = login::renew(&self.url, name, group).await?;
        Ok(url(name, &password, self.port, DATABASE))
    }

    /// Waits until the server has ended so often that it is not started again, if ever: a
    /// [`PostgresError::GaveUp`].
    pub async fn failure(&self) -> Arc<PostgresError> {
        self.supervisor.failure().await
    }

    /// The server's own log file.
    pub fn log_path(&self) -> PathBuf {
        self.folder.log()
    }

    /// Stops the server in its fast mode (open transactions roll back, a checkpoint is
    /// written) and returns once its process is gone.
    ///
    /// # Errors
    /// As [`Postgres::shutdown_within`], after a minute.
    pub async fn shutdown(self) -> Result<(), PostgresError> {
        self.shutdown_within(CHECKPOINT_MAX).await
    }

    /// As [`Postgres::shutdown`], but after `patience` without the checkpoint, and two seconds
    /// later by force; the next start repairs either from the write-ahead log.
    ///
    /// # Errors
    /// [`PostgresError::Killed`] if it took force, [`PostgresError::Io`] if the process cannot be
    /// signalled or waited for.
    pub async fn shutdown_within(self, patience: Duration) -> Result<(), PostgresError> {
        self.supervisor.stop(&self.folder, patience).await
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("folder", &self.folder.root())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn url(role: &str, password: &str, port: u16, database: &str) -> String {
    // No TLS on loopback: the server has no certificate, asking costs a round trip.
    format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// Makes [`DATABASE`] unless it exists; also proves that the stored password is right.
async fn create_database(url: &str) -> Result<(), PostgresError> {
    let failed = |source| PostgresError::Database {
        name: DATABASE,
        source,
    };
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    let known: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
    if !known {
        sqlx::query("create database bikeshare")
            .execute(&mut connection)
            .await
            .map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}
