//! Rows of `dock_status`, as availability reads them.

use chrono::{DateTime, Utc};
use domain::Service;
use domain::availability::DockStatus;
use sqlx::postgres::PgConnection;

use crate::error::SinkError;
use crate::stock::stock;

/// The columns of [`StatusRow`].
pub(super) const STATUS_COLUMNS: &str =
    "id, time, location_id, bikes, is_installed, is_renting, is_returning, missing,
     array[ebikes, free_docks, capacity, broken_bikes, broken_docks], last_reported";

/// [`STATUS_COLUMNS`], which ends with its stock and `last_reported`.
pub(super) type StatusRow = (
    i64,
    DateTime<Utc>,
    i32,
    i32,
    bool,
    bool,
    bool,
    bool,
    Vec<Option<i16>>,
    Option<DateTime<Utc>>,
);

/// Reads the statuses of all partitions with ids in `[first, end)`.
///
/// One range scan of the primary key: few rows, and none at all without a live feed.
pub(super) async fn read_statuses(
    connection: &mut PgConnection,
    (first, end): (i64, i64),
) -> Result<Vec<DockStatus>, SinkError> {
    let statement = format!("select {STATUS_COLUMNS} from dock_status where id >= $1 and id < $2");
    let rows: Vec<StatusRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(first)
        .bind(end)
        .fetch_all(connection)
        .await
        .map_err(SinkError::database(format!(
            "read statuses from id {first} on"
        )))?;
    Ok(rows.into_iter().map(dock_status).collect())
}

/// The row as availability takes it.
pub(super) fn dock_status(row: StatusRow) -> DockStatus {
    let (id, at, location_id, bikes, installed, renting, returning, missing, row, last_reported) =
        row;
    DockStatus {
        at,
        id,
        location_id,
        bikes,
        service: Service {
            installed,
            renting,
            returning,
        },
        missing,
        stock: stock(&row),
        last_reported,
    }
}
