//! Table `past_period`: what the availability's recorder has written.

use chrono::{DateTime, Utc};
use domain::Availability;
use domain::past::{PackedPeriod, Recorder};
use sqlx::postgres::PgConnection;

use crate::error::SinkError;

/// `start_at, end_at, events, docks`
type Row = (DateTime<Utc>, DateTime<Utc>, i64, Vec<u8>);

/// Has the availability go on recording; false if what is stored is not its past, and has to be made
/// anew.
pub(super) async fn resume(
    connection: &mut PgConnection,
    availability: &mut Availability,
) -> Result<bool, SinkError> {
    let recorder = match (last(connection).await?, availability.clock()) {
        (None, _) if availability.counts().next().is_none() => Recorder::default(),
        (Some(last), Some(clock)) if last.end == clock.timestamp() => {
            match Recorder::resume(last) {
                Ok(recorder) if recorder.shows(availability.counts()) => recorder,
                _ => return Ok(false),
            }
        }
        _ => return Ok(false),
    };
    availability.record(Some(recorder));
    Ok(true)
}

async fn last(connection: &mut PgConnection) -> Result<Option<PackedPeriod>, SinkError> {
    let row: Option<Row> = sqlx::query_as(
        "select start_at, end_at, events, docks from past_period order by start_at desc limit 1",
    )
    .fetch_optional(connection)
    .await
    .map_err(SinkError::database("read the past"))?;
    Ok(row.map(|(start, end, events, bytes)| PackedPeriod {
        start: start.timestamp(),
        end: end.timestamp(),
        events: u64::try_from(events).unwrap_or(0),
        bytes,
    }))
}

/// Writes periods in the place of those that begin in them; the caller has a transaction.
pub(super) async fn write(
    connection: &mut PgConnection,
    periods: &[PackedPeriod],
) -> Result<(), SinkError> {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else {
        return Ok(());
    };
    let failed = || SinkError::database(format!("write {} periods of the past", periods.len()));
    sqlx::query("delete from past_period where start_at >= $1 and start_at < $2")
        .bind(time_of(first.start))
        .bind(time_of(last.end))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    sqlx::query(
        "insert into past_period (start_at, end_at, events, docks)
         select * from unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::bytea[])
         on conflict (start_at) do update set end_at = excluded.end_at, events = excluded.events,
             docks = excluded.docks",
    )
    .bind(column(periods, |period| time_of(period.start)))
    .bind(column(periods, |period| time_of(period.end)))
    .bind(column(periods, events))
    .bind(column(periods, |period| period.bytes.clone()))
    .execute(connection)
    .await
    .map_err(failed())?;
    Ok(())
}

/// Events settled by the end of the last period that ends by `second`.
pub(super) async fn events_by(
    connection: &mut PgConnection,
    second: i64,
) -> Result<u64, SinkError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "select events from past_period where start_at <= $1 and end_at <= $1
         order by start_at desc limit 1",
    )
    .bind(time_of(second))
    .fetch_optional(connection)
    .await
    .map_err(SinkError::database("read the past"))?;
    Ok(row.map_or(0, |(events,)| u64::try_from(events).unwrap_or(0)))
}

fn column<T>(periods: &[PackedPeriod], of: impl Fn(&PackedPeriod) -> T) -> Vec<T> {
    periods.iter().map(of).collect()
}

fn events(period: &PackedPeriod) -> i64 {
    i64::try_from(period.events).unwrap_or(i64::MAX)
}

/// The instant of a second; of one that no calendar has, the last one.
fn time_of(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
