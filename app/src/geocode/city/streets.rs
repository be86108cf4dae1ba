//! Streets by their name in one spelling, with their houses and corners.

use std::collections::{BTreeMap, HashMap};

use basemap::{Addresses, NamedStreet, Point};
use domain::geo::distance_m;

use super::query::HouseNumber;
use crate::geocode::degrees::Degrees;
use crate::geocode::words::words;
use crate::words::{Message, Word};

/// Metres between two houses of one side between which a third is guessed (chosen: two long blocks; the
/// guess is half of it off at most).
const GUESS_M_MAX: f64 = 250.0;

/// How far their numbers may be apart.
const GUESS_NUMBERS_MAX: u32 = 40;

/// Houses of nearby numbers that are looked at on either side of one that is not known.
const NEIGHBOURS_MAX: usize = 24;

/// Everything of a map that is found by streets.
#[derive(Debug)]
pub(super) struct Streets {
    addresses: Addresses,
    by_spelling: HashMap<String, Vec<u32>>,
    corners: BTreeMap<[u32; 2], Vec<Degrees>>,
    meeting: HashMap<u32, Vec<u32>>,
}

/// A place that fits a search, and how it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// Number and street, or two streets, as the map writes them.
    pub(super) label: String,
    pub(super) at: Degrees,
    pub(super) accuracy: Message,
}

impl Streets {
    pub(super) fn new(addresses: Addresses) -> Self {
        let mut by_spelling = HashMap::<_, Vec<_>>::new();
        for (index, street) in (0..).zip(&addresses.streets) {
            by_spelling
                .entry(spelling(&street.name))
                .or_default()
                .push(index);
        }
        let mut corners = BTreeMap::<_, Vec<_>>::new();
        let mut meeting = HashMap::<_, Vec<_>>::new();
        for corner in &addresses.corners {
            corners
                .entry(corner.streets)
                .or_default()
                .push(degrees(corner.at));
            let [a, b] = corner.streets;
            meeting.entry(a).or_default().push(b);
            meeting.entry(b).or_default().push(a);
        }
        Self {
            addresses,
            by_spelling,
            corners,
            meeting,
        }
    }

    /// All of them, in the order of their names.
    pub(super) fn all(&self) -> &[NamedStreet] {
        &self.addresses.streets
    }

    /// Those of a name in one spelling.
    pub(super) fn named(&self, spelling: &str) -> impl Iterator<Item = (u32, &NamedStreet)> {
        let indices = self.by_spelling.get(spelling).into_iter().flatten();
        indices.map(|index| (*index, &self.addresses.streets[*index as usize]))
    }

    pub(super) fn has(&self, spelling: &str) -> bool {
        self.by_spelling.contains_key(spelling)
    }

    /// The streets that meet one.
    pub(super) fn meeting(&self, street: u32) -> impl Iterator<Item = &NamedStreet> {
        let others = self.meeting.get(&street).into_iter().flatten();
        others.map(|other| &self.addresses.streets[*other as usize])
    }

    /// The name of a corner.
    pub(super) fn first_corner(&self) -> Option<String> {
        let [a, b] = self.corners.keys().next()?;
        let name = |street: &u32| &self.addresses.streets[*street as usize].name;
        Some(format!("{} & {}", name(a), name(b)))
    }

    /// Where two streets meet.
    pub(super) fn corners(&self, first: &str, second: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (a, street) in self.named(first) {
            for (b, other) in self.named(second) {
                let at = self
                    .corners
                    .get(&[a.min(b), a.max(b)])
                    .into_iter()
                    .flatten();
                found.extend(at.map(|at| Candidate {
                    label: format!("{} & {}", street.name, other.name),
                    at: *at,
                    accuracy: Word::CornerOfStreets.into(),
                }));
            }
        }
        found
    }

    /// Houses of this number; else those between whose neighbours it must be.
    pub(super) fn houses(&self, spelling: &str, house: &HouseNumber) -> Vec<Candidate> {
        let known: Vec<_> = self
            .named(spelling)
            .flat_map(|(_, it)| known(it, house))
            .collect();
        if !known.is_empty() {
            return known;
        }
        self.named(spelling)
            .flat_map(|(_, it)| guessed(it, house))
            .collect()
    }
}

/// `Main Street` → `main st`.
pub(super) fn spelling(name: &str) -> String {
    words(name).join(" ")
}

fn degrees(point: Point) -> Degrees {
    (point.lat(), point.lon())
}

/// The houses of this number; where none has what follows it, those of its digits.
fn known(street: &NamedStreet, house: &HouseNumber) -> Vec<Candidate> {
    let numbers = &street.numbers;
    let from = numbers.partition_point(|known| known.number < house.number);
    let to = numbers.partition_point(|known| known.number <= house.number);
    // A map's file is its maker's word: out of order, its numbers are not found.
    let same = numbers.get(from..to).unwrap_or_default();
    let is_exact = same.iter().any(|known| known.rest == house.rest);
    let fitting = same
        .iter()
        .filter(|known| !is_exact || known.rest == house.rest);
    let houses = fitting.map(|known| Candidate {
        label: format!("{}{} {}", known.number, known.rest, street.name),
        at: degrees(known.at),
        accuracy: match is_exact {
            true => Word::HouseOfNumber.into(),
            false => {
                let number = format!("{}{}", known.number, known.rest);
                Message::new(Word::HouseNumber, [number.into()])
            }
        },
    });
    houses.collect()
}

/// Between the nearest lower and higher number of the same side: even or odd.
fn guessed(street: &NamedStreet, house: &HouseNumber) -> Vec<Candidate> {
    let number = house.number;
    let at = street
        .numbers
        .partition_point(|known| known.number < number);
    let (lower, higher) = street.numbers.split_at(at);
    let is_near = |known: &&basemap::HouseNumber| {
        let apart = known.number.abs_diff(number);
        apart.is_multiple_of(2) && apart <= GUESS_NUMBERS_MAX
    };
    let lower = lower.iter().rev().take(NEIGHBOURS_MAX).filter(is_near);
    let mut guesses: Vec<(u32, Candidate)> = Vec::new();
    for before in lower {
        for after in higher.iter().take(NEIGHBOURS_MAX).filter(is_near) {
            let ((lat, lon), (to_lat, to_lon)) = (degrees(before.at), degrees(after.at));
            if distance_m(lat, lon, to_lat, to_lon) > GUESS_M_MAX {
                continue;
            }
            let apart = after.number - before.number;
            let share = f64::from(number - before.number) / f64::from(apart);
            let candidate = Candidate {
                label: format!("{number}{} {}", house.rest, street.name),
                at: (lat + (to_lat - lat) * share, lon + (to_lon - lon) * share),
                accuracy: Message::new(
                    Word::BetweenNumbers,
                    [before.number.into(), after.number.into()],
                ),
            };
            guesses.push((apart, candidate));
        }
    }
    let least = guesses.iter().map(|(apart, _)| *apart).min();
    let best = guesses
        .into_iter()
        .filter(|(apart, _)| Some(*apart) == least);
    best.map(|(_, candidate)| candidate).collect()
}
