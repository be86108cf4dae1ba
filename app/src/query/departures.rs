//! Table `frequency`: departures of the whole city.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Reads how many bikes left between two instants, for each step of `step_s` seconds that has some: the
/// first second of the step, counted from 1970, and the departures of the windows that begin in it.
///
/// A range of the primary key of `frequency`: 17,280 windows a day, for each partition one row.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub(crate) async fn read_departures(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    step_s: i64,
) -> sqlx::Result<Vec<(i64, i64)>> {
    sqlx::query_as(
        "select floor(extract(epoch from time) / $3)::bigint * $3 as step, sum(amount)
           from frequency
          where time >= $1 and time < $2
          group by step order by step",
    )
    .bind(from)
    .bind(until)
    .bind(step_s)
    .fetch_all(connection)
    .await
}
