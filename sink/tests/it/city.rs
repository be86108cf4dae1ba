//! A small made-up city: trips by departure, rejects and ticks, the same for the same seed.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Body, Record, Reject, Station, Trip};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::PARTITIONS;

const STATIONS: u32 = 12;
const BIKES: usize = 30;

/// A record with its partition.
pub(crate) type Placed = (u32, Record);

/// What a city has besides trips of known bikes in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct City {
    pub(crate) seed: u64,
    pub(crate) rows: u64,
    /// Share of trips without a bike id.
    pub(crate) nameless: f64,
    /// Share of rows that are rejects.
    pub(crate) rejects: f64,
}

impl Default for City {
    fn default() -> Self {
        Self {
            seed: 1,
            rows: 1_000,
            nameless: 0.1,
            rejects: 0.03,
        }
    }
}

/// First departure of every city.
pub(crate) fn morning() -> DateTime<Utc> {
    "2020-03-01T05:00:00Z".parse().unwrap()
}

pub(crate) fn station(number: u32) -> Station {
    Station {
        station_id: format!("{}", 3_200 + number),
        street: format!("{number} Av & E {number} St"),
        lat: 40.7 + f64::from(number) / 100.0,
        lon: -74.0 - f64::from(number) / 100.0,
    }
}

/// The partition of a station's trips.
pub(crate) fn partition(station: &Station) -> u32 {
    station.station_id.parse::<u32>().unwrap() % PARTITIONS
}

pub(crate) fn tick(source: &str, seq: u64, at: DateTime<Utc>) -> Vec<(u32, Record)> {
    let record = Record {
        source: source.to_owned(),
        seq,
        body: Body::Tick(at),
    };
    (0..PARTITIONS)
        .map(|partition| (partition, record.clone()))
        .collect()
}

pub(crate) fn trip(
    bike_id: Option<&str>,
    (from, departed_at): (u32, DateTime<Utc>),
    (to, minutes): (u32, i64),
) -> Trip {
    Trip {
        bike_id: bike_id.map(str::to_owned),
        departed_at,
        from: station(from),
        arrived_at: departed_at + TimeDelta::minutes(minutes),
        to: station(to),
        rider: None,
        bike_kind: None,
    }
}

/// The record with its partition.
pub(crate) fn placed(source: &str, seq: u64, trip: Trip) -> (u32, Record) {
    let partition = partition(&trip.from);
    (
        partition,
        Record {
            source: source.to_owned(),
            seq,
            body: Body::Trip(trip),
        },
    )
}

impl City {
    /// All records in order, each with its partition; the last ones are ticks for all partitions.
    pub(crate) fn records(&self) -> Vec<(u32, Record)> {
        let source = format!("city.csv#{:016x}", self.seed);
        let mut random = StdRng::seed_from_u64(self.seed);
        // Where each bike is, and from when on.
        let mut bikes: Vec<_> = (0..BIKES)
            .map(|_| (random.random_range(0..STATIONS), morning()))
            .collect();
        let mut now = morning();
        let mut records = Vec::new();
        for seq in 0..self.rows {
            now += TimeDelta::milliseconds(random.random_range(0..3_000));
            if random.random_bool(self.rejects) {
                let reject = Reject::new("city.csv", seq + 2, "no arrival", "a,b,\0,\"d\"");
                let body = Body::Reject(reject);
                records.push((
                    0,
                    Record {
                        source: source.clone(),
                        seq,
                        body,
                    },
                ));
                continue;
            }
            let bike = random.random_range(0..BIKES);
            let (parked_at, free_from) = bikes[bike];
            // Now and then a van has moved it; a bike on the road is not taken before it is back.
            let from = if random.random_bool(0.1) {
                random.random_range(0..STATIONS)
            } else {
                parked_at
            };
            now = now.max(free_from);
            let to = random.random_range(0..STATIONS);
            let minutes = random.random_range(0..4);
            let bike_id = format!("{}", 40_000 + bike);
            let named = !random.random_bool(self.nameless);
            let trip = trip(named.then_some(&bike_id), (from, now), (to, minutes));
            bikes[bike] = (to, trip.arrived_at);
            records.push(placed(&source, seq, trip));
            if seq % 20 == 0 {
                records.extend(tick(&source, seq + 1, now));
            }
        }
        let end = domain::window::window_start(now, TimeDelta::seconds(5)) + TimeDelta::seconds(5);
        records.extend(tick(&source, self.rows, end));
        records
    }
}

/// The records in a city whose stations are renamed and moved every few minutes, and come back.
pub(crate) fn wandering(mut records: Vec<Placed>) -> Vec<Placed> {
    for (_, record) in &mut records {
        if let Body::Trip(trip) = &mut record.body {
            wander(&mut trip.from, trip.departed_at);
            wander(&mut trip.to, trip.arrived_at);
        }
    }
    records
}

fn wander(station: &mut Station, at: DateTime<Utc>) {
    let number = station.station_id.parse::<i64>().unwrap();
    match ((at - morning()).num_minutes() / 4 + number) % 4 {
        1 => station.street.push_str(" (works)"),
        2 => station.lat += 0.002,
        _ => {}
    }
}

/// Trips among the records.
pub(crate) fn trips(records: &[(u32, Record)]) -> usize {
    records
        .iter()
        .filter(|(_, record)| matches!(record.body, Body::Trip(_)))
        .count()
}

/// Rejects among the records.
pub(crate) fn rejects(records: &[(u32, Record)]) -> usize {
    records
        .iter()
        .filter(|(_, record)| matches!(record.body, Body::Reject(_)))
        .count()
}

/// The records as a producer sends them that loses answers: now and then the last ones come again.
pub(crate) fn resent(records: &[(u32, Record)], seed: u64) -> Vec<(u32, Record)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut sent = Vec::new();
    for (index, record) in records.iter().enumerate() {
        sent.push(record.clone());
        if random.random_bool(0.02) {
            let again = random.random_range(1..40).min(index + 1);
            sent.extend_from_slice(&records[index + 1 - again..=index]);
        }
    }
    sent
}

/// Cuts the records behind ticks, at about `index`: all windows before the cut that end before its
/// ticks are closed, and everything before it gives an output.
pub(crate) fn split_behind_ticks(records: &[Placed], index: usize) -> (&[Placed], &[Placed]) {
    let last_tick = |(partition, record): &Placed| {
        *partition == PARTITIONS - 1 && matches!(record.body, Body::Tick(_))
    };
    let tick = records[index..].iter().position(last_tick).unwrap();
    records.split_at(index + tick + 1)
}
