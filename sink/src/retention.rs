//! Drops what is older than it is kept.
//!
//! Rows of `records` and `dock_status` go by month, with the tables that they stand in; what they said of
//! the docks stays in `baseline…`, in the same transaction (function `drop_month` of
//! `migrations/0015_months.sql`). Windows and the past are deleted row by row, for they are few.
//!
//! Age is event time before the city's clock, or before now if that is earlier: a clock from outside that
//! is ahead of the world makes nothing old.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::background::Background;
use crate::database;
use crate::error::SinkError;
use crate::shared::Shared;

/// How long Postgres may take for one statement (chosen: a month of 10 million trips takes a minute).
const STATEMENT_MAX: Duration = Duration::from_secs(3_600);

/// Who reads `records` all along (a report, the audit) is not waited for, and nobody waits meanwhile: it
/// is tried again later.
const LOCK_TIMEOUT: &str = "set lock_timeout = '500ms'";
/// Postgres' code for it: `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// `name, end_at, dropped_rows, waits_for`
type DroppedRow = (
    Option<String>,
    Option<DateTime<Utc>>,
    Option<i64>,
    Option<String>,
);

/// The task, now and then; gives the rows that it has dropped.
pub(crate) struct Retention(Background<u64>);

impl Default for Retention {
    fn default() -> Self {
        Self(Background::new("drop old rows"))
    }
}

impl Retention {
    /// Begins if it is time to, and gives the number of rows dropped when it has ended.
    pub(crate) fn poll(&mut self, shared: &Shared, clock: DateTime<Utc>) -> Option<u64> {
        // Kept for ever: there is nothing to drop.
        shared.config.keep.records?;
        if self.0.is_due() {
            self.0.start(drop_old(shared.clone(), clock));
        }
        self.0.take(|_| shared.config.retention_interval)
    }
}

async fn drop_old(shared: Shared, clock: DateTime<Utc>) -> Result<u64, SinkError> {
    let mut connection = shared.connect("retention").await?;
    let dropping = async {
        let failed = SinkError::database("drop old rows");
        sqlx::query(LOCK_TIMEOUT)
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        let keep = shared.config.keep;
        let mut rows = 0;
        if let Some(age) = keep.records {
            rows += drop_months(&mut connection, clock, age).await?;
        }
        if let Some(age) = keep.past() {
            rows += delete_past(&mut connection, clock, age).await?;
        }
        Ok(rows)
    };
    let rows = database::with_timeout(STATEMENT_MAX, "drop old rows", dropping).await?;
    database::close(connection).await;
    Ok(rows)
}

/// Drops the oldest months, one after the other.
async fn drop_months(
    connection: &mut PgConnection,
    clock: DateTime<Utc>,
    age: Duration,
) -> Result<u64, SinkError> {
    let mut dropped = 0;
    loop {
        let started = Instant::now();
        let row = sqlx::query_as(
            "select name, end_at, dropped_rows, waits_for
             from drop_month(least($1, now()) - $2)",
        )
        .bind(clock)
        .bind(interval(age))
        .fetch_one(&mut *connection)
        .await;
        let (name, end_at, rows, waits_for): DroppedRow = match row {
            Err(error) if is_lock_timeout(&error) => {
                tracing::info!("old records are read or written: drops them later");
                return Ok(dropped);
            }
            row => row.map_err(SinkError::database("drop old records"))?,
        };
        let Some((name, end_at)) = name.zip(end_at) else {
            return Ok(dropped);
        };
        if let Some(waits_for) = waits_for {
            tracing::info!(name, "{name} is old, and waits for {waits_for}");
            return Ok(dropped);
        }
        let rows = rows.unwrap_or(0).unsigned_abs();
        let took_ms = started.elapsed().as_millis();
        tracing::info!(name, rows, took_ms, "dropped the records before {end_at}");
        dropped += rows;
    }
}

/// Deletes windows and periods of the past whose records were dropped; windows a day at a time, so that no
/// transaction is long.
async fn delete_past(
    connection: &mut PgConnection,
    clock: DateTime<Utc>,
    age: Duration,
) -> Result<u64, SinkError> {
    let failed = || SinkError::database("delete old windows");
    let mut deleted = 0;
    loop {
        let windows = sqlx::query(
            "delete from frequency where time < least(least($1, now()) - $2,
                     (select coalesce(max(until), '-infinity') from baseline))
                 and time < (select min(time) from frequency) + interval '1 day'",
        )
        .bind(clock)
        .bind(interval(age))
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
        if windows.rows_affected() == 0 {
            break;
        }
        deleted += windows.rows_affected();
    }
    let periods = sqlx::query(
        "delete from past_period where end_at <= least(least($1, now()) - $2,
             (select coalesce(max(until), '-infinity') from baseline))",
    )
    .bind(clock)
    .bind(interval(age))
    .execute(connection)
    .await
    .map_err(failed())?;
    Ok(deleted + periods.rows_affected())
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(LOCK_NOT_AVAILABLE)
}

/// As an interval of Postgres', at most 1,000 years: what is older than that is nothing.
fn interval(age: Duration) -> PgInterval {
    let age = TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
    let days = age.num_days().min(365_000);
    let rest = age - TimeDelta::days(age.num_days());
    PgInterval {
        months: 0,
        days: i32::try_from(days).unwrap_or(i32::MAX),
        microseconds: rest.num_microseconds().unwrap_or(0),
    }
}
