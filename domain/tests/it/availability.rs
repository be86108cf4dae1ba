//! Availability against a brute-force oracle, over random cities.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::availability::{BikeEvent, DockCount, DockStatus};
use domain::{Availability, Service, Stock};
use proptest::prelude::*;

const LOCATIONS: i32 = 4;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_583_020_800 + seconds, 0).unwrap()
}

fn event(id: i64, seconds: i64, bike: u8, location_id: i32, docked: bool) -> BikeEvent {
    BikeEvent {
        at: at(seconds),
        id,
        bike_id: Some(bike.to_string().into()),
        location_id,
        docked,
    }
}

/// The definition, word for word: a bike is at a dock if its latest event at or before the clock
/// is an arrival there.
fn oracle(events: &[BikeEvent], clock: DateTime<Utc>) -> Vec<i32> {
    let mut latest: BTreeMap<&str, &BikeEvent> = BTreeMap::new();
    for event in events.iter().filter(|event| event.at <= clock) {
        let bike = event.bike_id.as_deref().unwrap();
        let newer = latest
            .get(bike)
            .is_none_or(|other| (other.at, other.id) < (event.at, event.id));
        if newer {
            latest.insert(bike, event);
        }
    }
    (0..LOCATIONS)
        .map(|location| {
            latest
                .values()
                .filter(|event| event.docked && event.location_id == location)
                .count() as i32
        })
        .collect()
}

fn counts(availability: &Availability) -> Vec<i32> {
    (0..LOCATIONS)
        .map(|location| availability.count(location).bikes)
        .collect()
}

/// Trips of few bikes between few docks: in transit, overlapping, moved by van, all of it.
fn trips() -> impl Strategy<Value = Vec<BikeEvent>> {
    let trip = (0_i64..100, 0_i64..60, 0_u8..5, 0..LOCATIONS, 0..LOCATIONS);
    prop::collection::vec(trip, 0..60).prop_map(|trips| {
        (0..)
            .zip(trips)
            .flat_map(|(rank, (departed, lasted, bike, from, to))| {
                [
                    event(2 * rank, departed, bike, from, false),
                    event(2 * rank + 1, departed + lasted, bike, to, true),
                ]
            })
            .collect()
    })
}

/// Statuses of few docks, some of them of one instant.
fn statuses() -> impl Strategy<Value = Vec<DockStatus>> {
    let status = (0_i64..100, 0..LOCATIONS, 0..30_i32);
    prop::collection::vec(status, 0..20).prop_map(|statuses| {
        (1_000..)
            .zip(statuses)
            .map(|(id, (seconds, location_id, bikes))| DockStatus {
                at: at(seconds),
                id,
                location_id,
                bikes,
                service: Service::default(),
                missing: false,
                stock: Stock::default(),
                last_reported: None,
            })
            .collect()
    })
}

/// As [`oracle`], but for docks with a status at or before the clock: they show the latest one.
fn oracle_with_statuses(
    events: &[BikeEvent],
    statuses: &[DockStatus],
    clock: DateTime<Utc>,
) -> Vec<i32> {
    let latest = |location: i32| {
        let due = statuses.iter().filter(|status| status.at <= clock);
        due.filter(|status| status.location_id == location)
            .max_by_key(|status| (status.at, status.id))
    };
    (0..LOCATIONS)
        .zip(oracle(events, clock))
        .map(|(location, bikes)| latest(location).map_or(bikes, |status| status.bikes))
        .collect()
}

