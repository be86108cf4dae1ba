//! The least that has to be done: parse each row, copy its two events, count its window.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use domain::csv::Columns;
use domain::window::{WindowConfig, window_start};
use domain::{Ordinal, RecordId, Station, Trip};
use sqlx::{Connection, PgConnection};

/// Rows of one COPY message (chosen: beyond it the rate does not grow).
const BYTES_A_MESSAGE: usize = 1 << 20;

/// Loads the file over one connection in one transaction; gives the seconds it took.
pub(crate) async fn load(url: &str, file: &Path) -> Result<f64> {
    let mut connection = PgConnection::connect(url).await?;
    let started = Instant::now();
    // Months cost their looking at each row's time: this is what Postgres does without.
    sqlx::query("create table records_all partition of records (primary key (id)) default")
        .execute(&mut connection)
        .await?;
    let mut transaction = connection.begin().await?;
    let mut tables = Tables::default();
    let mut copy = transaction
        .copy_in_raw("copy records (id, time, bike_id, location_id, docked) from stdin binary")
        .await?;
    let mut bytes = Vec::with_capacity(2 * BYTES_A_MESSAGE);
    bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    let mut reader = csv::Reader::from_path(file)?;
    let columns = Columns::from_header(reader.headers()?)?;
    let mut row = csv::StringRecord::new();
    let mut offset = 0_i64;
    while reader.read_record(&mut row)? {
        let trip = columns.parse_row(&row, "trips.csv", offset.unsigned_abs())?;
        tables.push(offset, &trip, &mut bytes);
        offset += 1;
        if bytes.len() > BYTES_A_MESSAGE {
            copy.send(bytes.as_slice()).await?;
            bytes.clear();
        }
    }
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    copy.send(bytes.as_slice()).await?;
    copy.finish().await?;
    tables.store(&mut transaction).await?;
    transaction.commit().await?;
    Ok(started.elapsed().as_secs_f64())
}

/// The two small tables, kept in memory until the end.
#[derive(Default)]
struct Tables {
    locations: HashMap<String, (i32, Station)>,
    windows: BTreeMap<i64, i32>,
}

impl Tables {
    fn push(&mut self, offset: i64, trip: &Trip, bytes: &mut Vec<u8>) {
        let width = WindowConfig::default().width;
        let window = window_start(trip.departed_at, width).timestamp();
        *self.windows.entry(window).or_default() += 1;
        let ends = [
            (Ordinal::Departure, &trip.from, trip.departed_at),
            (Ordinal::Arrival, &trip.to, trip.arrived_at),
        ];
        for (ordinal, station, at) in ends {
            bytes.extend_from_slice(&5_i16.to_be_bytes());
            field(bytes, &RecordId::pack(offset, 0, ordinal).0.to_be_bytes());
            let since_2000_us = at.timestamp_micros() - 946_684_800_000_000;
            field(bytes, &since_2000_us.to_be_bytes());
            match &trip.bike_id {
                Some(bike_id) => field(bytes, bike_id.as_bytes()),
                None => bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
            field(bytes, &self.location_id(station).to_be_bytes());
            field(bytes, &[ordinal as u8]);
        }
    }

    fn location_id(&mut self, station: &Station) -> i32 {
        if let Some((location_id, _)) = self.locations.get(&station.station_id) {
            return *location_id;
        }
        let location_id = self.locations.len() as i32 + 1;
        self.locations
            .insert(station.station_id.clone(), (location_id, station.clone()));
        location_id
    }

    async fn store(&self, connection: &mut PgConnection) -> Result<()> {
        for (location_id, station) in self.locations.values() {
            sqlx::query(
                "insert into location (location_id, station_id, street, latitude, longitude)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(location_id)
            .bind(&station.station_id)
            .bind(&station.street)
            .bind(station.lat)
            .bind(station.lon)
            .execute(&mut *connection)
            .await?;
        }
        let starts: Vec<i64> = self.windows.keys().copied().collect();
        let amounts: Vec<i32> = self.windows.values().copied().collect();
        sqlx::query(
            "insert into frequency (time, partition, amount)
             select to_timestamp(start), 0, amount from unnest($1::bigint[], $2::int[])
             as window_count (start, amount)",
        )
        .bind(starts)
        .bind(amounts)
        .execute(connection)
        .await
        .context("could not store the windows")?;
        Ok(())
    }
}

fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(value);
}
