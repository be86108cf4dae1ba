//! Connections to Postgres, and the migrations.

use std::str::FromStr;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use crate::error::SinkError;
use crate::migrations::migrator;

/// Brings the database to this program's tables; a database that is there already is left alone.
///
/// # Errors
/// [`SinkError::Connect`] if Postgres is away or refuses the login, [`SinkError::NewerDatabase`]
/// if a newer program migrated it, [`SinkError::Migrate`] if a migration fails.
pub async fn migrate(url: &str) -> Result<(), SinkError> {
    let place = place(&parse(url)?);
    let mut connection = connect(url, "migrate").await?;
    let migrator = migrator();
    migrator
        .run(&mut connection)
        .await
        .map_err(|source| refuse(&migrator, place, source))?;
    close(connection).await;
    Ok(())
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
        source => SinkError::Migrate { place, source },
    }
}

/// Opens a connection; `role` is what `pg_stat_activity` shows after `bikeshare `.
pub(crate) async fn connect(url: &str, role: &str) -> Result<PgConnection, SinkError> {
    let options = parse(url)?;
    let place = place(&options);
    options
        .application_name(&format!("bikeshare {role}"))
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|source| SinkError::Connect { place, source })
}

/// Says goodbye to Postgres; a connection that is gone already is as good.
pub(crate) async fn close(connection: PgConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "postgres had closed the connection before");
    }
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
