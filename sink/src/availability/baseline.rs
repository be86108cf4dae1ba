//! Tables `baseline…`: what rows that were dropped say of the docks.

use chrono::{DateTime, Utc};
use domain::availability::{Baseline, BikeEvent, Flow};
use sqlx::postgres::PgConnection;

use super::checkpoint::Newest;
use super::statuses::{STATUS_COLUMNS, StatusRow, dock_status};
use crate::error::SinkError;

/// `time, id, bike_id, location_id, docked`
type BikeRow = (DateTime<Utc>, i64, String, i32, bool);
/// `location_id, flow, flow_min, estimated, time, id`
type DockRow = (i32, i32, i32, bool, DateTime<Utc>, i64);

/// Reads it, with each station's newest event; the caller has a transaction that sees one state, or
/// nobody drops meanwhile.
pub(super) async fn load(connection: &mut PgConnection) -> Result<(Baseline, Newest), SinkError> {
    let failed = || SinkError::database("read what was dropped");
    let (until, events): (Option<DateTime<Utc>>, i64) =
        sqlx::query_as("select max(until), coalesce(sum(events), 0)::bigint from baseline")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed())?;
    let bikes: Vec<BikeRow> =
        sqlx::query_as("select time, id, bike_id, location_id, docked from baseline_bike")
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?;
    let docks: Vec<DockRow> = sqlx::query_as(
        "select location_id, flow, flow_min, estimated, time, id from baseline_dock",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed())?;
    let statement = format!("select {STATUS_COLUMNS} from baseline_status");
    let statuses: Vec<StatusRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
        .map_err(failed())?;
    let newest = docks
        .iter()
        .map(|(location_id, .., at, id)| (*location_id, (*at, *id)));
    let newest = newest.collect();
    let baseline = Baseline {
        until,
        events: events.unsigned_abs(),
        docks: docks.into_iter().map(flow).collect(),
        bikes: bikes.into_iter().map(bike_event).collect(),
        statuses: statuses.into_iter().map(dock_status).collect(),
    };
    Ok((baseline, newest))
}

fn flow((location_id, sum, least, any, ..): DockRow) -> (i32, Flow) {
    (location_id, Flow { sum, least, any })
}

fn bike_event((at, id, bike_id, location_id, docked): BikeRow) -> BikeEvent {
    BikeEvent {
        at,
        id,
        bike_id: Some(bike_id.into_boxed_str()),
        location_id,
        docked,
    }
}