proptest! {
    #[test]
    fn a_dock_shows_its_latest_status_whatever_comes_when_and_how_often(
        events in trips(),
        (statuses, shuffled) in statuses()
            .prop_flat_map(|statuses| (Just(statuses.clone()), Just(statuses).prop_shuffle())),
        clock in 0_i64..170,
    ) {
        let mut availability = Availability::default();
        let (early, late) = shuffled.split_at(shuffled.len() / 2);
        early.iter().for_each(|status| availability.apply_status(*status));
        events.iter().cloned().for_each(|event| availability.apply(event));
        availability.advance(at(clock));
        let bytes = serde_json::to_vec(&availability).unwrap();
        let mut availability: Availability = serde_json::from_slice(&bytes).unwrap();
        late.iter().for_each(|status| availability.apply_status(*status));
        prop_assert_eq!(
            counts(&availability),
            oracle_with_statuses(&events, &statuses, at(clock))
        );
        // All of them again: nothing changes.
        statuses.iter().for_each(|status| availability.apply_status(*status));
        availability.advance(at(170));
        prop_assert_eq!(
            counts(&availability),
            oracle_with_statuses(&events, &statuses, at(170))
        );
    }

    #[test]
    fn availability_equals_the_oracle_at_every_instant(events in trips()) {
        let mut availability = Availability::default();
        for event in events.iter().cloned() {
            availability.apply(event);
        }
        for seconds in (0..170).step_by(7) {
            availability.advance(at(seconds));
            prop_assert_eq!(counts(&availability), oracle(&events, at(seconds)));
        }
    }

    /// The order in which events arrive does not matter, also when they come after their time.
    #[test]
    fn order_of_arrival_does_not_matter(
        (events, shuffled) in trips()
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        clocks in prop::collection::vec(0_i64..170, 1..6),
    ) {
        let mut availability = Availability::default();
        let mut pending = shuffled.into_iter();
        for clock in &clocks {
            for event in pending.by_ref().take(events.len() / clocks.len()) {
                availability.apply(event);
            }
            availability.advance(at(*clock));
        }
        pending.for_each(|event| availability.apply(event));
        let clock = at(*clocks.iter().max().unwrap());
        prop_assert_eq!(counts(&availability), oracle(&events, clock));
    }

    /// The docks reported as changed are all the docks that changed.
    #[test]
    fn what_is_reported_as_changed_adds_up_to_the_counts(events in trips()) {
        let mut availability = Availability::default();
        let mut shown = vec![0; LOCATIONS as usize];
        for (seconds, event) in (0..).zip(events) {
            availability.apply(event);
            availability.advance(at(seconds * 3));
            for (location, count) in availability.take_changed() {
                shown[location as usize] = count.bikes;
            }
            prop_assert_eq!(&shown, &counts(&availability));
        }
    }

    /// A checkpoint written and read back goes on as if nothing had happened.
    #[test]
    fn a_checkpoint_goes_on_where_it_was(events in trips(), cut in 0_usize..120, clock in 0_i64..170) {
        let mut availability = Availability::default();
        let cut = cut.min(events.len());
        events[..cut].iter().cloned().for_each(|event| availability.apply(event));
        availability.advance(at(clock));
        let bytes = serde_json::to_vec(&availability).unwrap();
        let mut again: Availability = serde_json::from_slice(&bytes).unwrap();
        events[cut..].iter().cloned().for_each(|event| again.apply(event));
        again.advance(at(170));
        prop_assert_eq!(counts(&again), oracle(&events, at(170)));
    }
}

#[test]
fn a_bike_in_transit_is_nowhere_and_counts_when_the_clock_reaches_its_arrival() {
    let mut availability = Availability::default();
    availability.apply(event(0, 10, 1, 0, false));
    availability.apply(event(1, 20, 1, 1, true));
    availability.advance(at(19));
    assert_eq!(counts(&availability), [0, 0, 0, 0]);
    availability.advance(at(20));
    assert_eq!(counts(&availability), [0, 1, 0, 0]);
}

#[test]
fn a_bike_moved_by_van_is_counted_where_it_stood_until_it_departs_elsewhere() {
    let mut availability = Availability::default();
    availability.apply(event(1, 10, 1, 1, true));
    availability.apply(event(2, 50, 1, 2, false));
    availability.advance(at(49));
    assert_eq!(counts(&availability), [0, 1, 0, 0]);
    availability.advance(at(50));
    assert_eq!(counts(&availability), [0, 0, 0, 0]);
}

