//! The file `migrations/roles.sql`, carried in the program.

use sqlx::{AssertSqlSafe, raw_sql};

use crate::database::{CONNECT_MAX, close, connect};
use crate::error::SinkError;

/// The role that may read the tables, for the page.
pub const READER: &str = "bikeshare_reader";
/// The role that may write the tables and not change them, for the sink.
pub const WRITER: &str = "bikeshare_writer";

const ROLES: &str = include_str!("../../migrations/roles.sql");

/// Makes [`READER`] and [`WRITER`] unless they are there, and gives them their rights.
///
/// # Errors
/// [`SinkError::Database`] if the login may not make roles or the tables are not its own.
pub async fn make_roles(url: &str) -> Result<(), SinkError> {
    let mut connection = connect(url, "roles", CONNECT_MAX).await?;
    raw_sql(AssertSqlSafe(ROLES))
        .execute(&mut connection)
        .await
        .map_err(SinkError::database(
            "make the roles of migrations/roles.sql",
        ))?;
    close(connection).await;
    Ok(())
}
