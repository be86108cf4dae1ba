//! Writes records as JSON, byte for byte as [`domain::Record::to_json`] does, without allocating.
//!
//! Encoding is a large part of the producer's work: through serde and its own texts a trip takes
//! about four times as long.

use chrono::{Datelike, Timelike};
use domain::{Reject, Rider};

use crate::compact::{CompactTrip, Names, Place, instant};

const EXPECT: &str = "writing to memory cannot fail";

/// Writes the records of one source.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// `{"source":"…","seq":`
    head: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(source: &str) -> Self {
        let mut head = b"{\"source\":".to_vec();
        serde_json::to_writer(&mut head, source).expect(EXPECT);
        head.extend_from_slice(b",\"seq\":");
        Self { head }
    }

    /// The record of a trip.
    pub(crate) fn trip(&self, seq: u64, trip: &CompactTrip, names: &Names) -> Vec<u8> {
        let mut out = self.start(seq, b",\"trip\":{");
        if let Some(bike) = trip.bike {
            out.extend_from_slice(b"\"bike_id\":");
            out.extend_from_slice(names.bike_json(bike).as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(b"\"departed_at\":");
        write_time(&mut out, trip.departed_at);
        out.extend_from_slice(b",\"from\":{");
        write_place(&mut out, &trip.from, names);
        out.extend_from_slice(b"},\"arrived_at\":");
        write_time(&mut out, trip.arrived_at);
        out.extend_from_slice(b",\"to\":{");
        write_place(&mut out, &trip.to, names);
        out.push(b'}');
        match trip.rider {
            Some(Rider::Member) => out.extend_from_slice(b",\"rider\":\"member\""),
            Some(Rider::Casual) => out.extend_from_slice(b",\"rider\":\"casual\""),
            None => {}
        }
        out.extend_from_slice(b"}}");
        out
    }

    /// The record of a rejected row.
    pub(crate) fn reject(&self, seq: u64, reject: &Reject) -> Vec<u8> {
        let mut out = self.start(seq, b",\"reject\":");
        serde_json::to_writer(&mut out, reject).expect(EXPECT);
        out.push(b'}');
        out
    }

    /// The record of a tick at an instant in microseconds.
    pub(crate) fn tick(&self, seq: u64, at: i64) -> Vec<u8> {
        let mut out = self.start(seq, b",\"tick\":");
        write_time(&mut out, at);
        out.push(b'}');
        out
    }

    fn start(&self, seq: u64, kind: &[u8]) -> Vec<u8> {
        // A trip takes about 350 bytes.
        let mut out = Vec::with_capacity(self.head.len() + 384);
        out.extend_from_slice(&self.head);
        write_number(&mut out, seq);
        out.extend_from_slice(kind);
        out
    }
}

fn write_place(out: &mut Vec<u8>, place: &Place, names: &Names) {
    out.extend_from_slice(names.station_json(place.station).as_bytes());
    out.extend_from_slice(b",\"lat\":");
    serde_json::to_writer(&mut *out, &place.lat).expect(EXPECT);
    out.extend_from_slice(b",\"lon\":");
    serde_json::to_writer(&mut *out, &place.lon).expect(EXPECT);
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    serde_json::to_writer(out, &number).expect(EXPECT);
}

/// Writes `"2020-03-01T05:20:36.088Z"`, with no, three or six fraction digits as needed.
fn write_time(out: &mut Vec<u8>, micros: i64) {
    let at = instant(micros).naive_utc();
    out.push(b'"');
    // The years of trip files have four digits.
    write_digits(out, at.year().unsigned_abs(), 4);
    out.push(b'-');
    write_digits(out, at.month(), 2);
    out.push(b'-');
    write_digits(out, at.day(), 2);
    out.push(b'T');
    write_digits(out, at.hour(), 2);
    out.push(b':');
    write_digits(out, at.minute(), 2);
    out.push(b':');
    write_digits(out, at.second(), 2);
    let fraction = at.nanosecond() / 1_000;
    if !fraction.is_multiple_of(1_000) {
        out.push(b'.');
        write_digits(out, fraction, 6);
    } else if fraction != 0 {
        out.push(b'.');
        write_digits(out, fraction / 1_000, 3);
    }
    out.extend_from_slice(b"Z\"");
}

fn write_digits(out: &mut Vec<u8>, mut number: u32, width: usize) {
    let mut digits = [b'0'; 6];
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a digit is below ten");
        number /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

#[cfg(test)]
mod tests {
    use domain::{Body, Record};
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    fn time() -> impl Strategy<Value = i64> {
        let seconds = 1_300_000_000_i64..2_000_000_000;
        let micros = prop_oneof![
            Just(0),
            (0_i64..1_000).prop_map(|ms| ms * 1_000),
            0_i64..1_000_000
        ];
        (seconds, micros).prop_map(|(seconds, micros)| seconds * 1_000_000 + micros)
    }

    fn body() -> impl Strategy<Value = Body> {
        let trip = samples::trip((time(), time())).prop_map(Body::Trip);
        let reject = ("[a-z.]{1,5}", any::<u64>(), ".{0,9}", ".{0,9}").prop_map(
            |(file, line, reason, row)| Body::Reject(Reject::new(file, line, reason, &row)),
        );
        let tick = time().prop_map(|at| Body::Tick(instant(at)));
        prop_oneof![trip, reject, tick]
    }

    proptest! {
        #[test]
        fn a_record_is_written_as_the_domain_writes_it(
            source in ".{0,12}",
            seq in any::<u64>(),
            body in body(),
        ) {
            let encoder = Encoder::new(&source);
            let mut names = Names::default();
            let fast = match &body {
                Body::Trip(trip) => {
                    let trip = names.compact(trip);
                    encoder.trip(seq, &trip, &names)
                }
                Body::Reject(reject) => encoder.reject(seq, reject),
                Body::Tick(at) => encoder.tick(seq, at.timestamp_micros()),
                Body::Status(_) | Body::System(_) => unreachable!("none is made above"),
            };
            let plain = Record { source, seq, body }.to_json();
            prop_assert_eq!(String::from_utf8(fast).unwrap(), String::from_utf8(plain).unwrap());
        }
    }
}
