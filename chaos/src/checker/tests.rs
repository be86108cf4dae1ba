//! The checker is trusted only as far as it finds what was damaged on purpose.

use super::*;
use crate::tables::{Cursor, Rejected, Window};
use crate::topic::Entry;

const MINUTE: i64 = 60_000_000;

/// A small city whose tables are right: three trips, a bad row, a record that was sent twice.
fn city() -> (Ledger, Topic, Tables) {
    let trip = |departed, from: &str, to: &str, bike: &str| Trip {
        departed,
        from: from.to_owned(),
        arrived: departed + MINUTE,
        to: to.to_owned(),
        bike: bike.to_owned(),
    };
    let trips = vec![
        trip(MINUTE, "A", "B", "7"),
        trip(MINUTE + 1, "A", "B", "8"),
        trip(3 * MINUTE, "B", "A", "7"),
    ];
    let entry = |seq, kind| Entry {
        source: "city.csv#1".to_owned(),
        seq,
        kind,
    };
    let topic = vec![
        vec![
            entry(0, Kind::Trip),
            entry(1, Kind::Trip),
            entry(1, Kind::Trip),
            entry(4, Kind::Tick),
        ],
        vec![
            entry(2, Kind::Reject),
            entry(3, Kind::Trip),
            entry(4, Kind::Tick),
        ],
    ];
    let places = [(0_i64, 0_i64), (0, 1), (1, 1)];
    let events = trips
        .iter()
        .zip(places)
        .flat_map(|(trip, (partition, offset))| {
            let id = offset << 11 | partition << 1;
            let event = |id, at, station: &str, docked| Event {
                id,
                at,
                bike: Some(trip.bike.clone()),
                station: station.to_owned(),
                docked,
            };
            [
                event(id, trip.departed, &trip.from, false),
                event(id | 1, trip.arrived, &trip.to, true),
            ]
        });
    let mut events: Vec<_> = events.collect();
    events.sort_by_key(|event| event.id);
    let window = |start, partition, amount| Window {
        start,
        partition,
        amount,
    };
    let cursor = |partition, module: &str, next_offset, duplicates| Cursor {
        partition,
        module: module.to_owned(),
        next_offset,
        duplicates,
        failure: None,
    };
    let rejected = Rejected {
        id: 1 << 1,
        line: 4,
        reason: "row has 2 fields".to_owned(),
        row: "600,1".to_owned(),
    };
    let tables = Tables {
        events,
        windows: vec![window(MINUTE, 0, 2), window(3 * MINUTE, 1, 1)],
        rejected: vec![rejected],
        cursors: vec![
            cursor(0, "trip-split", 4, 1),
            cursor(0, "dock-window", 4, 1),
            cursor(1, "trip-split", 3, 0),
            cursor(1, "dock-window", 3, 0),
        ],
        clock: Some(3 * MINUTE),
        docks: BTreeMap::from([("A".to_owned(), 0), ("B".to_owned(), 1)]),
        ..Tables::default()
    };
    let ledger = Ledger {
        trips,
        bad: vec![(4, "600,1".to_owned())],
    };
    (ledger, topic, tables)
}

/// The laws that a damage to the tables breaks.
fn broken(damage: impl FnOnce(&mut Tables)) -> Vec<String> {
    let (ledger, topic, mut tables) = city();
    damage(&mut tables);
    let violations = violations(&ledger, &topic, &tables);
    let laws = violations
        .iter()
        .map(|text| text.split(" (").next().unwrap().to_owned());
    let mut laws: Vec<_> = laws.collect();
    laws.dedup();
    laws
}

#[test]
fn right_tables_break_no_law() {
    assert_eq!(broken(|_| ()), [""; 0]);
}

#[test]
fn a_lost_trip_is_found() {
    let laws = broken(|tables| drop(tables.events.drain(0..2)));
    assert_eq!(laws, ["each row once", "frequency", "each record once"]);
}

#[test]
fn a_lost_arrival_is_found() {
    let laws = broken(|tables| drop(tables.events.pop()));
    assert_eq!(laws, ["each row once", "each record once"]);
}

#[test]
fn a_trip_that_was_stored_once_more_is_found() {
    // The record that was sent again, at offset 2 of partition 0.
    let laws = broken(|tables| {
        let again = |event: &Event| Event {
            id: event.id + (1 << 11),
            ..event.clone()
        };
        let twice: Vec<_> = tables
            .events
            .iter()
            .filter(|event| event.bike.as_deref() == Some("8"))
            .map(again)
            .collect();
        tables.events.extend(twice);
        tables.events.sort_by_key(|event| event.id);
    });
    assert_eq!(laws, ["each row once", "frequency", "each record once"]);
}

#[test]
fn a_time_that_was_changed_is_found() {
    let laws = broken(|tables| tables.events[1].at += 1);
    assert_eq!(laws, ["each row once"]);
}

#[test]
fn departures_out_of_order_are_found() {
    let laws = broken(|tables| {
        tables.events[0].at = MINUTE + 2;
        tables.clock = Some(MINUTE);
    });
    assert!(laws.contains(&"partition order".to_owned()), "{laws:?}");
}

#[test]
fn a_lost_and_a_silent_reject_are_found() {
    assert_eq!(
        broken(|tables| tables.rejected.clear()),
        ["each bad row once", "each record once"]
    );
    let silent = broken(|tables| tables.rejected[0].reason.clear());
    assert_eq!(silent, ["each bad row once"]);
}

#[test]
fn a_wrong_a_lost_and_a_doubled_window_are_found() {
    assert_eq!(
        broken(|tables| tables.windows[0].amount += 1),
        ["frequency"]
    );
    assert_eq!(
        broken(|tables| tables.windows.truncate(tables.windows.len() - 1)),
        ["frequency"]
    );
    assert_eq!(
        broken(|tables| tables.windows.push(tables.windows[0].clone())),
        ["frequency"]
    );
}

#[test]
fn a_cursor_that_skipped_or_stopped_is_found() {
    assert_eq!(
        broken(|tables| tables.cursors[1].next_offset -= 1),
        ["cursors"]
    );
    assert_eq!(
        broken(|tables| tables.cursors[2].failure = Some("gone".to_owned())),
        ["cursors"]
    );
    assert_eq!(broken(|tables| drop(tables.cursors.pop())), ["cursors"]);
}

#[test]
fn a_duplicate_that_was_not_counted_is_found() {
    assert_eq!(
        broken(|tables| tables.cursors[0].duplicates = 0),
        ["each record once"]
    );
}

#[test]
fn a_wrong_count_at_a_dock_is_found() {
    let wrong = |tables: &mut Tables| *tables.docks.get_mut("B").unwrap() = 2;
    assert_eq!(broken(wrong), ["availability"]);
    assert_eq!(broken(|tables| tables.docks.clear()), ["availability"]);
}

#[test]
fn a_clock_that_stands_still_is_found() {
    let laws = broken(|tables| tables.clock = Some(MINUTE));
    assert!(laws.contains(&"clock".to_owned()), "{laws:?}");
}
