//! Writes the rows of a source as records: their texts are in its [`Names`], their bytes are
//! [`domain::record`]'s.

use domain::Reject;
use domain::record::{self, BodyRef, StationRef, TripRef};

use crate::compact::{CompactTrip, Names, Place, instant};

/// Writes the records of one source.
#[derive(Debug)]
pub struct Encoder {
    source: String,
}

impl Encoder {
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
        }
    }

    /// The record of a trip.
    pub fn trip(&self, seq: u64, trip: &CompactTrip, names: &Names) -> Vec<u8> {
        let trip = TripRef {
            bike_id: trip.bike.map(|bike| names.bike_id(bike)),
            departed_at: instant(trip.departed_at),
            from: station(&trip.from, names),
            arrived_at: instant(trip.arrived_at),
            to: station(&trip.to, names),
            rider: trip.rider,
            bike_kind: trip.bike_kind,
        };
        self.record(seq, &BodyRef::Trip(trip))
    }

    /// The record of a rejected row.
    pub fn reject(&self, seq: u64, reject: &Reject) -> Vec<u8> {
        self.record(seq, &BodyRef::Reject(reject))
    }

    /// The record of a tick at an instant in microseconds.
    pub fn tick(&self, seq: u64, at: i64) -> Vec<u8> {
        self.record(seq, &BodyRef::Tick(instant(at)))
    }

    fn record(&self, seq: u64, body: &BodyRef<'_>) -> Vec<u8> {
        record::write(&self.source, seq, body)
    }
}

fn station<'a>(place: &Place, names: &'a Names) -> StationRef<'a> {
    let (station_id, street) = names.station_id_and_street(place.station);
    StationRef {
        station_id: station_id.into(),
        street: street.into(),
        lat: place.lat,
        lon: place.lon,
    }
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
