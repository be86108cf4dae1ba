//! Trips for tests of laws.

use domain::{Rider, Station, Trip};
use proptest::prelude::*;

use crate::compact::instant;

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
    (bike, times, station(), station(), rider).prop_map(
        |(bike_id, (departed, arrived), from, to, rider)| Trip {
            bike_id,
            departed_at: instant(departed),
            from,
            arrived_at: instant(arrived),
            to,
            rider,
        },
    )
}
