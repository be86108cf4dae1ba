//! The reference stations by name and by corner, and by names with a slip of the finger.

use std::collections::{BTreeMap, BTreeSet};

use domain::geo::distance_m;
use domain::stations::ReferenceStation;
use strsim::levenshtein;

use super::address::{ParsedSearch, Street, is_kind, parse};
use super::area::Areas;
use super::words::words;

/// Docks of one name that stand closer than this are one place (chosen: two blocks, for a dock
/// that was moved across its corner keeps its name).
const ONE_PLACE_M: f64 = 160.0;

/// A reference station with its name in parts.
#[derive(Debug, Clone)]
pub(super) struct Dock {
    pub(super) station: &'static ReferenceStation,
    pub(super) parsed: ParsedSearch,
    /// Where it stands: two areas if on their border.
    pub(super) areas: Areas,
    words: Vec<String>,
}

impl Dock {
    pub(super) fn new(station: &'static ReferenceStation) -> Self {
        let street = station.street;
        // `E 58 St & 1 Ave (NE Corner)`, `2 Ave & 36 St - Citi Bike HQ`: the corner comes first.
        let corner = street.split(" (").next().unwrap_or(street);
        let corner = corner.split(" - ").next().unwrap_or(corner);
        Self {
            station,
            parsed: parse(&words(corner)),
            areas: Areas::around((station.lat, station.lon)),
            words: words(street),
        }
    }

    /// Its corner, in the order of the streets.
    fn corner(&self) -> Option<(Street, Street)> {
        match &self.parsed {
            ParsedSearch::Corner(a, b) => Some(in_order(a, b)),
            _ => None,
        }
    }
}

/// What a name or a corner leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    Nothing,
    One(&'a Dock),
    /// Docks far from each other.
    Several,
}

impl<'a> Found<'a> {
    fn of(mut docks: impl Iterator<Item = &'a Dock>) -> Self {
        let Some(first) = docks.next() else {
            return Self::Nothing;
        };
        let at = first.station;
        let is_far = docks.any(|dock| {
            let other = dock.station;
            distance_m(at.lat, at.lon, other.lat, other.lon) > ONE_PLACE_M
        });
        if is_far {
            Self::Several
        } else {
            Self::One(first)
        }
    }
}

/// All docks known.
#[derive(Debug, Clone)]
pub(super) struct Docks {
    docks: Vec<Dock>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_corner: BTreeMap<(Street, Street), Vec<usize>>,
    /// Words of names that are letters alone.
    vocabulary: BTreeSet<String>,
}

impl Docks {
    pub(super) fn new(docks: Vec<Dock>) -> Self {
        let (mut by_name, mut by_corner) =
            (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        let mut vocabulary = BTreeSet::new();
        for (index, dock) in docks.iter().enumerate() {
            by_name.entry(dock.words.join(" ")).or_default().push(index);
            if let Some(corner) = dock.corner() {
                by_corner.entry(corner).or_default().push(index);
            }
            vocabulary.extend(dock.words.iter().filter(|word| !is_rigid(word)).cloned());
        }
        Self {
            docks,
            by_name,
            by_corner,
            vocabulary,
        }
    }

    /// The dock with this name in `areas`.
    pub(super) fn named(&self, words: &[String], areas: Areas) -> Found<'_> {
        self.found(self.by_name.get(&words.join(" ")), areas)
    }

    /// The dock at the corner of two streets in `areas`.
    pub(super) fn at_corner(&self, a: &Street, b: &Street, areas: Areas) -> Found<'_> {
        self.found(self.by_corner.get(&in_order(a, b)), areas)
    }

    fn found(&self, indices: Option<&Vec<usize>>, areas: Areas) -> Found<'_> {
        let docks = indices
            .into_iter()
            .flatten()
            .filter_map(|index| self.docks.get(*index));
        Found::of(docks.filter(|dock| dock.areas.meets(areas)))
    }

    /// The one dock whose name differs by a letter or two.
    ///
    /// Numbers, sides and kinds of streets, and letters that are names, tell one street from
    /// another: they must be the same. A word that some other name has is no slip either.
    pub(super) fn nearly_named(&self, typed: &[String], areas: Areas) -> Option<&Dock> {
        let letters = typed.join(" ").chars().count();
        if letters < 6 {
            return None;
        }
        let most = 1 + letters / 12;
        let mut near: Vec<_> = self
            .docks
            .iter()
            .filter(|dock| dock.areas.meets(areas))
            .filter_map(|dock| Some((self.slips(typed, &dock.words)?, dock)))
            .filter(|(apart, _)| *apart <= most)
            .collect();
        near.sort_by_key(|(apart, _)| *apart);
        let least = near.first()?.0;
        let nearest = near.iter().take_while(|(apart, _)| *apart == least);
        match Found::of(nearest.map(|(_, dock)| *dock)) {
            Found::One(dock) => Some(dock),
            Found::Nothing | Found::Several => None,
        }
    }

    /// Letters to change, add or leave out to make one text the other; none if they differ in more
    /// than slips.
    fn slips(&self, typed: &[String], name: &[String]) -> Option<usize> {
        let is_known = |word: &String| is_rigid(word) || self.vocabulary.contains(word);
        let is_slip = || {
            let mut words = typed.iter();
            words.all(|word| name.contains(word) || !is_known(word))
        };
        let is_one_street = rigid(typed).eq(rigid(name));
        (is_one_street && is_slip()).then(|| levenshtein(&typed.join(" "), &name.join(" ")))
    }
}

fn rigid(words: &[String]) -> impl Iterator<Item = &String> {
    words.iter().filter(|word| is_rigid(word))
}

/// Whether no letter of a word can be a slip.
fn is_rigid(word: &str) -> bool {
    word.chars().count() < 2 || is_kind(word) || word.contains(|c: char| c.is_ascii_digit())
}

fn in_order(a: &Street, b: &Street) -> (Street, Street) {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    (first.clone(), second.clone())
}

#[cfg(test)]
mod tests {
    use domain::stations::reference_stations;

    use super::*;

    fn check(typed: &str, expected: Option<&str>) {
        let docks = Docks::new(reference_stations().iter().map(Dock::new).collect());
        let found = docks.nearly_named(&words(typed), Areas::ALL);
        assert_eq!(found.map(|dock| dock.station.street), expected, "{typed}");
    }

    #[test]
    fn a_slip_of_the_finger_is_forgiven() {
        check("Hambolt St & Varet St", Some("Humboldt St & Varet St"));
        check(
            "Grannd Army Plaza & Plaza St West",
            Some("Grand Army Plaza & Plaza St West"),
        );
        check("Rosevelt Island Tramway", Some("Roosevelt Island Tramway"));
    }

    #[test]
    fn another_number_side_kind_or_letter_is_another_street() {
        for typed in [
            "Driggs Ave & N 8 St",
            "Driggs Ave & S 9 St",
            "31 St & 21 Ave",
            "Kent Ave & N 11 St",
            "Columbus Blvd",
            "45 St & 11 St",
            "E 2 St & Avenue D",
            "E 2 St & Ave E",
            "Pershing Square East",
        ] {
            check(typed, None);
        }
    }

    #[test]
    fn a_word_of_another_name_is_no_slip() {
        // Berry St and Perry St are both there.
        check("Perry St & N 8 St", None);
        check("Bank St & Hudsan St", Some("Bank St & Hudson St"));
    }
}
