//! What the tables hold, read by plain SQL in one transaction.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};

/// A row of `records`; times in µs since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// `offset << 11 | partition << 1 | ordinal`
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) bike: Option<String>,
    pub(crate) station: String,
    pub(crate) docked: bool,
}

/// A row of `frequency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) partition: i64,
    pub(crate) amount: i64,
}

/// A row of `rejected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) id: i64,
    pub(crate) line: i64,
    pub(crate) reason: String,
    pub(crate) row: String,
}

/// A row of `stream_cursor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) partition: i64,
    pub(crate) module: String,
    pub(crate) next_offset: i64,
    pub(crate) duplicates: i64,
    pub(crate) failure: Option<String>,
}

/// All of them at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    /// By id.
    pub(crate) events: Vec<Event>,
    pub(crate) windows: Vec<Window>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) cursors: Vec<Cursor>,
    /// The replay clock; none before the first publish.
    pub(crate) clock: Option<i64>,
    /// The publish that the docks are of.
    pub(crate) version: i64,
    /// Bikes at each station that is published.
    pub(crate) docks: BTreeMap<String, i64>,
    /// `location_id` of each station.
    pub(crate) stations: BTreeMap<i64, String>,
    /// First and last second of the past, since 1970.
    pub(crate) past: Option<(i64, i64)>,
}

const EVENTS: &str = "
    select id, (extract(epoch from time) * 1000000)::bigint as at, bike_id as bike,
        coalesce(station_id, '?') as station, docked
    from records left join location using (location_id) order by id";
const WINDOWS: &str = "
    select (extract(epoch from time) * 1000000)::bigint as start, partition::bigint, amount::bigint
    from frequency";
const REJECTED: &str = "select id, line, reason, row from rejected";
const CURSORS: &str = "
    select partition::bigint, module, next_offset, duplicates, failure from stream_cursor";
const CLOCK: &str = "
    select (extract(epoch from at) * 1000000)::bigint, version from replay_clock";
const DOCKS: &str = "
    select station_id, bikes::bigint from availability join location using (location_id)";
const STATIONS: &str = "select location_id::bigint, station_id from location";
const PAST: &str = "
    select extract(epoch from min(start_at))::bigint, extract(epoch from max(end_at))::bigint
    from past_period having count(*) > 0";

type EventRow = (i64, i64, Option<String>, String, bool);
type RejectedRow = (i64, i64, String, String);
type CursorRow = (i64, String, i64, i64, Option<String>);

impl From<EventRow> for Event {
    fn from((id, at, bike, station, docked): EventRow) -> Self {
        Self {
            id,
            at,
            bike,
            station,
            docked,
        }
    }
}

impl From<(i64, i64, i64)> for Window {
    fn from((start, partition, amount): (i64, i64, i64)) -> Self {
        Self {
            start,
            partition,
            amount,
        }
    }
}

impl From<RejectedRow> for Rejected {
    fn from((id, line, reason, row): RejectedRow) -> Self {
        Self {
            id,
            line,
            reason,
            row,
        }
    }
}

impl From<CursorRow> for Cursor {
    fn from((partition, module, next_offset, duplicates, failure): CursorRow) -> Self {
        Self {
            partition,
            module,
            next_offset,
            duplicates,
            failure,
        }
    }
}

impl Tables {
    pub(crate) async fn read(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        let begin = "begin isolation level repeatable read read only";
        let mut all = connection.begin_with(begin).await?;
        let clock: Option<(i64, i64)> = sqlx::query_as(CLOCK).fetch_optional(&mut *all).await?;
        let docks: Vec<(String, i64)> = sqlx::query_as(DOCKS).fetch_all(&mut *all).await?;
        let stations: Vec<(i64, String)> = sqlx::query_as(STATIONS).fetch_all(&mut *all).await?;
        let events: Vec<EventRow> = sqlx::query_as(EVENTS).fetch_all(&mut *all).await?;
        let windows: Vec<(i64, i64, i64)> = sqlx::query_as(WINDOWS).fetch_all(&mut *all).await?;
        let rejected: Vec<RejectedRow> = sqlx::query_as(REJECTED).fetch_all(&mut *all).await?;
        let cursors: Vec<CursorRow> = sqlx::query_as(CURSORS).fetch_all(&mut *all).await?;
        let tables = Self {
            events: events.into_iter().map(Event::from).collect(),
            windows: windows.into_iter().map(Window::from).collect(),
            rejected: rejected.into_iter().map(Rejected::from).collect(),
            cursors: cursors.into_iter().map(Cursor::from).collect(),
            clock: clock.map(|(clock, _)| clock),
            version: clock.map_or(0, |(_, version)| version),
            docks: docks.into_iter().collect(),
            stations: stations.into_iter().collect(),
            past: sqlx::query_as(PAST).fetch_optional(&mut *all).await?,
        };
        all.commit().await?;
        connection.close().await?;
        Ok(tables)
    }
}
