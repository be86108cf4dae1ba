//! Connections to Postgres, and the migrations.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, raw_sql};

use crate::error::SinkError;
use crate::migrations::migrator;

/// What makes Postgres notice within half a minute that a client is gone without a word, so that
/// another one gets its locks. It means nothing on a Unix socket.
///
/// Statements rather than options of the connection, which poolers refuse.
const KEEPALIVE: &str = "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; \
                         set tcp_keepalives_count = 3; set tcp_user_timeout = 25000";
/// Longest goodbye.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// Longest wait for a connection to migrate with.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Postgres' word for a right that is missing.
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
    let place = place(&parse(url)?);
    let mut connection = connect(url, "migrate", CONNECT_MAX).await?;
    let encoding = encoding(&mut connection).await?;
    if encoding != ENCODING {
        return Err(SinkError::Encoding { place, encoding });
    }
    let migrator = migrator();
    let applied = applied(&mut connection).await;
    let outcome = match newest(&applied).filter(|version| !migrator.version_exists(*version)) {
        Some(version) => Err(MigrateError::VersionMissing(version)),
        None if is_current(&applied, &migrator) => Ok(()),
        None => migrator.run(&mut connection).await,
    };
    outcome.map_err(|source| refuse(&migrator, place, source))?;
    close(connection).await;
    Ok(())
}

async fn encoding(connection: &mut PgConnection) -> Result<String, SinkError> {
    let asked = sqlx::query_as("show server_encoding");
    let (encoding,): (String,) = asked
        .fetch_one(connection)
        .await
        .map_err(SinkError::database("ask for the database's encoding"))?;
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

fn may_not(source: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = source else {
        return false;
    };
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}

fn refuse(migrator: &Migrator, place: String, source: MigrateError) -> SinkError {
    match source {
        MigrateError::VersionMissing(version) => {
            let known = migrator
                .iter()
                .map(|migration| migration.version)
                .max()
                .unwrap_or(0);
            SinkError::NewerDatabase {
                place,
                version,
                known,
            }
        }
        source if may_not(&source) => SinkError::NotMigrated { place, source },
        source => SinkError::Migrate { place, source },
    }
}

/// Opens a connection; `role` is what `pg_stat_activity` shows after `bikeshare `.
pub(crate) async fn connect(
    url: &str,
    role: &str,
    limit: Duration,
) -> Result<PgConnection, SinkError> {
    let options = parse(url)?;
    let place = place(&options);
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
        .unwrap_or_else(|_| Err(silent(limit)))
        .map_err(|source| SinkError::Connect { place, source })
}

/// Says goodbye to Postgres; a connection that is gone already is as good.
pub(crate) async fn close(connection: PgConnection) {
    match tokio::time::timeout(CLOSE_MAX, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "postgres had closed the connection before"),
        Err(_) => tracing::debug!("postgres did not say goodbye"),
    }
}

/// Waits for Postgres, but not for ever: after `limit` the connection is to be thrown away.
pub(crate) async fn timely<T>(
    limit: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, SinkError>>,
) -> Result<T, SinkError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(SinkError::database(doing)(silent(limit))),
    }
}

fn silent(limit: Duration) -> sqlx::Error {
    let text = format!("postgres gave no answer for {limit:?}");
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
fn place(options: &PgConnectOptions) -> String {
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
    fn a_place_names_host_port_and_database_but_not_the_password() {
        let options = parse("postgres://rider:secret@db.example:5433/bikes").unwrap();
        expect![[r#"db.example:5433, database "bikes", user "rider""#]].assert_eq(&place(&options));
    }
}
