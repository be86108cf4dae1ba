//! Records for tests of laws.

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{Body, Record};
use crate::{BikeKind, Inferred, Reject, Rider, Service, Station, Status, Stock, System, Trip};

fn text() -> impl Strategy<Value = String> {
    "[A-Z \"\\\\é&\n]{0,12}"
}

fn station(degrees: impl Strategy<Value = (f64, f64)>) -> impl Strategy<Value = Station> {
    ("[0-9.]{1,7}", text(), degrees).prop_map(|(station_id, street, (lat, lon))| Station {
        station_id,
        street,
        lat,
        lon,
    })
}

/// Any degrees: of more than 15 digits `serde_json` may read the last one wrong.
fn any_degrees() -> impl Strategy<Value = (f64, f64)> {
    (-90.0..90.0, -180.0..180.0)
}

/// Degrees in millionths, as files and feeds have them.
fn short_degrees() -> impl Strategy<Value = (f64, f64)> {
    let degrees =
        |max: i32| (-max * 1_000_000..=max * 1_000_000).prop_map(|it| f64::from(it) / 1e6);
    (degrees(90), degrees(180))
}

pub(super) fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let micros = prop_oneof![
        Just(0),
        (0_i64..1_000).prop_map(|ms| ms * 1_000),
        0_i64..1_000_000
    ];
    (0_i64..4_000_000_000, micros).prop_map(|(seconds, micros)| {
        DateTime::from_timestamp_micros(seconds * 1_000_000 + micros).unwrap()
    })
}

fn trip<D: Strategy<Value = (f64, f64)>>(degrees: fn() -> D) -> impl Strategy<Value = Trip> {
    let bike_id = prop::option::of("[0-9\"é]{0,5}");
    let rider = prop::option::of(prop_oneof![Just(Rider::Member), Just(Rider::Casual)]);
    let bike_kind = prop::option::of(prop_oneof![
        Just(BikeKind::Classic),
        Just(BikeKind::Electric),
        Just(BikeKind::Docked)
    ]);
    let ends = (time(), station(degrees()), time(), station(degrees()));
    (bike_id, ends, rider, bike_kind).prop_map(
        |(bike_id, (departed_at, from, arrived_at, to), rider, bike_kind)| Trip {
            bike_id,
            departed_at,
            from,
            arrived_at,
            to,
            rider,
            bike_kind,
        },
    )
}

fn record(body: impl Strategy<Value = Body>) -> impl Strategy<Value = Record> {
    ("[a-z#\"\\\\é]{0,5}", 0..=u64::MAX, body).prop_map(|(source, seq, body)| Record {
        source,
        seq,
        body,
    })
}

/// Any record of a trip.
pub(crate) fn trip_record() -> impl Strategy<Value = Record> {
    record(trip(any_degrees).prop_map(Body::Trip))
}

/// Any record, with degrees that are read as they were written.
pub(super) fn any_record() -> impl Strategy<Value = Record> {
    let inferred = prop::option::of(prop_oneof![
        Just(Inferred::Departure),
        Just(Inferred::Arrival)
    ]);
    let service = any::<[bool; 3]>().prop_map(|[installed, renting, returning]| Service {
        installed,
        renting,
        returning,
    });
    let stock = any::<[Option<u16>; 5]>().prop_map(Stock::from_numbers);
    let count = (any::<u32>(), inferred, service, any::<bool>());
    let more = (stock, prop::option::of(time()));
    let status = (station(short_degrees()), time(), count, more).prop_map(
        |(station, at, (bikes, inferred, service, missing), (stock, last_reported))| Status {
            station,
            at,
            bikes,
            inferred,
            service,
            stock,
            last_reported,
            missing,
        },
    );
    let system = (text(), text()).prop_map(|(timezone, language)| System { timezone, language });
    let reject = (text(), any::<u64>(), text(), text())
        .prop_map(|(file, line, reason, row)| Reject::new(file, line, reason, &row));
    record(prop_oneof![
        4 => trip(short_degrees).prop_map(Body::Trip),
        1 => status.prop_map(Body::Status),
        1 => system.prop_map(Body::System),
        1 => time().prop_map(Body::Tick),
        1 => reject.prop_map(Body::Reject),
    ])
}
