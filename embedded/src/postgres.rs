//! A private Postgres for one machine, run from the server binaries found on it.
//!
//! ```text
//! <data_dir>/               owned by the account that runs the server, mode 0700
//!   cluster/                what initdb made (PGDATA)
//!   password                of user "bikeshare", made once, mode 0600
//!   socket/                 unix socket, where the path is short enough for one
//!   server.log              what the server says
//!   bikeshare.lock          held while a bikeshare process uses the folder
//! ```
//! Where that account may not reach it, the folder is a link to one that it may ([`left_over`]).
//!
//! The server dies with us: on [`Postgres::shutdown`] and on drop we stop it, and after a
//! `kill -9` of our process a small guard does (see [`server`]). If even the guard was
//! killed, the next start on the same folder finds the server and stops it first.
//!
//! Not here: the tables (see `migrations/`) and the choice between `DATABASE_URL` and this.

mod account;
mod binaries;
mod cluster;
mod elsewhere;
mod error;
mod folder;
mod process;
mod server;

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::{Connection, PgConnection};

pub use self::binaries::{find_binaries, version};
pub use self::elsewhere::{LeftOver, left_over};
pub use self::error::PostgresError;

use self::folder::Folder;
use self::server::Server;

/// The database every other part connects to.
const DATABASE: &str = "bikeshare";
/// The one role, a superuser of this private server.
const ROLE: &str = "bikeshare";

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
    server: Server,
    url: String,
    folder: Folder,
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
        create_database(&url(&password, port, "postgres")).await?;
        tracing::info!(port, "postgres accepts connections on 127.0.0.1:{port}");
        Ok(Postgres {
            server,
            url: url(&password, port, DATABASE),
            folder,
        })
    }

    /// `postgres://…` for sqlx, **with the password**: not for logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's own log file.
    pub fn log_path(&self) -> PathBuf {
        self.folder.log()
    }

    /// Stops the server in its fast mode (open transactions roll back, a checkpoint is
    /// written) and returns once its process is gone.
    ///
    /// # Errors
    /// [`PostgresError::Io`] if the process cannot be signalled or waited for.
    pub async fn shutdown(mut self) -> Result<(), PostgresError> {
        self.server.stop().await
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("folder", &self.folder.root())
            .field("port", &self.server.port())
            .finish_non_exhaustive()
    }
}

fn url(password: &str, port: u16, database: &str) -> String {
    // No TLS on loopback: the server has no certificate, asking costs a round trip.
    format!("postgres://{ROLE}:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
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

/// Turns an I/O error into one that says what was being done to which path.
fn io_at(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> PostgresError {
    let path = path.to_owned();
    move |source| PostgresError::Io {
        action,
        path,
        source,
    }
}
