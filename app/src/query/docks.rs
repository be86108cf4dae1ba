//! Docks, their bikes and the replay clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Service, Stock, System};
use sqlx::PgConnection;

use crate::model::{Count, Dock};
use crate::moment::wall_time;
use crate::text::{NAME_CHARS_MAX, one_line};

/// What Postgres says at one publish of the sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The replay clock; none before the first publish.
    pub clock: Option<Clock>,
    /// What a live feed said of its system; Citi Bike's where there is none.
    pub system: System,
    /// Docks that changed after the version asked about.
    pub docks: Vec<DockRow>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            clock: None,
            system: citi_bike(),
            docks: Vec::new(),
        }
    }
}

/// A row of table `availability` with its row of `location`.
#[derive(Debug, Clone, PartialEq)]
pub struct DockRow {
    /// The dock, as browsers get it.
    pub dock: Dock,
    /// When a live feed had the station for the last time, if it goes on without it.
    pub last_seen: Option<DateTime<Utc>>,
    /// When the station last spoke to its operator.
    pub last_reported: Option<DateTime<Utc>>,
    /// The operator's opaque id of the station.
    pub station_id: String,
    /// The publish that changed the dock last.
    pub version: i64,
}

/// `location_id, station_id, street, latitude, longitude, bikes, estimated, is_installed, is_renting,
/// is_returning, last_seen, last_reported`, its stock and `version`
type Row = (
    i32,
    String,
    String,
    f64,
    f64,
    i32,
    bool,
    bool,
    bool,
    bool,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Vec<Option<i16>>,
    i64,
);

/// `version, at, milliseconds since published_at, timezone, language`
type ClockRow = (i64, DateTime<Utc>, i64, Option<String>, Option<String>);

/// The one row of table `replay_clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Number of the sink's publish.
    pub version: i64,
    /// The replay clock, UTC.
    pub at: DateTime<Utc>,
    /// Time since the publish, by the clock of Postgres.
    pub age: Duration,
}

/// Reads the clock, then the docks whose version is greater than `after`.
///
/// Reads `replay_clock` and `system` (one row each) and `availability` joined to `location`; relies on
/// the index on `availability (version)`. At most one row per dock. The clock is read first: a publish in
/// between then shows as a change again at the next reading, and none is missed. Names, ids and
/// what a feed says of itself are cut at [`NAME_CHARS_MAX`]; names are one line of shown characters.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub(crate) async fn read_changes(
    connection: &mut PgConnection,
    after: i64,
) -> sqlx::Result<Reading> {
    let (clock, system) = read_clock(connection).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select location_id, left(station_id, $2), left(street, $2),
                latitude, longitude, bikes, estimated, is_installed, is_renting, is_returning,
                last_seen, last_reported,
                array[ebikes, free_docks, capacity, broken_bikes, broken_docks], version
           from availability join location using (location_id)
          where version > $1",
    )
    .bind(after)
    .bind(i32::try_from(NAME_CHARS_MAX).unwrap_or(i32::MAX))
    .fetch_all(connection)
    .await?;
    let docks = rows.into_iter().map(|row| dock_row(row, &system.timezone));
    Ok(Reading {
        clock,
        docks: docks.collect(),
        system,
    })
}

fn dock_row(row: Row, timezone: &str) -> DockRow {
    let (
        id,
        station_id,
        name,
        lat,
        lon,
        bikes,
        estimated,
        installed,
        renting,
        returning,
        last_seen,
        last_reported,
        stock,
        version,
    ) = row;
    let number = |at: usize| u16::try_from(stock.get(at).copied().flatten()?).ok();
    let count = Count {
        bikes,
        estimated,
        service: Service {
            installed,
            renting,
            returning,
        },
        last_seen: last_seen.map(|at| wall_time(at, timezone)),
        stock: Stock::from_numbers(std::array::from_fn(number)),
    };
    let dock = Dock {
        id,
        name: one_line(&name, NAME_CHARS_MAX),
        lat: to_metre(lat),
        lon: to_metre(lon),
        count,
    };
    DockRow {
        dock,
        last_seen,
        last_reported,
        station_id,
        version,
    }
}

/// What trip files do not say of their system.
pub(crate) fn citi_bike() -> System {
    System {
        timezone: "America/New_York".to_owned(),
        language: "en".to_owned(),
    }
}

async fn read_clock(connection: &mut PgConnection) -> sqlx::Result<(Option<Clock>, System)> {
    let row: Option<ClockRow> = sqlx::query_as(
        "select version, at, (extract(epoch from now() - published_at) * 1000)::int8,
                left(timezone, $1), left(language, $1)
           from replay_clock left join system on true",
    )
    .bind(i32::try_from(NAME_CHARS_MAX).unwrap_or(i32::MAX))
    .fetch_optional(connection)
    .await?;
    let Some((version, at, age_ms, timezone, language)) = row else {
        return Ok((None, citi_bike()));
    };
    let clock = Clock {
        version,
        at,
        age: Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)),
    };
    let system = timezone
        .zip(language)
        .map(|(timezone, language)| System { timezone, language });
    Ok((Some(clock), system.unwrap_or_else(citi_bike)))
}

/// Five decimals of a degree are a metre: enough for a dock, and a short page.
fn to_metre(degrees: f64) -> f64 {
    (degrees * 1e5).round() / 1e5
}
