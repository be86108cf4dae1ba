//! Some trips of a file, by which it is known again under whatever name, format or header.
//!
//! ```text
//!  trips ─ hash of the minutes of departure and arrival ─ the least ones ─▶ sample
//! ```
//!
//! Two files sample the same trips, as far as both hold them, so their samples tell how many trips
//! they share. What is compared is what stays when a month is published again: both times to the
//! second, and both stations by id or place. Bikes count only if both files name bikes (since 2021
//! none does), and `ride_id` never: spreadsheets spoil it, and older files have none.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::compact::{CompactTrip, Names, Place};

/// Trips of one file (chosen: a share is known to about two in a hundred, in 230 kB).
pub(crate) const SAMPLE_MAX: usize = 4_096;

/// Two records of one trip differ by no more (files have lost or rounded their fractions).
const SAME_WITHIN: i64 = 1_000_000;

/// Times of one cell have one hash.
const CELL_MICROS: i64 = 60_000_000;

/// Cells begin at this time of a minute: where no whole second is near, so that a lost fraction
/// changes a cell of one trip in 120 only.
const CELL_OFFSET: i64 = 30_500_000;

/// How far apart, in millionths of a degree, two places of one station are at most: 100 m, north to
/// south and, in New York, east to west.
const SAME_LAT: i32 = 900;
const SAME_LON: i32 = 1_190;

/// One trip, in 52 bytes beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Numbers", into = "Numbers")]
struct Sampled {
    /// What decides whether it is sampled.
    key: u64,
    departed_at: i64,
    arrived_at: i64,
    from: Spot,
    to: Spot,
    /// Hash of the bike's id; 0 if there is none.
    bike: u32,
}

/// A station: hash of its id, and its place in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Spot(u32, i32, i32);

/// A trip as it is written.
type Numbers = (i64, i64, Spot, Spot, u32);

impl From<Numbers> for Sampled {
    fn from((departed_at, arrived_at, from, to, bike): Numbers) -> Self {
        Self {
            key: key(departed_at, arrived_at),
            departed_at,
            arrived_at,
            from,
            to,
            bike,
        }
    }
}

impl From<Sampled> for Numbers {
    fn from(trip: Sampled) -> Self {
        let Sampled { from, to, bike, .. } = trip;
        (trip.departed_at, trip.arrived_at, from, to, bike)
    }
}

/// The trips of one file whose keys are below a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// How many trips the file has.
    pub(crate) trips: u64,
    /// All trips below it are here; none if all of the file are.
    limit: Option<u64>,
    /// Ordered by key.
    sampled: Vec<Sampled>,
}

/// Takes the trips of one file, in any order.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    trips: u64,
    limit: Option<u64>,
    least: BinaryHeap<Sampled>,
}

/// What two files have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Trips that are in both.
    pub(crate) trips: u64,
    /// Whether it is counted, both samples being whole files; else it is an estimate.
    pub(crate) is_exact: bool,
    /// Of a thousand trips of this file, those that are in the other.
    pub(crate) of_this: u64,
    /// Of a thousand trips of the other file, those that are in this one.
    pub(crate) of_other: u64,
}

impl Sampler {
    /// Takes a trip, whose station and bike are in `names`.
    pub(crate) fn push(&mut self, trip: &CompactTrip, names: &Names) {
        self.trips += 1;
        let key = key(trip.departed_at, trip.arrived_at);
        if self.limit.is_some_and(|limit| key >= limit) {
            return;
        }
        let bike = |bike| short(xxh3_64(names.bike_json(bike).as_bytes())).max(1);
        self.least.push(Sampled {
            key,
            departed_at: trip.departed_at,
            arrived_at: trip.arrived_at,
            from: spot(&trip.from, names),
            to: spot(&trip.to, names),
            bike: trip.bike.map_or(0, bike),
        });
        if self.least.len() > SAMPLE_MAX {
            self.limit = self.least.pop().map(|greatest| greatest.key);
        }
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Sample {
        let mut sample = Sample {
            trips: self.trips,
            limit: self.limit,
            sampled: self.least.into_sorted_vec(),
        };
        sample.cut();
        sample
    }
}

impl Sample {
    /// Whether it is one of ours: what was read may be anything.
    pub(crate) fn is_valid(&self) -> bool {
        let is_below = |last: &Sampled| self.limit.is_none_or(|limit| last.key < limit);
        self.sampled.len() <= SAMPLE_MAX
            && self.sampled.is_sorted()
            && self.sampled.last().is_none_or(is_below)
    }

    /// How many trips are sampled: what its memory is.
    pub(crate) fn len(&self) -> usize {
        self.sampled.len()
    }

    /// Keeps about so many.
    pub(crate) fn shrink(&mut self, len: usize) {
        if let Some(first) = self.sampled.get(len) {
            self.limit = Some(first.key);
            self.cut();
            self.sampled.shrink_to_fit();
        }
    }

