//! Where stations are and were: tables `location` and `location_history`.
//!
//! The rule is [`domain::location`]'s. Not here: which location is the newest of all partitions (see
//! `availability`).

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::location::{KnownLocation, Location, LocationHistory};
use sqlx::postgres::PgConnection;

use crate::error::SinkError;
use crate::split::{KnownStation, LocationRow, StationRow};

/// `location_id, id, since, street, latitude, longitude`
pub(crate) type HistoryRow = (i32, i64, DateTime<Utc>, String, f64, f64);

/// The location of a row of `location_history`, with the number of its station.
pub(crate) fn known_location(row: HistoryRow) -> (i32, KnownLocation) {
    let (location_id, id, since, street, lat, lon) = row;
    let location = Location { street, lat, lon };
    let known = KnownLocation {
        id,
        since,
        location,
    };
    (location_id, known)
}

/// Names, latitudes and longitudes, for a statement that takes them as arrays.
pub(crate) fn columns<'a>(
    locations: impl Iterator<Item = &'a Location>,
) -> (Vec<&'a str>, Vec<f64>, Vec<f64>) {
    locations
        .map(|location| (location.street.as_str(), location.lat, location.lon))
        .collect()
}

/// Inserts the stations that are new, in one order for all writers, and gives all their ids.
pub(crate) async fn insert_stations(
    connection: &mut PgConnection,
    stations: &[&StationRow],
) -> Result<BTreeMap<String, i32>, sqlx::Error> {
    let rows: BTreeMap<_, _> = stations
        .iter()
        .map(|row| (row.station_id.as_str(), &row.location))
        .collect();
    let ids: Vec<_> = rows.keys().map(ToString::to_string).collect();
    let (streets, lats, lons) = columns(rows.values().copied());
    sqlx::query(
        "insert into location (station_id, street, latitude, longitude)
         select * from unnest($1::text[], $2::text[], $3::float8[], $4::float8[])
         on conflict (station_id) do nothing",
    )
    .bind(&ids)
    .bind(streets)
    .bind(lats)
    .bind(lons)
    .execute(&mut *connection)
    .await?;
    let found: Vec<(String, i32)> =
        sqlx::query_as("select station_id, location_id from location where station_id = any($1)")
            .bind(&ids)
            .fetch_all(connection)
            .await?;
    Ok(found.into_iter().collect())
}

/// All stations that have a row, in one order, with what a partition knows of them, and their ids.
pub(crate) async fn load_stations(
    connection: &mut PgConnection,
    partition: u32,
) -> Result<(Vec<KnownStation>, Vec<i32>), SinkError> {
    let failed = || SinkError::database("read the locations");
    let stations: Vec<(String, i32)> =
        sqlx::query_as("select station_id, location_id from location order by location_id")
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?;
    let rows: Vec<HistoryRow> = sqlx::query_as(
        "select location_id, id, since, street, latitude, longitude
         from location_history where (id >> 1) & 1023 = $1",
    )
    .bind(i64::from(partition))
    .fetch_all(connection)
    .await
    .map_err(failed())?;
    let mut histories: HashMap<i32, Vec<KnownLocation>> = HashMap::new();
    for (location_id, known) in rows.into_iter().map(known_location) {
        histories.entry(location_id).or_default().push(known);
    }
    let stations = stations.into_iter().map(|(station_id, location_id)| {
        let known = histories.remove(&location_id).unwrap_or_default();
        let history = LocationHistory::from_iter(known);
        (
            KnownStation {
                station_id,
                history,
            },
            location_id,
        )
    });
    Ok(stations.unzip())
}

/// Writes what events have added to the histories; `ids` are the stations' by number.
pub(crate) async fn write(
    connection: &mut PgConnection,
    rows: &[&LocationRow],
    ids: &[i32],
) -> Result<(), sqlx::Error> {
    let known = || rows.iter().map(|row| &row.change.known);
    let (streets, lats, lons) = columns(known().map(|known| &known.location));
    let stations = rows.iter().map(|row| ids[row.station as usize]);
    sqlx::query(
        "insert into location_history (id, location_id, since, street, latitude, longitude)
         select * from unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::text[], $5::float8[],
             $6::float8[])",
    )
    .bind(known().map(|known| known.id).collect::<Vec<_>>())
    .bind(stations.collect::<Vec<_>>())
    .bind(known().map(|known| known.since).collect::<Vec<_>>())
    .bind(streets)
    .bind(lats)
    .bind(lons)
    .execute(&mut *connection)
    .await?;
    // One may have given way to another of the same rows.
    let replaced: Vec<_> = rows.iter().filter_map(|row| row.change.replaces).collect();
    if !replaced.is_empty() {
        sqlx::query("delete from location_history where id = any($1)")
            .bind(replaced)
            .execute(connection)
            .await?;
    }
    Ok(())
}
