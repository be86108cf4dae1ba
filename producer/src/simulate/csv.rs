//! The city as a trip file: legacy columns, wall clock of New York.

use std::io::{self, Write};

use chrono::{Datelike, Timelike};
use domain::csv::Columns;
use domain::time::to_new_york;
use domain::{Reject, Rider};

use super::config::{SimulateConfig, SimulateError};
use super::map::Map;
use super::random::Random;
use super::{City, Ride, bike_id, utc};

const HEADER: &str = "\"tripduration\",\"starttime\",\"stoptime\",\"start station id\",\"start station name\",\"start station latitude\",\"start station longitude\",\"end station id\",\"end station name\",\"end station latitude\",\"end station longitude\",\"bikeid\",\"usertype\",\"birth year\",\"gender\"";

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteCsvError {
    /// The parameters make no city.
    #[error("cannot simulate a city")]
    Simulate(#[from] SimulateError),
    /// The file could not be written.
    #[error("cannot write the trip file")]
    Write(#[from] io::Error),
}

/// Writes the city's trips as a trip file with the legacy header; gives the number of rows.
///
/// Read back, the file gives the trips that the city itself gives.
///
/// # Errors
/// [`WriteCsvError`] if the parameters make no city or `out` cannot be written.
pub fn write_csv(config: &SimulateConfig, out: &mut impl Write) -> Result<u64, WriteCsvError> {
    let mut city = City::new(config)?;
    let mut row = String::new();
    writeln!(out, "{HEADER}")?;
    while let Some(ride) = city.next_ride() {
        row.clear();
        write_row(&mut row, &ride, &city.map);
        match city.dirt.kind() {
            Some(kind) => writeln!(out, "{}", kind.spoil(&row))?,
            None => writeln!(out, "{row}")?,
        }
    }
    out.flush()?;
    Ok(city.made)
}

fn write_row(row: &mut String, ride: &Ride, map: &Map) {
    use std::fmt::Write as _;
    let (from, to) = (map.station(ride.from), map.station(ride.to));
    let rider = match ride.rider {
        Rider::Member => "Subscriber",
        Rider::Casual => "Customer",
    };
    let seconds = (ride.arrived_at - ride.departed_at) / 1_000;
    let written = (|| {
        write!(row, "{seconds},")?;
        write_time(row, ride.departed_at)?;
        row.push(',');
        write_time(row, ride.arrived_at)?;
        for station in [from, to] {
            let (id, street) = (&station.station_id, &station.street);
            write!(row, ",{id},\"{street}\",{},{}", station.lat, station.lon)?;
        }
        write!(row, ",{},\"{rider}\",1969,0", bike_id(ride.bike))
    })();
    written.expect("writing to a text cannot fail");
}

/// Writes `"2020-03-01 00:14:07.0880"`.
fn write_time(row: &mut String, millis: i64) -> std::fmt::Result {
    use std::fmt::Write as _;
    let local = to_new_york(utc(millis));
    write!(
        row,
        "\"{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}0\"",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        local.nanosecond() / 1_000_000,
    )
}

/// Breaks some rows, if asked to; has its own random numbers, so that the others stay as they are.
#[derive(Debug)]
pub(super) struct Dirt {
    random: Random,
    /// Rows to break, of a million.
    per_million: u64,
    file: String,
}

/// A way to break a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum DirtKind {
    /// The arrival's station id is missing, as for a bike left in the street.
    NoArrival,
    /// The row ends in the middle of a quoted name.
    Cut,
}

impl Dirt {
    pub(super) fn new(config: &SimulateConfig) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the share is at most one half"
        )]
        let per_million = (config.dirty * 1_000_000.0) as u64;
        Self {
            random: Random::new(!config.seed),
            per_million,
            file: config.source_name(),
        }
    }

    /// How to break the next row; usually not at all.
    fn kind(&mut self) -> Option<DirtKind> {
        if self.per_million == 0 || self.random.below(1_000_000) >= self.per_million {
            return None;
        }
        Some(if self.random.percent(50) {
            DirtKind::NoArrival
        } else {
            DirtKind::Cut
        })
    }

    /// Breaks the ride's row, the `number`th from 1, and gives the reject it becomes.
    pub(super) fn fall_on(&mut self, ride: &Ride, map: &Map, number: u64) -> Option<Reject> {
        let kind = self.kind()?;
        let mut row = String::new();
        write_row(&mut row, ride, map);
        let row = kind.spoil(&row);
        let record: csv::StringRecord = row.split(',').map(|f| f.trim_matches('"')).collect();
        let header: csv::StringRecord = HEADER.split(',').map(|f| f.trim_matches('"')).collect();
        let columns = Columns::from_header(&header).expect("the header is of a known generation");
        let error = columns.parse_row(&record, &self.file, number + 1).err()?;
        Some(error.into_reject(&row))
    }
}

impl DirtKind {
    fn spoil(self, row: &str) -> String {
        let mut fields: Vec<_> = row.split(',').collect();
        match self {
            Self::NoArrival => fields[7] = "",
            Self::Cut => {
                fields.truncate(9);
                let name = fields[8].trim_end_matches('"');
                fields[8] = name;
            }
        }
        fields.join(",")
    }
}