    /// Of trips with the key of the limit some may be missing: none of them is kept.
    fn cut(&mut self) {
        let below = self.below(self.limit).len();
        self.sampled.truncate(below);
    }

    fn below(&self, limit: Option<u64>) -> &[Sampled] {
        let is_below = |trip: &Sampled| limit.is_none_or(|limit| trip.key < limit);
        let len = self.sampled.partition_point(is_below);
        self.sampled.get(..len).unwrap_or_default()
    }

    fn names_bikes(&self) -> bool {
        self.sampled.iter().any(|trip| trip.bike != 0)
    }

    /// How many trips are in both files.
    pub(crate) fn shared(&self, other: &Self) -> Shared {
        let limit = match (self.limit, other.limit) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let (ours, theirs) = (self.below(limit), other.below(limit));
        let by_bike = self.names_bikes() && other.names_bikes();
        let matched = matches(ours, theirs, by_bike);
        // Of the smaller file a larger part is sampled below the limit: it tells more.
        let trips = match self.trips <= other.trips {
            true => part(self.trips, matched, ours.len()),
            false => part(other.trips, matched, theirs.len()),
        };
        Shared {
            trips,
            is_exact: limit.is_none(),
            of_this: part(1_000, matched, ours.len()),
            of_other: part(1_000, matched, theirs.len()),
        }
    }
}

/// `matched` of `of`, carried over to `whole`.
fn part(whole: u64, matched: usize, of: usize) -> u64 {
    let part = (u128::from(whole) * matched as u128).checked_div(of as u128);
    u64::try_from(part.unwrap_or_default()).unwrap_or(whole)
}

/// How many trips of one list have one of their own in the other; both are ordered by key.
fn matches(ours: &[Sampled], theirs: &[Sampled], by_bike: bool) -> usize {
    let mut theirs = theirs.chunk_by(|a, b| a.key == b.key).peekable();
    let mut count = 0;
    for ours in ours.chunk_by(|a, b| a.key == b.key) {
        let key = ours.first().map(|trip| trip.key);
        let key_of = |trips: &&[Sampled]| trips.first().map(|trip| trip.key);
        while theirs.next_if(|trips| key_of(trips) < key).is_some() {}
        let Some(theirs) = theirs.next_if(|trips| key_of(trips) == key) else {
            continue;
        };
        let mut free: Vec<_> = theirs.iter().collect();
        for trip in ours {
            let found = free.iter().position(|other| trip.is_same(other, by_bike));
            count += usize::from(found.map(|index| free.swap_remove(index)).is_some());
        }
    }
    count
}

impl Sampled {
    fn is_same(&self, other: &Self, by_bike: bool) -> bool {
        let near = |a: i64, b: i64| a.abs_diff(b) <= SAME_WITHIN.unsigned_abs();
        near(self.departed_at, other.departed_at)
            && near(self.arrived_at, other.arrived_at)
            && (!by_bike || self.bike == other.bike)
            && self.from.is_same(other.from)
            && self.to.is_same(other.to)
    }
}

impl Spot {
    fn is_same(self, other: Self) -> bool {
        let is_near = self.1.abs_diff(other.1) <= SAME_LAT.unsigned_abs()
            && self.2.abs_diff(other.2) <= SAME_LON.unsigned_abs();
        self.0 == other.0 || is_near
    }
}

fn spot(place: &Place, names: &Names) -> Spot {
    #[expect(clippy::cast_possible_truncation, reason = "degrees in millionths fit")]
    let micros = |degrees: f64| (degrees * 1e6).round() as i32;
    let station = short(names.station_key(place.station).hash);
    Spot(station, micros(place.lat), micros(place.lon))
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is one")]
fn short(hash: u64) -> u32 {
    hash as u32
}

fn key(departed_at: i64, arrived_at: i64) -> u64 {
    let cell = |at: i64| (at - CELL_OFFSET).div_euclid(CELL_MICROS);
    xxh3_64_with_seed(
        &cell(arrived_at).to_le_bytes(),
        cell(departed_at).cast_unsigned(),
    )
}

#[cfg(test)]
mod tests {
    use domain::Station;
    use proptest::prelude::*;

    use super::*;

    /// A trip of bike `bike` that departed at a second and lasted so many.
    fn trip(
        names: &mut Names,
        (second, lasted, from, bike): (i64, i64, u8, Option<u8>),
    ) -> CompactTrip {
        let mut place = |number: u8| {
            names.place(&Station {
                station_id: format!("HB{number}"),
                street: "Park Ave".to_owned(),
                lat: 40.7 + f64::from(number) / 300.0,
                lon: -74.0,
            })
        };
        let (from, to) = (place(from), place(from / 2 + 1));
        CompactTrip {
            departed_at: second * 1_000_000,
            arrived_at: (second + lasted) * 1_000_000,
            bike: bike.map(|bike| names.bike(&bike.to_string())),
            from,
            to,
            rider: None,
            bike_kind: None,
        }
    }

    type Numbers = (i64, i64, u8, Option<u8>);

    fn sample_of(trips: &[Numbers], change: impl Fn(usize, &mut CompactTrip)) -> Sample {
        let (mut names, mut sampler) = (Names::default(), Sampler::default());
        for (index, numbers) in trips.iter().enumerate() {
            let mut trip = trip(&mut names, *numbers);
            change(index, &mut trip);
            sampler.push(&trip, &names);
        }
        sampler.finish()
    }

    /// Trips of a month, from this second on, all of them different.
    fn month(count: i64, from: i64) -> Vec<Numbers> {
        let second = |number: i64| from + number * 2_592_000 / count;
        (0..count)
            .map(|number| {
                (
                    second(number),
                    300 + number * 37 % 1_800,
                    (number % 50) as u8,
                    None,
                )
            })
            .collect()
    }

    #[test]
    fn a_file_shares_its_trips_with_a_year_and_with_a_copy_whose_fractions_are_lost() {
        let june = month(30_000, 1_500_000_000);
        let year: Vec<_> = (0..12)
            .flat_map(|n| month(30_000, 1_500_000_000 + (n - 5) * 2_592_000))
            .collect();
        let whole = |_: usize, _: &mut CompactTrip| {};
        let fractions = |index: usize, trip: &mut CompactTrip| {
            trip.departed_at += index as i64 * 7_919 % 1_000_000;
            trip.arrived_at += index as i64 * 104_729 % 1_000_000;
        };
        let (june_sample, year_sample) = (sample_of(&june, fractions), sample_of(&year, whole));
        let shared = june_sample.shared(&year_sample);
        assert!(shared.of_this >= 950 && !shared.is_exact, "{shared:?}");
        assert!((60..110).contains(&shared.of_other), "{shared:?}");
        assert!(
            shared.trips >= 28_500 && shared.trips <= 30_000,
            "{shared:?}"
        );
        let copy = june_sample.shared(&sample_of(&june, whole));
        assert!(copy.of_this >= 950 && copy.of_other >= 950, "{copy:?}");
        let july = sample_of(&month(30_000, 1_502_592_000), whole);
        assert_eq!(june_sample.shared(&july).trips, 0);
    }

    #[test]
    fn renumbered_stations_that_stand_where_they_stood_are_the_same() {
        let march = month(500, 1_520_000_000);
        let sample = sample_of(&march, |_, _| {});
        let (mut names, mut sampler) = (Names::default(), Sampler::default());
        for numbers in &march {
            let mut trip = trip(&mut names, *numbers);
            for place in [&mut trip.from, &mut trip.to] {
                place.station = names.station(&format!("JC{:?}", place.station), "Park Ave");
                place.lat += 0.000_4;
            }
            sampler.push(&trip, &names);
        }
        let shared = sample.shared(&sampler.finish());
        assert_eq!((shared.trips, shared.is_exact), (500, true));
    }

    proptest! {
        #[test]
        fn what_is_shared_is_counted_exactly_in_files_that_are_sampled_whole(
            common in prop::collection::hash_set((0_i64..100_000, 60_i64..2_000, 0_u8..9), 0..60),
            split in 0_usize..60,
            bikes in any::<bool>(),
        ) {
            // Two seconds apart, so that no trip is like another one.
            let trips: Vec<_> = common.iter().map(|&(second, lasted, from)| {
                (second * 2_000, lasted * 2, from, bikes.then_some(from))
            }).collect();
            let (left, right) = trips.split_at(split.min(trips.len()));
            let mut more = right.to_vec();
            more.extend(left.iter().map(|&(second, lasted, from, bike)| (second + 50_000_000_000, lasted, from, bike)));
            more.reverse();
            let (all, some) = (sample_of(&trips, |_, _| {}), sample_of(&more, |_, _| {}));
            let shared = all.shared(&some);
            prop_assert_eq!((shared.trips, shared.is_exact), (right.len() as u64, true));
            prop_assert_eq!(some.shared(&all).trips, shared.trips);
            let written = serde_json::to_string(&some).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sample>(&written).unwrap(), some);
        }

        #[test]
        fn a_smaller_sample_tells_the_same_share(keep in 300_usize..4_096) {
            let june = month(20_000, 1_500_000_000);
            let half: Vec<_> = june.iter().step_by(2).copied().collect();
            let (mut all, half) = (sample_of(&june, |_, _| {}), sample_of(&half, |_, _| {}));
            all.shrink(keep);
            prop_assert!(all.len() <= keep);
            let shared = half.shared(&all);
            prop_assert_eq!(shared.of_this, 1_000);
            prop_assert!((400..600).contains(&shared.of_other), "{:?}", shared);
        }
    }
}
