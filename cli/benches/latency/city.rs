//! The trips: a thousand leave each second, every twentieth of a second one of them from the dock that
//! is watched.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

use crate::Moment;

pub(crate) const TRIPS_A_SECOND: i64 = 1_000;
/// How long is measured.
pub(crate) const SECONDS: u64 = 45;
/// Trips go on longer: the browser takes a while to open.
const PACED_SECONDS: i64 = 120;
/// The name of the watched dock.
pub(crate) const WATCHED: &str = "Watched St & 1 Ave";
/// One trip in so many leaves from there.
const WATCHED_EVERY: i64 = 50;
/// Besides the watched one, as many docks as Citi Bike has.
pub(crate) const STATIONS: i64 = 2_299;
/// From here on trips are paced, in New York's time and in UTC.
pub(crate) const PACED_FROM: &str = "2026-06-01T08:00:00";
const PACED_FROM_UTC: &str = "2026-06-01T12:00:00Z";
const NEW_YORK: TimeDelta = TimeDelta::hours(-4);

const HEADER: &str = "tripduration,starttime,stoptime,start station id,start station name,\
    start station latitude,start station longitude,end station id,end station name,\
    end station latitude,end station longitude,bikeid,usertype,birth year,gender";

pub(crate) struct City {
    paced_from: DateTime<Utc>,
    /// Bikes at the watched dock before the first has left it.
    watched_bikes: i64,
}

/// Tells when something was due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    paced_from: DateTime<Utc>,
    began: Moment,
    watched_bikes: i64,
}

impl City {
    /// Every bike is brought to its dock first, so that each departure changes a count.
    pub(crate) fn write(file: &Path) -> Result<Self> {
        let paced_from: DateTime<Utc> = PACED_FROM_UTC.parse()?;
        let trips = TRIPS_A_SECOND * PACED_SECONDS;
        let mut out = BufWriter::new(std::fs::File::create(file)?);
        writeln!(out, "{HEADER}")?;
        let history = paced_from - TimeDelta::hours(2);
        for trip in 0..trips {
            let at = history + TimeDelta::milliseconds(trip * 30);
            let arrival = (at + TimeDelta::minutes(5), from(trip));
            writeln!(out, "{}", row(trip, (at, STATIONS + 1), arrival))?;
        }
        for trip in 0..trips {
            let at = paced_from + TimeDelta::microseconds(trip * 1_000_000 / TRIPS_A_SECOND);
            let arrival = (at + TimeDelta::minutes(10), trip % STATIONS + 1);
            writeln!(out, "{}", row(trip, (at, from(trip)), arrival))?;
        }
        out.flush()?;
        Ok(Self {
            paced_from,
            watched_bikes: trips / WATCHED_EVERY,
        })
    }

    /// `began` is when the first paced trip was due.
    pub(crate) fn clock(&self, began: Moment) -> Clock {
        Clock {
            paced_from: self.paced_from,
            began,
            watched_bikes: self.watched_bikes,
        }
    }
}

impl Clock {
    /// When a trip of this departure was due; none of history.
    pub(crate) fn due(self, departed_at: DateTime<Utc>) -> Option<Moment> {
        let behind = departed_at - self.paced_from;
        (behind >= TimeDelta::zero()).then(|| self.began + behind.num_microseconds().unwrap_or(0))
    }

    /// Event time at a moment, in microseconds since 1970.
    pub(crate) fn event_time(self, now: Moment) -> i64 {
        self.paced_from.timestamp_micros() + (now - self.began)
    }

    /// When the departure was due after which so many bikes were left at the watched dock.
    pub(crate) fn due_of_count(self, bikes: i64) -> Option<Moment> {
        let gone = self.watched_bikes - bikes;
        let trip = (gone - 1) * WATCHED_EVERY;
        (gone > 0).then(|| self.began + trip * 1_000_000 / TRIPS_A_SECOND)
    }
}

/// The station that a trip leaves; 0 is watched.
fn from(trip: i64) -> i64 {
    if trip % WATCHED_EVERY == 0 {
        0
    } else {
        1 + trip * 7 % STATIONS
    }
}

fn row(bike: i64, from: (DateTime<Utc>, i64), to: (DateTime<Utc>, i64)) -> String {
    let time = |at: DateTime<Utc>| (at + NEW_YORK).format("%Y-%m-%d %H:%M:%S%.3f0");
    format!(
        "300,{},{},{},{},{bike},Subscriber,1980,0",
        time(from.0),
        time(to.0),
        station(from.1),
        station(to.1)
    )
}

fn station(number: i64) -> String {
    let name = match number {
        0 => WATCHED.to_owned(),
        _ => format!("{number} St & 2 Ave"),
    };
    let (lat, lon) = (
        40.70 + (number % 48) as f64 * 0.002,
        -74.0 + (number / 48) as f64 * 0.002,
    );
    format!("{},{name},{lat:.4},{lon:.4}", 1_000 + number)
}
