//! Departures per window, of the whole city.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// A window of table `frequency`, summed over its partitions: its start, and departures in it.
pub(crate) type WindowRow = (DateTime<Utc>, i64);

/// Windows in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Those in which a bike left.
    pub(crate) rows: Vec<WindowRow>,
    /// Windows that begin before it are closed in every partition; none before there are any.
    pub(crate) closed_until: Option<DateTime<Utc>>,
}

/// Reads the first `limit` windows that begin at `from` or later, and before `to`.
///
/// Reads `stream_cursor` (two rows a partition), then a range of the primary key of `frequency`, at most
/// `limit` rows of each partition: in this order no window is called closed whose row was not read.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub(crate) async fn read_windows(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: usize,
) -> sqlx::Result<Windows> {
    let closed_until = sqlx::query_scalar(
        "select case when bool_and(state ->> 'closed_until' is not null)
                then min((state ->> 'closed_until')::timestamptz) end
           from stream_cursor
          where module = 'dock-window'",
    )
    .fetch_one(&mut *connection)
    .await?;
    let rows = sqlx::query_as(
        "select time, sum(amount)
           from frequency
          where time >= $1 and time < $2
          group by time
          order by time
          limit $3",
    )
    .bind(from)
    .bind(to)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(Windows { rows, closed_until })
}
