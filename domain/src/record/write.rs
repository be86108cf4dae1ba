//! Writing records.
//!
//! By hand, because encoding is a large part of the producer's work: a trip takes 168 ns, and 650 ns
//! through serde and chrono's own texts. A test holds that the bytes are the same.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::Serialize;

use super::{Body, Record, StationRef};
use crate::{BikeKind, Reject, Rider, Status, System, Trip};

/// What a record says, borrowed from whoever keeps it in another form.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyRef<'a> {
    /// As [`Body::Trip`].
    Trip(TripRef<'a>),
    /// As [`Body::Status`].
    Status(&'a Status),
    /// As [`Body::System`].
    System(&'a System),
    /// As [`Body::Tick`].
    Tick(DateTime<Utc>),
    /// As [`Body::Reject`].
    Reject(&'a Reject),
}

/// A [`Trip`] whose texts are borrowed.
#[derive(Debug, Clone, PartialEq)]
pub struct TripRef<'a> {
    /// The bike, where the file names it.
    pub bike_id: Option<&'a str>,
    /// When the bike left its dock.
    pub departed_at: DateTime<Utc>,
    /// Where the bike left.
    pub from: StationRef<'a>,
    /// When the bike was docked again.
    pub arrived_at: DateTime<Utc>,
    /// Where the bike was docked.
    pub to: StationRef<'a>,
    /// Who rode, where the file says so.
    pub rider: Option<Rider>,
    /// Which kind of bike it was, where the file says so.
    pub bike_kind: Option<BikeKind>,
}

impl<'a> From<&'a Trip> for TripRef<'a> {
    fn from(trip: &'a Trip) -> Self {
        Self {
            bike_id: trip.bike_id.as_deref(),
            departed_at: trip.departed_at,
            from: StationRef::from(&trip.from),
            arrived_at: trip.arrived_at,
            to: StationRef::from(&trip.to),
            rider: trip.rider,
            bike_kind: trip.bike_kind,
        }
    }
}

impl<'a> From<&'a Body> for BodyRef<'a> {
    fn from(body: &'a Body) -> Self {
        match body {
            Body::Trip(trip) => Self::Trip(TripRef::from(trip)),
            Body::Status(status) => Self::Status(status),
            Body::System(system) => Self::System(system),
            Body::Tick(at) => Self::Tick(*at),
            Body::Reject(reject) => Self::Reject(reject),
        }
    }
}

impl Record {
    /// Writes the record as one JSON object without line breaks.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        write(&self.source, self.seq, &BodyRef::from(&self.body))
    }
}

/// Writes a record as one JSON object without line breaks; source and `seq` come first.
#[must_use]
pub fn write(source: &str, seq: u64, body: &BodyRef<'_>) -> Vec<u8> {
    // A trip takes about 350 bytes beside its source.
    let mut out = Vec::with_capacity(source.len() + 400);
    put(&mut out, "{\"source\":");
    put_json(&mut out, source);
    put(&mut out, ",\"seq\":");
    put_json(&mut out, &seq);
    match body {
        BodyRef::Trip(trip) => put_trip(&mut out, trip),
        BodyRef::Status(status) => put_field(&mut out, ",\"status\":", status),
        BodyRef::System(system) => put_field(&mut out, ",\"system\":", system),
        BodyRef::Tick(at) => {
            put(&mut out, ",\"tick\":");
            put_time(&mut out, *at);
        }
        BodyRef::Reject(reject) => put_field(&mut out, ",\"reject\":", reject),
    }
    out.push(b'}');
    out
}

fn put(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

fn put_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("records have only string keys and finite numbers");
}

fn put_field<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    put(out, name);
    put_json(out, value);
}

fn put_trip(out: &mut Vec<u8>, trip: &TripRef<'_>) {
    put(out, ",\"trip\":{");
    if let Some(bike_id) = trip.bike_id {
        put_field(out, "\"bike_id\":", bike_id);
        out.push(b',');
    }
    put(out, "\"departed_at\":");
    put_time(out, trip.departed_at);
    put_station(out, ",\"from\":", &trip.from);
    put(out, ",\"arrived_at\":");
    put_time(out, trip.arrived_at);
    put_station(out, ",\"to\":", &trip.to);
    put(
        out,
        match trip.rider {
            Some(Rider::Member) => ",\"rider\":\"member\"",
            Some(Rider::Casual) => ",\"rider\":\"casual\"",
            None => "",
        },
    );
    put(
        out,
        match trip.bike_kind {
            Some(BikeKind::Classic) => ",\"bike_kind\":\"classic\"}",
            Some(BikeKind::Electric) => ",\"bike_kind\":\"electric\"}",
            Some(BikeKind::Docked) => ",\"bike_kind\":\"docked\"}",
            None => "}",
        },
    );
}

fn put_station(out: &mut Vec<u8>, name: &str, station: &StationRef<'_>) {
    put(out, name);
    put_field(out, "{\"station_id\":", &*station.station_id);
    put_field(out, ",\"street\":", &*station.street);
    put_field(out, ",\"lat\":", &station.lat);
    put_field(out, ",\"lon\":", &station.lon);
    out.push(b'}');
}

/// Writes `"2020-03-01T05:20:36.088Z"`, with no, three or six fraction digits as needed.
fn put_time(out: &mut Vec<u8>, at: DateTime<Utc>) {
    let at_utc = at.naive_utc();
    let nanos = at_utc.nanosecond();
    let (Ok(year @ 0..=9_999), true) = (u32::try_from(at_utc.year()), nanos.is_multiple_of(1_000))
    else {
        return put_json(out, &at); // Of no trip file, nor of a clock of ours.
    };
    out.push(b'"');
    put_digits(out, year, 4);
    out.push(b'-');
    put_digits(out, at_utc.month(), 2);
    out.push(b'-');
    put_digits(out, at_utc.day(), 2);
    out.push(b'T');
    put_digits(out, at_utc.hour(), 2);
    out.push(b':');
    put_digits(out, at_utc.minute(), 2);
    out.push(b':');
    put_digits(out, at_utc.second(), 2);
    if !nanos.is_multiple_of(1_000_000) {
        out.push(b'.');
        put_digits(out, nanos / 1_000, 6);
    } else if nanos != 0 {
        out.push(b'.');
        put_digits(out, nanos / 1_000_000, 3);
    }
    put(out, "Z\"");
}

fn put_digits(out: &mut Vec<u8>, mut number: u32, width: usize) {
    let mut digits = [b'0'; 6];
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit is below ten");
        number /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}
