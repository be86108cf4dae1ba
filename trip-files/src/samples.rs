//! Trips for tests of laws.

use domain::{BikeKind, Rider, Station, Trip};
use proptest::prelude::*;

use crate::compact::{CompactTrip, Names, instant};

fn station() -> impl Strategy<Value = Station> {
    let texts = ("[0-9.é]{1,7}", "[A-Z \"\\\\é&]{0,12}");
    (texts, -90.0..90.0, -180.0..180.0).prop_map(|((station_id, street), lat, lon)| Station {
        station_id,
        street,
        lat,
        lon,
    })
}

/// Any trip that departed and arrived at such times, in microseconds.
pub(crate) fn trip(times: impl Strategy<Value = (i64, i64)>) -> impl Strategy<Value = Trip> {
    let rider = prop_oneof![
        Just(None),
        Just(Some(Rider::Member)),
        Just(Some(Rider::Casual))
    ];
    let bike = proptest::option::of("[a-z0-9\"]{1,6}");
    let kind = proptest::option::of(prop_oneof![
        Just(BikeKind::Classic),
        Just(BikeKind::Electric),
        Just(BikeKind::Docked)
    ]);
    (bike, times, station(), station(), rider, kind).prop_map(
        |(bike_id, (departed, arrived), from, to, rider, bike_kind)| Trip {
            bike_id,
            departed_at: instant(departed),
            from,
            arrived_at: instant(arrived),
            to,
            rider,
            bike_kind,
        },
    )
}

/// A trip between one dock and itself that takes no time, departed at so many microseconds.
pub(crate) fn still_trip(names: &mut Names, departed_at: i64) -> CompactTrip {
    let place = names.place(&Station {
        station_id: "1".to_owned(),
        street: "Oak St".to_owned(),
        lat: 40.7,
        lon: -73.9,
    });
    CompactTrip {
        departed_at,
        arrived_at: departed_at,
        bike: None,
        from: place,
        to: place,
        rider: None,
        bike_kind: None,
    }
}
