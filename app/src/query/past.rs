//! The past: which seconds are stored, and the period that holds one.

use chrono::{DateTime, Utc};
use domain::past::PackedPeriod;
use sqlx::PgConnection;

/// The seconds of table `past_period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PastRange {
    /// The first one.
    pub(crate) first: i64,
    /// The last one.
    pub(crate) last: i64,
    /// From which on the past is being made anew, since something came late.
    pub(crate) stale_from: Option<i64>,
}

type RangeRow = (
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

/// Reads which seconds are stored; none before there are any.
///
/// Reads both ends of the primary key of `past_period`, and the one row of `availability_checkpoint`.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub(crate) async fn read_range(connection: &mut PgConnection) -> sqlx::Result<Option<PastRange>> {
    let (first, last, stale_from): RangeRow = sqlx::query_as(
        "select (select start_at from past_period order by start_at limit 1),
                (select end_at from past_period order by start_at desc limit 1),
                (select past_stale_from from availability_checkpoint)",
    )
    .fetch_one(connection)
    .await?;
    let range = first.zip(last).map(|(first, last)| PastRange {
        first: first.timestamp(),
        last: last.timestamp(),
        stale_from: stale_from.map(|at| at.timestamp()),
    });
    Ok(range)
}

/// Reads the last period that begins at a second or before it.
///
/// One row by the primary key of `past_period`.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub(crate) async fn read_period(
    connection: &mut PgConnection,
    at: DateTime<Utc>,
) -> sqlx::Result<Option<PackedPeriod>> {
    let row: Option<PeriodRow> = sqlx::query_as(
        "select start_at, end_at, docks from past_period where start_at <= $1
         order by start_at desc limit 1",
    )
    .bind(at)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(period))
}

/// Reads the period that holds `from`, or the first after it, and those that follow and begin at `until`
/// or before it; at most `limit`.
///
/// So many rows by the primary key of `past_period`.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub(crate) async fn read_periods(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: usize,
) -> sqlx::Result<Vec<PackedPeriod>> {
    let rows: Vec<PeriodRow> = sqlx::query_as(
        "select start_at, end_at, docks from past_period
          where start_at <= $2
            and start_at >= coalesce(
                (select max(start_at) from past_period where start_at <= $1), $1)
          order by start_at limit $3",
    )
    .bind(from)
    .bind(until)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(period).collect())
}

/// `start_at, end_at, docks`
type PeriodRow = (DateTime<Utc>, DateTime<Utc>, Vec<u8>);

fn period((start, end, bytes): PeriodRow) -> PackedPeriod {
    PackedPeriod {
        start: start.timestamp(),
        end: end.timestamp(),
        events: 0,
        bytes,
    }
}
