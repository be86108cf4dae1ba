//! Where a station is, and where it was: names and places that change.
//!
//! Trip files and feeds repeat a station's name and place with each row, and the place is not always
//! the same to the metre. [`Location::is_same`] says what is no move; [`LocationHistory`] keeps from when on
//! a station was where, whatever the order in which that is seen.

use chrono::{DateTime, Utc};

use crate::Station;
use crate::geo::distance_m;

/// A station of the same name that is less than this many metres away has not moved.
///
/// Chosen between what was measured: in files of 2018, 2020 and 2021 the places of one station differ
/// by at most 5 cm, and bikes that report their own place are off by some metres; of the stations of
/// March 2014 that had the same name in July 2018, the two that moved furthest did so by 70 and 81 m.
pub(crate) const SAME_WITHIN_M: f64 = 50.0;

/// Locations that a history holds at most (chosen: three a year for ten years). A station that changes
/// more often keeps its first ones and the newest.
pub(crate) const LOCATIONS_MAX: usize = 32;

/// A station's name and place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location<S = String> {
    /// The station's name, nearly always a street corner.
    pub street: S,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
}

impl Station {
    /// Its name and place.
    #[must_use]
    pub fn location(&self) -> Location<&str> {
        Location {
            street: &self.street,
            lat: self.lat,
            lon: self.lon,
        }
    }
}

impl<S: AsRef<str>> Location<S> {
    /// Whether both are one location: the names differ in blanks at most, and the places by less than
    /// [`SAME_WITHIN_M`].
    #[must_use]
    pub fn is_same<T: AsRef<str>>(&self, other: &Location<T>) -> bool {
        let (street, other_street) = (self.street.as_ref(), other.street.as_ref());
        let is_named_so = street == other_street
            || street
                .split_whitespace()
                .eq(other_street.split_whitespace());
        // Nearly all rows repeat the very numbers.
        let is_there = || {
            (self.lat, self.lon) == (other.lat, other.lon)
                || distance_m(self.lat, self.lon, other.lat, other.lon) < SAME_WITHIN_M
        };
        is_named_so && is_there()
    }

    fn owned(&self) -> Location {
        Location {
            street: self.street.as_ref().to_owned(),
            lat: self.lat,
            lon: self.lon,
        }
    }
}

/// A location, and from when on a station had it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownLocation {
    /// Id of the event that showed it.
    pub id: i64,
    /// The earliest event that is known to have seen the station there.
    pub since: DateTime<Utc>,
    /// Where the station was from then on, until the next one.
    pub location: Location,
}

/// What an observation adds to a history.
#[derive(Debug, Clone, PartialEq)]
pub struct LocationChange {
    /// The location that is new, or is known from an earlier instant on.
    pub known: KnownLocation,
    /// The id of the one that it takes the place of.
    pub replaces: Option<i64>,
}

/// The locations of one station, as one reader of its events saw them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocationHistory {
    /// By `since` and id.
    known: Vec<KnownLocation>,
}

impl FromIterator<KnownLocation> for LocationHistory {
    fn from_iter<I: IntoIterator<Item = KnownLocation>>(known: I) -> Self {
        let mut known: Vec<_> = known.into_iter().collect();
        known.sort_by_key(|known| (known.since, known.id));
        Self { known }
    }
}

impl LocationHistory {
    /// Where the station was at an instant: where it was last seen at or before it, or else first of
    /// all; none if it never was seen.
    #[must_use]
    pub fn at(&self, at: DateTime<Utc>) -> Option<&Location> {
        let in_force = self.known.get(self.rank(at).saturating_sub(1));
        in_force.map(|known| &known.location)
    }

    /// Whether an event that sees the station there at an instant says nothing new.
    #[must_use]
    pub fn knows<S: AsRef<str>>(&self, at: DateTime<Utc>, location: &Location<S>) -> bool {
        let (before, _) = self.known.split_at(self.rank(at));
        let in_force = before.last();
        in_force.is_some_and(|known| known.location.is_same(location))
    }

