//! Logins for the parts of this program, each with the rights of one group role.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::error::PostgresError;
use crate::random::random_hex;

/// Lets `name` log in with the rights of `group` and no other; gives its new password.
///
/// It is a new one each time, so that none has to be kept in a file. Both names come from code.
pub(crate) async fn renew(
    owner_url: &str,
    name: &'static str,
    group: &'static str,
) -> Result<String, PostgresError> {
    let failed = |source| PostgresError::Login { name, source };
    let password = random_hex()?;
    // The password is part of a statement: it must not come into our log, whatever its level.
    let options: PgConnectOptions = owner_url.parse().map_err(failed)?;
    let options = options.disable_statement_logging();
    let mut connection: PgConnection = options.connect().await.map_err(failed)?;
    let statements = format!(
        "set local log_min_error_statement = panic;
         do $$ begin create role {name}; exception when duplicate_object then null; end $$;
         alter role {name} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
             password '{password}';
         grant {group} to {name}"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(password)
}
