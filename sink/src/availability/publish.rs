//! What is published: tables `availability` and `replay_clock`, and the NOTIFY.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::Service;
use domain::availability::DockCount;
use domain::location::Location;
use sqlx::postgres::PgConnection;

use crate::error::SinkError;
use crate::locations::columns;
use crate::stock;

/// `location_id, bikes, estimated, is_installed, is_renting, is_returning, last_seen`, its stock and
/// `last_reported`
type Row = (
    i32,
    i32,
    bool,
    bool,
    bool,
    bool,
    Option<DateTime<Utc>>,
    Vec<Option<i16>>,
    Option<DateTime<Utc>>,
);

fn count_of(row: Row) -> (i32, DockCount) {
    let (
        location_id,
        bikes,
        estimated,
        installed,
        renting,
        returning,
        last_seen,
        row,
        last_reported,
    ) = row;
    let service = Service {
        installed,
        renting,
        returning,
    };
    let count = DockCount {
        bikes,
        estimated,
        service,
        last_seen,
        stock: stock::stock(&row),
        last_reported,
    };
    (location_id, count)
}

fn column<T>(docks: &BTreeMap<i32, DockCount>, of: impl Fn(&DockCount) -> T) -> Vec<T> {
    docks.values().map(of).collect()
}

/// What the tables hold, so that only what differs is written.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) clock: Option<DateTime<Utc>>,
    pub(crate) version: i64,
    pub(crate) docks: BTreeMap<i32, DockCount>,
}

impl Published {
    pub(crate) async fn load(connection: &mut PgConnection) -> Result<Self, SinkError> {
        let failed = || SinkError::database("read what is published");
        let clock: Option<(DateTime<Utc>, i64)> =
            sqlx::query_as("select at, version from replay_clock")
                .fetch_optional(&mut *connection)
                .await
                .map_err(failed())?;
        let docks: Vec<Row> = sqlx::query_as(
            "select location_id, bikes, estimated, is_installed, is_renting, is_returning, last_seen,
                 array[ebikes, free_docks, capacity, broken_bikes, broken_docks], last_reported
             from availability",
        )
        .fetch_all(connection)
        .await
        .map_err(failed())?;
        let docks = docks.into_iter().map(count_of);
        Ok(Self {
            clock: clock.map(|(at, _)| at),
            version: clock.map_or(0, |(_, version)| version),
            docks: docks.collect(),
        })
    }

    /// Writes the docks that differ, the stations that moved, and the clock; nothing if none does. A dock of such a station is written as well, so that all who follow the versions
    /// hear of it.
    ///
    /// One statement, so one transaction: whoever hears the NOTIFY finds the rows.
    pub(crate) async fn publish(
        &mut self,
        connection: &mut PgConnection,
        clock: DateTime<Utc>,
        mut docks: BTreeMap<i32, DockCount>,
        moved: &[(i32, Location)],
    ) -> Result<(), SinkError> {
        let is_moved = |dock: &i32| moved.iter().any(|(station, _)| station == dock);
        docks.retain(|dock, count| self.docks.get(dock) != Some(count) || is_moved(dock));
        if docks.is_empty() && moved.is_empty() && Some(clock) <= self.clock {
            return Ok(());
        }
        let [ebikes, free_docks, capacity, broken_bikes, broken_docks] =
            stock::columns(docks.values().map(|count| count.stock));
        let (streets, lats, lons) = columns(moved.iter().map(|(_, location)| location));
        let (version,): (i64,) = sqlx::query_as(
            "with clock as (
                 insert into replay_clock as c (at, version, published_at)
                 values ($1, 1, clock_timestamp())
                 on conflict (only_row) do update set at = greatest(c.at, excluded.at),
                     version = c.version + 1, published_at = excluded.published_at
                 returning version
             ), docks as (
                 insert into availability (location_id, bikes, estimated, is_installed, is_renting,
                     is_returning, last_seen, ebikes, free_docks, capacity, broken_bikes, broken_docks,
                     last_reported, version)
                 select d.*, clock.version
                 from unnest($2::int[], $3::int[], $4::bool[], $5::bool[], $6::bool[], $7::bool[],
                     $8::timestamptz[], $9::int2[], $10::int2[], $11::int2[], $12::int2[], $13::int2[],
                     $14::timestamptz[]) as d, clock
                 on conflict (location_id) do update set bikes = excluded.bikes,
                     estimated = excluded.estimated, is_installed = excluded.is_installed,
                     is_renting = excluded.is_renting, is_returning = excluded.is_returning,
                     last_seen = excluded.last_seen, ebikes = excluded.ebikes,
                     free_docks = excluded.free_docks, capacity = excluded.capacity,
                     broken_bikes = excluded.broken_bikes, broken_docks = excluded.broken_docks,
                     last_reported = excluded.last_reported, version = excluded.version
             ), moved as (
                 update location l
                 set street = m.street, latitude = m.latitude, longitude = m.longitude
                 from unnest($15::int[], $16::text[], $17::float8[], $18::float8[])
                     as m (location_id, street, latitude, longitude)
                 where l.location_id = m.location_id
             )
             select version from clock, pg_notify('availability', version::text)",
        )
        .bind(clock)
        .bind(docks.keys().copied().collect::<Vec<_>>())
        .bind(column(&docks, |count| count.bikes))
        .bind(column(&docks, |count| count.estimated))
        .bind(column(&docks, |count| count.service.installed))
        .bind(column(&docks, |count| count.service.renting))
        .bind(column(&docks, |count| count.service.returning))
        .bind(column(&docks, |count| count.last_seen))
        .bind(ebikes)
        .bind(free_docks)
        .bind(capacity)
        .bind(broken_bikes)
        .bind(broken_docks)
        .bind(column(&docks, |count| count.last_reported))
        .bind(
            moved
                .iter()
                .map(|(station, _)| *station)
                .collect::<Vec<_>>(),
        )
        .bind(streets)
        .bind(lats)
        .bind(lons)
        .fetch_one(connection)
        .await
        .map_err(SinkError::database(format!(
            "publish {} docks at {clock}",
            docks.len()
        )))?;
        self.version = version;
        self.clock = self.clock.max(Some(clock));
        self.docks.extend(docks);
        Ok(())
    }
}
