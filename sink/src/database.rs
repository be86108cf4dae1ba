//! Connections to Postgres, and the migrations.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, raw_sql};

use crate::error::SinkError;
use crate::migrations::migrator;

/// What makes Postgres notice within half a minute that a client is gone without closing its connection, so that
/// another one gets its locks. It means nothing on a Unix socket.
///
/// Statements rather than options of the connection, which poolers refuse.
const KEEPALIVE: &str = "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; \
                         set tcp_keepalives_count = 3; set tcp_user_timeout = 25000";
/// Longest wait for Postgres to close a connection.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// Longest wait for a connection to migrate with.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(30);

/// The SQLSTATE of a right that is missing.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// Of a database that can hold every text.
const ENCODING: &str = "UTF8";
/// Where sqlx writes down what it has done.
const APPLIED: &str = "_sqlx_migrations";

/// Brings the database to this program's tables; a database that is there already is left alone,
/// which takes no right to make tables.
///
/// # Errors
/// [`SinkError::Connect`] if Postgres is away or refuses the login, [`SinkError::NewerDatabase`]
/// if a newer program migrated it, [`SinkError::Encoding`] if it is not for UTF-8, [`SinkError::NotMigrated`] if there is something to do that this
/// login may not, [`SinkError::Migrate`] if a migration fails.
pub async fn migrate(url: &str) -> Result<(), SinkError> {
    let address = address_of(&parse(url)?);
    let mut connection = connect(url, "migrate", CONNECT_MAX).await?;
    let encoding = encoding(&mut connection).await?;
    if encoding != ENCODING {
        return Err(SinkError::Encoding { address, encoding });
    }
    let migrator = migrator();
    let applied = applied(&mut connection).await;
    let outcome = match newest(&applied).filter(|version| !migrator.version_exists(*version)) {
        Some(version) => Err(MigrateError::VersionMissing(version)),
        None if is_current(&applied, &migrator) => Ok(()),
        None => migrator.run(&mut connection).await,
    };
    outcome.map_err(|source| migration_error(&migrator, address, source))?;
    close(connection).await;
    Ok(())
}

async fn encoding(connection: &mut PgConnection) -> Result<String, SinkError> {
    let request = sqlx::query_as("show server_encoding");
    let (encoding,): (String,) = request
        .fetch_one(connection)
        .await
        .map_err(SinkError::database("read the database's encoding"))?;
    Ok(encoding)
}

/// What was applied, in order; nothing where that cannot be read, or where a migration broke off.
async fn applied(connection: &mut PgConnection) -> Vec<AppliedMigration> {
    let broken = connection.dirty_version(APPLIED).await;
    match broken {
        Ok(None) => connection
            .list_applied_migrations(APPLIED)
            .await
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn newest(applied: &[AppliedMigration]) -> Option<i64> {
    applied.last().map(|migration| migration.version)
}

/// Whether all migrations were applied as they are now, and no other.
fn is_current(applied: &[AppliedMigration], migrator: &Migrator) -> bool {
    let known = migrator.iter().map(|it| (it.version, &it.checksum));
    known.eq(applied.iter().map(|it| (it.version, &it.checksum)))
}

fn is_missing_right(source: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = source else {
        return false;
    };
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}

fn migration_error(migrator: &Migrator, address: String, source: MigrateError) -> SinkError {
    match source {
        MigrateError::VersionMissing(version) => {
            let known = migrator
                .iter()
                .map(|migration| migration.version)
                .max()
                .unwrap_or(0);
            SinkError::NewerDatabase {
                address,
                version,
                known,
            }
        }
        source if is_missing_right(&source) => SinkError::NotMigrated { address, source },
        source => SinkError::Migrate { address, source },
    }
}

/// Opens a connection; `role` is what `pg_stat_activity` shows after `bikeshare `.
pub(crate) async fn connect(
    url: &str,
    role: &str,
    limit: Duration,
) -> Result<PgConnection, SinkError> {
    let options = parse(url)?;
    let address = address_of(&options);
    let options = options
        .application_name(&format!("bikeshare {role}"))
        .disable_statement_logging();
    let connecting = async {
        let mut connection = options.connect().await?;
        raw_sql(KEEPALIVE).execute(&mut connection).await?;
        Ok(connection)
    };
    let connected = tokio::time::timeout(limit, connecting).await;
    connected
        .unwrap_or_else(|_| Err(timed_out(limit)))
        .map_err(|source| SinkError::Connect { address, source })
}

/// Closes a connection; one that is gone already is as good.
pub(crate) async fn close(connection: PgConnection) {
    match tokio::time::timeout(CLOSE_MAX, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "postgres had closed the connection before"),
        Err(_) => tracing::debug!("postgres did not close the connection in time"),
    }
}

/// Waits for Postgres no longer than `limit`; after that the connection is to be dropped, because
/// a response may still be on its way.
pub(crate) async fn with_timeout<T>(
    limit: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, SinkError>>,
) -> Result<T, SinkError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(SinkError::database(doing)(timed_out(limit))),
    }
}

fn timed_out(limit: Duration) -> sqlx::Error {
    let text = format!("postgres gave no response for {limit:?}");
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

fn parse(url: &str) -> Result<PgConnectOptions, SinkError> {
    // The driver takes any scheme.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(SinkError::DatabaseUrl(None));
    }
    PgConnectOptions::from_str(url).map_err(|source| SinkError::DatabaseUrl(Some(source)))
}

/// Host, port, database and user, without the password.
fn address_of(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    format!(
        "{host}:{}, database \"{database}\", user \"{user}\"",
        options.get_port()
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_address_names_host_port_and_database_but_not_the_password() {
        let options = parse("postgres://rider:secret@db.example:5433/bikes").unwrap();
        expect![[r#"db.example:5433, database "bikes", user "rider""#]]
            .assert_eq(&address_of(&options));
    }
}