#[test]
fn trips_without_bike_ids_count_up_from_the_least_baseline_and_are_estimated() {
    let mut availability = Availability::default();
    let unknown = |id, seconds, docked| BikeEvent {
        bike_id: None,
        ..event(id, seconds, 0, 0, docked)
    };
    availability.apply(unknown(0, 10, false));
    availability.apply(unknown(2, 20, false));
    availability.apply(unknown(5, 30, true));
    availability.advance(at(30));
    let count = availability.count(0);
    assert_eq!((count.bikes, count.estimated), (1, true));
}

#[test]
fn a_status_is_the_truth_and_no_estimate() {
    let mut availability = Availability::default();
    availability.apply(BikeEvent {
        bike_id: None,
        ..event(0, 10, 0, 0, true)
    });
    availability.apply_status(DockStatus {
        at: at(20),
        id: 2,
        location_id: 0,
        bikes: 7,
        service: Service::default(),
        missing: false,
        stock: Stock::default(),
        last_reported: None,
    });
    availability.advance(at(19));
    let estimate = DockCount {
        bikes: 1,
        estimated: true,
        ..DockCount::default()
    };
    assert_eq!(availability.take_changed(), [(0, estimate)]);
    availability.advance(at(20));
    let truth = DockCount {
        bikes: 7,
        ..DockCount::default()
    };
    assert_eq!(availability.take_changed(), [(0, truth)]);
}

#[test]
fn a_dock_that_a_feed_no_longer_has_keeps_its_count_and_when_it_was_seen() {
    let closed = Service {
        renting: false,
        ..Service::default()
    };
    let status = |id, seconds, missing| DockStatus {
        at: at(seconds),
        id,
        location_id: 4,
        bikes: 3,
        service: closed,
        missing,
        stock: Stock::default(),
        last_reported: None,
    };
    let mut availability = Availability::default();
    let mut shown = |status| {
        availability.apply_status(status);
        availability.advance(at(60));
        availability.count(4)
    };
    let there = DockCount {
        bikes: 3,
        service: closed,
        ..DockCount::default()
    };
    assert_eq!(shown(status(1, 10, false)), there);
    let gone = DockCount {
        last_seen: Some(at(20)),
        ..there
    };
    assert_eq!(shown(status(2, 20, true)), gone);
    assert_eq!(shown(status(3, 50, false)), there);
}

#[test]
fn what_a_dock_has_beside_its_bikes_is_that_of_its_latest_status_also_if_that_says_less() {
    let status = |id, stock, last_reported| DockStatus {
        at: at(id),
        id,
        location_id: 4,
        bikes: 3,
        service: Service::default(),
        missing: false,
        stock,
        last_reported,
    };
    let known = Stock {
        ebikes: Some(2),
        broken_docks: Some(0),
        ..Stock::default()
    };
    let mut availability = Availability::default();
    let mut shown = |status| {
        availability.apply_status(status);
        availability.advance(at(60));
        let count = availability.count(4);
        (count.stock, count.last_reported)
    };
    let first = (known, Some(at(5)));
    assert_eq!(shown(status(10, first.0, first.1)), first);
    assert_eq!(shown(status(5, Stock::default(), None)), first);
    assert_eq!(
        shown(status(20, Stock::default(), None)),
        (Stock::default(), None)
    );
}

#[test]
fn a_checkpoint_from_before_there_was_more_than_a_count_is_read() {
    let status = DockStatus {
        at: at(10),
        id: 1,
        location_id: 4,
        bikes: 3,
        service: Service::default(),
        missing: false,
        stock: Stock::default(),
        last_reported: None,
    };
    let json = serde_json::to_string(&status).unwrap();
    expect_test::expect![[r#"{"at":"2020-03-01T00:00:10Z","id":1,"location_id":4,"bikes":3,"service":{"installed":true,"renting":true,"returning":true},"missing":false}"#]]
        .assert_eq(&json);
    assert_eq!(serde_json::from_str::<DockStatus>(&json).unwrap(), status);
}
