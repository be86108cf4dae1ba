//! Private Postgres servers, with the machine's own programs.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use embedded_postgres::{Postgres, PostgresConfig, find_binaries};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::{BlackHole, skip};

/// Whether Postgres is installed; a [`skip`] if not.
pub fn is_installed() -> bool {
    find_binaries()
        .inspect_err(|error| skip(&error.to_string()))
        .is_ok()
}

/// A folder that the server's account may pass through: it is another one than root's.
pub fn folder() -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("bikeshare-")
        .tempdir()
        .unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    folder
}

/// A server on a data folder, which may hold what an earlier one has left, and on a free port.
pub async fn start(data_dir: impl Into<PathBuf>) -> Postgres {
    let config = PostgresConfig {
        data_dir: data_dir.into(),
        listen: None,
    };
    Postgres::start(config).await.unwrap()
}

/// A connection.
pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// The code of the error that a statement gives; none if it succeeds.
pub async fn refusal_of(url: &str, statement: &'static str) -> Option<String> {
    let mut connection = connect(url).await;
    let outcome = sqlx::query(statement).execute(&mut connection).await;
    connection.close().await.unwrap();
    let error = outcome.err()?;
    Some(error.as_database_error()?.code()?.into_owned())
}

/// One server for all tests that run at the same time; the last one stops it.
#[derive(Debug)]
struct Server {
    postgres: Postgres,
    _folder: TempDir,
}

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

async fn server() -> Arc<Server> {
    let mut slot = SERVER.lock().await;
    if let Some(server) = slot.upgrade() {
        return server;
    }
    let folder = folder();
    let server = Arc::new(Server {
        postgres: start(folder.path().join("postgres")).await,
        _folder: folder,
    });
    *slot = Arc::downgrade(&server);
    server
}

/// An empty database of its own.
#[derive(Debug)]
pub struct Database {
    server: Arc<Server>,
    pub name: String,
}

impl Database {
    /// A database without tables.
    pub async fn empty() -> Self {
        Self::empty_with("").await
    }

    /// The same, made with these words of `create database`.
    pub async fn empty_with(words: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server().await;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = connect(server.postgres.url()).await;
        let create = AssertSqlSafe(format!("create database {name} {words}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        Self { server, name }
    }

    /// Where it is found, with its password.
    pub fn url(&self) -> String {
        of_database(self.server.postgres.url(), &self.name)
    }

    /// Where Postgres listens.
    pub fn address(&self) -> SocketAddr {
        let url = self.url();
        let (_, rest) = url.split_once('@').unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    /// [`Database::url`] through a black hole.
    pub fn url_through(&self, hole: &BlackHole) -> String {
        let address = self.address().to_string();
        self.url().replace(&address, &hole.address().to_string())
    }

    /// A connection.
    pub async fn connect(&self) -> PgConnection {
        connect(&self.url()).await
    }

    /// The only value of a query, as text.
    pub async fn value(&self, query: &str) -> String {
        self.lines(query).await.join("\n")
    }

    /// A line for each row, its columns joined by blanks.
    pub async fn lines(&self, query: &str) -> Vec<String> {
        let query = format!(
            "select concat_ws(' ', variadic q.columns) from (
            select array(select value from jsonb_each_text(to_jsonb(r))) as columns
            from ({query}) r) q"
        );
        let mut connection = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .unwrap()
    }

    /// Runs statements.
    pub async fn execute(&self, statements: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

/// The URL of another database of the same server.
fn of_database(url: &str, name: &str) -> String {
    let (start, rest) = url.rsplit_once('/').unwrap();
    let query = rest
        .split_once('?')
        .map_or(String::new(), |(_, query)| format!("?{query}"));
    format!("{start}/{name}{query}")
}