    /// All locations, the earliest first.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        self.known.iter().map(|known| &known.location)
    }

    /// Takes in where an event saw the station; what changes by that, if anything does.
    ///
    /// Ids grow from call to call, and decide between locations of one instant. Events may come in
    /// any order of time. The outcome does not depend on it while the station comes back to no
    /// earlier location; of one that does, an event that repeats what was known leaves no trace, so
    /// that an event before it which comes later may seem to be the newest.
    pub fn observe<S: AsRef<str>>(
        &mut self,
        id: i64,
        at: DateTime<Utc>,
        location: &Location<S>,
    ) -> Option<LocationChange> {
        if self.knows(at, location) {
            return None;
        }
        let after = self.rank(at);
        let later = self.known.get(after);
        let later = later.filter(|known| known.location.is_same(location));
        let (location, replaces) = match later {
            Some(later) => (later.location.clone(), Some(later.id)),
            None if self.known.len() < LOCATIONS_MAX => (location.owned(), None),
            None if after == self.known.len() => {
                (location.owned(), self.known.last().map(|last| last.id))
            }
            None => return None,
        };
        let known = KnownLocation {
            id,
            since: at,
            location,
        };
        self.known.retain(|known| Some(known.id) != replaces);
        self.known
            .insert(after.min(self.known.len()), known.clone());
        Some(LocationChange { known, replaces })
    }

    /// How many locations began at or before an instant.
    fn rank(&self, at: DateTime<Utc>) -> usize {
        self.known.partition_point(|known| known.since <= at)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_600_000_000 + 60 * minute, 0).unwrap()
    }

    /// About `metres` north of a corner in Brooklyn.
    fn location(street: &str, metres: f64) -> Location<&str> {
        Location {
            street,
            lat: 40.688 + metres / 111_195.0,
            lon: -73.985,
        }
    }

    /// What is known after the station was seen so at these minutes, in this order.
    fn check(seen: &[(i64, Location<&str>)], expected: Expect) {
        let history = history_of(seen);
        let line = |known: &KnownLocation| {
            let minute = (known.since - minute(0)).num_minutes();
            format!("{minute} {} (event {})", known.location.street, known.id)
        };
        let lines: Vec<_> = history.known.iter().map(line).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    fn history_of(seen: &[(i64, Location<&str>)]) -> LocationHistory {
        let mut history = LocationHistory::default();
        for (id, (at, location)) in (0..).zip(seen) {
            history.observe(id, minute(*at), location);
        }
        history
    }

    #[test]
    fn a_few_metres_are_no_move_and_a_block_is_one() {
        let here = location("Hoyt St & Warren St", 0.0);
        for metres in [0.0, 3.0, -20.0, 45.0] {
            assert!(here.is_same(&location("Hoyt St & Warren St", metres)));
        }
        for metres in [55.0, -80.5, 2_000.0] {
            assert!(!here.is_same(&location("Hoyt St & Warren St", metres)));
        }
        assert!(here.is_same(&location(" Hoyt St  & Warren St", 1.0)));
        assert!(!here.is_same(&location("Hoyt St & Baltic St", 0.0)));
    }

    #[test]
    fn a_station_is_where_it_was_seen_last_before() {
        let (depot, corner) = (
            location("Depot 3", 0.0),
            location("Bond St & Bergen St", 900.0),
        );
        let history = history_of(&[(10, depot), (12, depot), (20, corner), (30, corner)]);
        let at = |at| history.at(minute(at)).unwrap().street.as_str();
        assert_eq!(
            [5, 10, 19, 20, 99].map(at),
            [
                "Depot 3",
                "Depot 3",
                "Depot 3",
                "Bond St & Bergen St",
                "Bond St & Bergen St"
            ]
        );
        assert_eq!(LocationHistory::default().at(minute(0)), None);
    }

    #[test]
    fn an_older_event_that_comes_later_moves_nothing_back() {
        let (depot, corner) = (
            location("Depot 3", 0.0),
            location("Bond St & Bergen St", 900.0),
        );
        check(
            &[(30, corner), (10, depot), (20, corner), (40, corner)],
            expect![[r#"
                10 Depot 3 (event 1)
                20 Bond St & Bergen St (event 2)"#]],
        );
    }

    #[test]
    fn the_first_location_is_known_from_the_earliest_event_on() {
        let (depot, corner) = (
            location("Depot 3", 0.0),
            location("Bond St & Bergen St", 900.0),
        );
        check(
            &[(30, corner), (20, corner), (10, depot)],
            expect![[r#"
                10 Depot 3 (event 2)
                20 Bond St & Bergen St (event 1)"#]],
        );
    }

    #[test]
    fn a_station_may_come_back_to_where_it_was() {
        let (depot, corner) = (
            location("Depot 3", 0.0),
            location("Bond St & Bergen St", 900.0),
        );
        check(
            &[(10, depot), (20, corner), (30, depot)],
            expect![[r#"
                10 Depot 3 (event 0)
                20 Bond St & Bergen St (event 1)
                30 Depot 3 (event 2)"#]],
        );
    }

    #[test]
    fn of_two_locations_of_one_instant_the_later_event_is_believed() {
        let (depot, corner) = (
            location("Depot 3", 0.0),
            location("Bond St & Bergen St", 900.0),
        );
        let history = history_of(&[(10, depot), (10, corner)]);
        assert!(history.at(minute(10)).unwrap().is_same(&corner));
    }

    #[test]
    fn a_station_that_never_stays_keeps_its_first_locations_and_the_newest() {
        let max = i64::try_from(LOCATIONS_MAX).unwrap();
        let names: Vec<_> = (0..3 * max)
            .map(|number| format!("Stop {number}"))
            .collect();
        let seen = (0..)
            .zip(&names)
            .map(|(at, name)| (at, location(name, 0.0)));
        let history = history_of(&seen.collect::<Vec<_>>());
        assert_eq!(history.known.len(), LOCATIONS_MAX);
        let at = |at| history.at(minute(at)).unwrap().street.as_str();
        assert_eq!(
            [0, max - 2, 3 * max].map(at),
            ["Stop 0", "Stop 30", "Stop 95"]
        );
    }

    /// Instants at which a station that moves at each multiple of 100 was seen, in some order.
    fn sightings() -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec(0_i64..600, 1..40)
    }

    fn seen_at(minutes: &[i64]) -> Vec<(i64, Location<&'static str>)> {
        let names = ["A St", "B St", "C St", "D St", "E St", "F St"];
        let truth = |at: &i64| {
            let jitter = (at % 7) as f64 * 3.0;
            (*at, location(names[(*at / 100) as usize], jitter))
        };
        minutes.iter().map(truth).collect()
    }

    proptest! {
        #[test]
        fn the_order_in_which_moves_are_seen_does_not_matter(minutes in sightings()) {
            let seen = seen_at(&minutes);
            let history = history_of(&seen);
            for (at, location) in seen {
                prop_assert!(history.at(minute(at)).unwrap().is_same(&location));
            }
        }

        #[test]
        fn what_was_seen_before_changes_nothing_and_rows_read_again_are_the_history(
            minutes in sightings(),
        ) {
            let seen = seen_at(&minutes);
            let mut history = history_of(&seen);
            let read: LocationHistory = history.known.iter().rev().cloned().collect();
            prop_assert_eq!(&read, &history);
            for (at, location) in seen {
                prop_assert_eq!(history.observe(1_000, minute(at), &location), None);
            }
            prop_assert_eq!(&read, &history);
        }

        #[test]
        fn changes_told_one_by_one_give_the_history(
            seen in prop::collection::vec((0_i64..20, 0_usize..4), 0..60),
        ) {
            let names = ["A St", "B St", "C St", "D St"];
            let mut history = LocationHistory::default();
            let mut rows = Vec::new();
            for (id, (at, name)) in (0..).zip(seen) {
                let change = history.observe(id, minute(at), &location(names[name], 0.0));
                if let Some(LocationChange { known, replaces }) = change {
                    rows.retain(|row: &KnownLocation| Some(row.id) != replaces);
                    rows.push(known);
                }
            }
            prop_assert_eq!(rows.into_iter().collect::<LocationHistory>(), history);
        }
    }
}
