//! The input: files of trips, each row once, and the records that a producer makes of them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::Reject;
use domain::record::{BodyRef, StationRef, TripRef, write};
use rand::Rng as _;
use rand::rngs::SmallRng;

/// Where event time begins, in microseconds.
const START: i64 = 1_583_020_800_000_000;
pub(crate) const SECOND: i64 = 1_000_000;

/// What the plan says of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) files: u8,
    pub(crate) rows_max: u8,
    pub(crate) bikes: u8,
    pub(crate) stations: u8,
    /// Whether some trips name no bike.
    pub(crate) has_anonymous: bool,
}

/// A trip of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TripRow {
    pub(crate) bike: Option<String>,
    /// Microseconds, as all times here.
    pub(crate) departed: i64,
    pub(crate) from: String,
    pub(crate) arrived: i64,
    pub(crate) to: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Trip(TripRow),
    /// A row that could not be used: its line.
    Reject(u64),
}

/// A row of a file, at its place in the order of departure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) file: usize,
    pub(crate) seq: u64,
    pub(crate) content: Content,
    /// When it is due; a reject's is that of the row before it.
    pub(crate) at: Option<i64>,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

/// All files.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) files: Vec<Vec<Row>>,
    pub(crate) has_anonymous: bool,
}

impl City {
    pub(crate) fn draw(shape: Shape, random: &mut SmallRng) -> Self {
        let files = (0..usize::from(shape.files)).map(|file| draw_file(file, shape, random));
        Self {
            files: files.collect(),
            has_anonymous: shape.has_anonymous,
        }
    }

    /// The rows of some files, merged by time as a producer takes them.
    pub(crate) fn merged(&self, files: u8) -> Vec<Row> {
        let chosen = (0..).zip(&self.files);
        let chosen = chosen.filter(|(number, _)| files >> number & 1 == 1);
        let mut rows: Vec<Row> = chosen.flat_map(|(_, rows)| rows.iter().cloned()).collect();
        rows.sort_by_key(|row| (row.at, row.file, row.seq));
        rows
    }
}

pub(crate) fn source(file: usize) -> String {
    format!("{file}.csv#{file:04x}")
}

fn draw_file(file: usize, shape: Shape, random: &mut SmallRng) -> Vec<Row> {
    let count = random.random_range(1..=usize::from(shape.rows_max));
    // Files overlap: what comes from the second one may be late.
    let mut at = START + random.random_range(0..30) * SECOND;
    let (mut rows, mut newest) = (Vec::new(), None);
    for seq in 0..count as u64 {
        at += random.random_range(0..6) * SECOND / random.random_range(1..=4);
        let content = match random.random_ratio(1, 12) {
            true => Content::Reject(seq + 1),
            false => Content::Trip(draw_trip((file, seq, at), shape, random)),
        };
        if let Content::Trip(trip) = &content {
            newest = Some(trip.departed);
        }
        rows.push(encode(file, seq, content, newest));
    }
    rows
}

/// No two trips depart at one instant, which tells them apart; arrivals may meet anything.
fn draw_trip((file, seq, at): (usize, u64, i64), shape: Shape, random: &mut SmallRng) -> TripRow {
    let departed = at - at.rem_euclid(1_000) + (seq as i64) * 4 + file as i64;
    let station = |random: &mut SmallRng| random.random_range(0..shape.stations).to_string();
    let is_anonymous = shape.has_anonymous && random.random_ratio(1, 3);
    TripRow {
        bike: (!is_anonymous).then(|| format!("b{}", random.random_range(0..shape.bikes))),
        departed,
        from: station(random),
        arrived: departed + random.random_range(0..40) * SECOND / 2,
        to: station(random),
    }
}

fn encode(file: usize, seq: u64, content: Content, at: Option<i64>) -> Row {
    let source = source(file);
    let (key, value) = match &content {
        Content::Trip(trip) => {
            let body = TripRef {
                bike_id: trip.bike.as_deref(),
                departed_at: utc(trip.departed),
                from: station(&trip.from),
                arrived_at: utc(trip.arrived),
                to: station(&trip.to),
                rider: None,
                bike_kind: None,
            };
            (trip.from.clone(), write(&source, seq, &BodyRef::Trip(body)))
        }
        Content::Reject(line) => {
            let reject = Reject::new(format!("{file}.csv"), *line, "no bike".to_owned(), "a,b");
            (
                source.clone(),
                write(&source, seq, &BodyRef::Reject(&reject)),
            )
        }
    };
    Row {
        file,
        seq,
        content,
        at,
        key: key.into(),
        value: value.into(),
    }
}

fn station(id: &str) -> StationRef<'_> {
    StationRef {
        station_id: id.into(),
        street: id.into(),
        lat: 40.7,
        lon: -74.0,
    }
}

pub(crate) fn utc(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}
