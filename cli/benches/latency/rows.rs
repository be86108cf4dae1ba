//! When rows can be read from the tables.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};

use crate::city::{self, Clock};
use crate::{Moment, now};

/// Between two looks; what is seen is late by up to as much.
const PAUSE: Duration = Duration::from_millis(2);
/// Rows that are looked at, at once.
const OFFSETS_MAX: i64 = 1_000;
const WINDOW: TimeDelta = TimeDelta::seconds(5);

/// Milliseconds after something was due until its row was there.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) records: Vec<f64>,
    pub(crate) windows: Vec<f64>,
}

/// Looks as long as it is measured.
pub(crate) async fn watch(url: String, clock: Clock) -> Result<Rows> {
    let mut connection = PgConnection::connect(&url).await?;
    let mut rows = Rows::default();
    let (mut newest, mut windows) = (newest_ids(&mut connection).await?, HashSet::new());
    windows.extend(new_windows(&mut connection, clock).await?);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(city::SECONDS) {
        for newest in &mut newest {
            let found = new_departures(&mut connection, *newest).await?;
            let now = now();
            for (id, departed_at) in found {
                *newest = id;
                let due = clock.due(departed_at);
                rows.records.extend(due.map(|due| milliseconds(due, now)));
            }
        }
        let counted = new_windows(&mut connection, clock).await?;
        let now = now();
        for (start, partition) in counted {
            if windows.insert((start, partition)) {
                let closed = clock.due(start + WINDOW);
                rows.windows
                    .extend(closed.map(|due| milliseconds(due, now)));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    connection.close().await?;
    Ok(rows)
}

/// The newest key of each partition: an offset, then 10 bits for the partition and 1 for the event.
async fn newest_ids(connection: &mut PgConnection) -> Result<Vec<i64>> {
    let newest = "select max(id) from records where not docked group by (id >> 1) & 1023";
    Ok(sqlx::query_scalar(newest).fetch_all(connection).await?)
}

async fn new_departures(
    connection: &mut PgConnection,
    newest: i64,
) -> Result<Vec<(i64, DateTime<Utc>)>> {
    let departures = "select id, time from records
                      where id > $1 and id <= $1 + ($2 << 11) and not docked
                        and (id >> 1) & 1023 = ($1 >> 1) & 1023
                      order by id";
    let departures = sqlx::query_as(departures).bind(newest).bind(OFFSETS_MAX);
    Ok(departures.fetch_all(connection).await?)
}

async fn new_windows(
    connection: &mut PgConnection,
    clock: Clock,
) -> Result<Vec<(DateTime<Utc>, i32)>> {
    let windows = sqlx::query_as("select time, partition::int from frequency where time >= $1");
    let since = DateTime::from_timestamp_micros(city_time(clock));
    Ok(windows.bind(since).fetch_all(connection).await?)
}

/// Event time half a minute ago, in microseconds: windows before it have closed.
fn city_time(clock: Clock) -> i64 {
    clock.event_time(now()) - 30_000_000
}

pub(crate) fn milliseconds(due: Moment, seen: Moment) -> f64 {
    (seen - due) as f64 / 1e3
}
