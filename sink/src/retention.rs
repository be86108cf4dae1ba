//! Drops what is older than it is kept.
//!
//! Rows of `records` and `dock_status` go by month, with the tables that they stand in, to files first where
//! that is asked for; what they said of the docks stays in `baseline…`, in the same transaction (function
//! `drop_month` of `migrations/0015_months.sql`). Windows and the past are deleted row by row, for they are few.
//!
//! Age is event time before the city's clock, or before now if that is earlier: a clock from outside that
//! is ahead of the world makes nothing old.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::archive::{Archive, ArchivedFile};
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

/// A month that is old.
#[derive(Debug)]
pub(crate) struct OldMonth {
    /// The table of its records.
    name: String,
    /// As Postgres writes it: the oldest one begins at no time.
    pub(crate) start: String,
    pub(crate) end: String,
    end_at: DateTime<Utc>,
    /// What its drop has to wait for.
    waits_for: Option<String>,
}

impl OldMonth {
    /// `2020-03`; of what was there before there were months, `before-2020-03`.
    pub(crate) fn label(&self) -> String {
        match self.name.strip_prefix("records_y") {
            Some(month) => month.replace('m', "-"),
            None => format!("before-{}", self.end_at.format("%Y-%m")),
        }
    }
}

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
            let keep_from = sqlx::query_scalar("select least($1, now()) - $2")
                .bind(clock)
                .bind(interval(age))
                .fetch_one(&mut connection)
                .await
                .map_err(SinkError::database("look for old records"))?;
            rows += drop_months(&shared, &mut connection, keep_from).await?;
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

/// Drops the oldest months, one after the other, and archives them before that where there is a place for it.
async fn drop_months(
    shared: &Shared,
    connection: &mut PgConnection,
    keep_from: DateTime<Utc>,
) -> Result<u64, SinkError> {
    let mut dropped = 0;
    while let Some(month) = old_month(connection, keep_from).await? {
        let name = &month.name;
        if let Some(waits_for) = &month.waits_for {
            tracing::info!(name, "{name} is old, and waits for {waits_for}");
            break;
        }
        let started = Instant::now();
        let archived = match &shared.config.archive {
            Some(archive) => Some(archive_month(shared, connection, archive, &month).await?),
            None => None,
        };
        let Some(rows) = drop_month(connection, &month, archived.as_ref()).await? else {
            break;
        };
        let took_ms = started.elapsed().as_millis();
        let files = archived.map_or(0, |archived| archived.files.len());
        let end_at = month.end_at;
        tracing::info!(
            name,
            rows,
            files,
            took_ms,
            "dropped the records before {end_at}"
        );
        dropped += rows;
    }
    Ok(dropped)
}

/// The oldest month that ends by then.
async fn old_month(
    connection: &mut PgConnection,
    keep_from: DateTime<Utc>,
) -> Result<Option<OldMonth>, SinkError> {
    let found = sqlx::query_as(
        "select name, start_at::text, end_at::text, end_at, waits_for
         from old_month($1) where name is not null",
    )
    .bind(keep_from)
    .fetch_optional(connection)
    .await
    .map_err(SinkError::database("look for old records"))?;
    Ok(found.map(|(name, start, end, end_at, waits_for)| OldMonth {
        name,
        start,
        end,
        end_at,
        waits_for,
    }))
}

/// The files of a month that is to be dropped.
struct Archived {
    number: i32,
    files: Vec<ArchivedFile>,
}

async fn archive_month(
    shared: &Shared,
    connection: &mut PgConnection,
    archive: &Archive,
    month: &OldMonth,
) -> Result<Archived, SinkError> {
    let number = sqlx::query_scalar(
        "select coalesce(max(number), 0) + 1 from archived_month where name = $1",
    );
    let number = number
        .bind(&month.name)
        .fetch_one(&mut *connection)
        .await
        .map_err(SinkError::database("count a month's archives"))?;
    let files = archive.write(connection, month, number, &shared.stop);
    let files = files.await?;
    Ok(Archived { number, files })
}

/// Drops a month in one transaction with the names of its files. Gives the number of its rows; none if it has
/// to be tried again: somebody reads it, or it is not what was archived any more.
async fn drop_month(
    connection: &mut PgConnection,
    month: &OldMonth,
    archived: Option<&Archived>,
) -> Result<Option<u64>, SinkError> {
    let failed = || SinkError::database("drop old records");
    let mut transaction = connection.begin().await.map_err(failed())?;
    let row = sqlx::query_as("select name, dropped_rows from drop_month($1)")
        .bind(month.end_at)
        .fetch_one(&mut *transaction)
        .await;
    let (name, rows): (Option<String>, Option<i64>) = match row {
        Err(error) if is_lock_timeout(&error) => {
            tracing::info!("old records are read or written: drops them later");
            return Ok(None);
        }
        row => row.map_err(failed())?,
    };
    let rows = rows
        .map(i64::unsigned_abs)
        .filter(|_| name.as_ref() == Some(&month.name));
    let Some(rows) = rows.filter(|rows| archived.is_none_or(|archived| archived.rows() == *rows))
    else {
        tracing::info!("late records have come to old ones: drops them later");
        return Ok(None);
    };
    if let Some(archived) = archived {
        for file in &archived.files {
            sqlx::query(
                "insert into archived_month (name, number, file, rows) values ($1, $2, $3, $4)",
            )
            .bind(&month.name)
            .bind(archived.number)
            .bind(&file.place)
            .bind(i64::try_from(file.rows).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        }
    }
    transaction.commit().await.map_err(failed())?;
    Ok(Some(rows))
}

impl Archived {
    fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
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
