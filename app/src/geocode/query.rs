//! The two halves of a search: the street, and where it is said to be.

use std::slice;

use super::address::is_kind;
use super::area::Areas;
use super::numbers::is_number;
use super::places::{AreaHint, WORDS_MAX, area_hint};
use super::words::words;

/// A search in one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// The words of the street, without unit and town.
    pub(super) street: Vec<String>,
    /// Where it is said to be; none where nothing is said. Empty if what is said does not agree.
    pub(super) said: Option<Areas>,
    /// Words after a comma that are no place known.
    pub(super) unknown: Option<String>,
}

impl Query {
    /// Reads a search. A town may follow the street without a comma where what is left of it
    /// `is_street`.
    pub(super) fn read(text: &str, is_street: impl Fn(&[String]) -> bool) -> Self {
        let text = text.replace('#', " unit ");
        let mut parts = text
            .split(',')
            .map(|part| without_unit(words(part)))
            .filter(|part| !part.is_empty());
        let mut street = parts.next().unwrap_or_default();
        let mut said = Said::default();
        while let Some((rest, hint)) = last_hint(&street).filter(|(rest, _)| is_street(rest)) {
            said.add(hint);
            street = rest.to_vec();
        }
        let mut places = parts.filter(|part| !is_unit_alone(part));
        let unknown = places.find_map(|part| said.add_all(&part));
        // `350 W 42 St 12B`: nothing else is of this form behind the kind of a street.
        if let [.., kind, unit] = street.as_slice()
            && is_kind(kind)
            && unit.ends_with(|last: char| last.is_ascii_alphabetic())
            && is_unit_alone(slice::from_ref(unit))
        {
            street.pop();
        }
        Self {
            // `PH Brooklyn`: only without its town does a unit end the street.
            street: without_unit(street),
            said: said.areas(),
            unknown,
        }
    }
}

/// The name that ends `words`, the longest there is, with the words before it.
fn last_hint(words: &[String]) -> Option<(&[String], AreaHint)> {
    let longest = words.len().min(WORDS_MAX);
    (1..=longest).rev().find_map(|length| {
        let (rest, name) = words.split_at(words.len() - length);
        Some((rest, area_hint(&name.join(" "))?))
    })
}

/// All that was said about the place of a street.
#[derive(Debug, Default)]
struct Said {
    inside: Option<Areas>,
    around: Option<Areas>,
    is_new_york: bool,
}

impl Said {
    /// Takes a part after a comma; gives back what of it is no name known.
    fn add_all(&mut self, mut part: &[String]) -> Option<String> {
        while let Some((rest, hint)) = last_hint(part) {
            self.add(hint);
            part = rest;
        }
        (!part.is_empty()).then(|| part.join(" "))
    }

    fn add(&mut self, hint: AreaHint) {
        let (so_far, areas) = match hint {
            AreaHint::In(areas) => (&mut self.inside, areas),
            AreaHint::Around(areas) => (&mut self.around, areas),
            AreaHint::NewYork => {
                self.is_new_york = true;
                return;
            }
        };
        *so_far = Some(so_far.map_or(areas, |so_far| so_far & areas));
    }

    /// What all names have in common. As the only town New York is Manhattan, by its post; beside
    /// another it is the city or the state.
    fn areas(&self) -> Option<Areas> {
        let new_york = self.is_new_york.then_some(match self.inside {
            None => Areas::MANHATTAN,
            Some(_) => Areas::CITY,
        });
        [self.inside, self.around, new_york]
            .into_iter()
            .flatten()
            .reduce(|a, b| a & b)
    }
}

/// Leaves out `apt 12b`, `suite 400`, `fl 3`, `3rd floor`, `ph`.
fn without_unit(words: Vec<String>) -> Vec<String> {
    const KINDS: [&str; 16] = [
        "apt",
        "apartment",
        "unit",
        "ste",
        "suite",
        "rm",
        "room",
        "fl",
        "flr",
        "floor",
        "bldg",
        "ph",
        "penthouse",
        "basement",
        "bsmt",
        "lobby",
    ];
    let is_kind = |word: &String| KINDS.contains(&word.as_str());
    let Some(at) = words.iter().position(is_kind) else {
        return words;
    };
    let (before, rest) = words.split_at(at);
    let kinds = rest.iter().take_while(|word| is_kind(word)).count();
    let is_floor = rest.first().is_some_and(|kind| kind.starts_with("fl"));
    let has_id = rest.get(kinds).is_some_and(|id| is_unit_id(id, is_floor));
    // `3rd floor`: the number stands before, and ends nothing else.
    let counted = before.last().filter(|_| is_floor && !has_id);
    let is_counted = counted.is_some_and(|word| is_number(word) || word == "ground");
    if !(has_id || is_counted || rest.len() == kinds && !is_state(rest)) {
        return words;
    }
    let before = &before[..before.len() - usize::from(is_counted)];
    let after = &rest[kinds + usize::from(has_id)..];
    without_unit([before, after].concat())
}

/// `12b`, `4-c` and `b` are units; a floor has a short number, for `FL 33101` is Florida.
fn is_unit_id(word: &str, is_floor: bool) -> bool {
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    let length_max = if is_floor { 3 } else { 6 };
    word.len() <= if has_digit { length_max } else { 1 }
}

/// A part that is the number of a unit, `12b` or `7710`, without saying so; no ZIP code is so short.
fn is_unit_alone(part: &[String]) -> bool {
    let [unit] = part else { return false };
    unit.len() <= 4 && unit.starts_with(|first: char| first.is_ascii_digit())
}

/// `fl` alone is Florida.
fn is_state(words: &[String]) -> bool {
    words.len() == 1 && words.iter().all(|word| word == "fl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geocode::address::{ParsedSearch, parse};

    fn read(text: &str) -> Query {
        Query::read(text, |street| parse(street) != ParsedSearch::Other)
    }

    #[test]
    fn what_follows_the_street_says_where_it_is() {
        for (text, street, said) in [
            ("1 Park Ave", "1 park ave", None),
            ("1 Park Ave, NYC", "1 park ave", Some(Areas::CITY)),
            ("1 Park Ave, New York", "1 park ave", Some(Areas::MANHATTAN)),
            (
                "1 Park Ave, New York, NY 10016, USA",
                "1 park ave",
                Some(Areas::MANHATTAN),
            ),
            (
                "1 Park Ave New York NY 10016",
                "1 park ave",
                Some(Areas::MANHATTAN),
            ),
            (
                "1 Park Ave, New York, NY 11205",
                "1 park ave",
                Some(Areas::BROOKLYN),
            ),
            (
                "77 Park Ave, Hoboken NJ 07030-1234",
                "77 park ave",
                Some(Areas::NEW_JERSEY),
            ),
            (
                "20-10 Steinway St Long Island City",
                "20-10 steinway st",
                Some(Areas::QUEENS),
            ),
            (
                "5 Ave & 9 St, Brooklyn, New York",
                "5 ave & 9 st",
                Some(Areas::BROOKLYN),
            ),
            ("12 New York Ave", "12 new york ave", None),
            ("12 York Ave The Bronx", "12 york ave", Some(Areas::BRONX)),
        ] {
            let query = read(text);
            assert_eq!(query.street.join(" "), street, "{text}");
            assert_eq!(query.said, said, "{text}");
        }
    }

    #[test]
    fn names_that_do_not_agree_leave_no_place() {
        for text in [
            "1 Park Ave, Manhattan, NY 11205",
            "1 Park Ave, Queens, NJ",
            "1 Park Ave, Brooklyn, NY 10016",
            "1 Park Ave, Bronx, NY 10306",
        ] {
            assert!(read(text).said.unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn a_place_that_is_not_known_is_told() {
        for (text, unknown) in [
            ("9 Main St, Springfield", "springfield"),
            ("9 Main St, Perth Amboy, NJ 08861", "perth amboy"),
            ("9 Main St, near the bank, Queens", "near the bank"),
        ] {
            assert_eq!(read(text).unknown.as_deref(), Some(unknown), "{text}");
        }
        assert_eq!(read("9 Main St, Queens, NY, USA").unknown, None);
    }

    #[test]
    fn units_are_left_out() {
        for text in [
            "7 E 9 St apt 12B",
            "7 E 9 St, Apartment 4-C",
            "7 E 9 St #5",
            "7 E 9 St, # 5",
            "7 E 9 St apt. #5",
            "7 E 9 St Suite 400",
            "7 E 9 St, Ste. 1410",
            "7 E 9 St unit B",
            "7 E 9 St rm 203",
            "7 E 9 St fl 3",
            "7 E 9 St, 3rd Floor",
            "7 E 9 St 21st fl",
            "7 E 9 St, Ground Floor",
            "7 E 9 St, PH",
            "7 E 9 St, Penthouse 2",
            "7 E 9 St PH",
            "7 E 9 St, Floor 3, Room 12",
            "Apt 4, 7 E 9 St",
            "7 E 9 St 12B",
            "7 E 9 St, 4-C",
            "7 E 9 St, 7710",
        ] {
            let query = read(text);
            assert_eq!(query.street.join(" "), "7 e 9 st", "{text}");
            assert_eq!(query.said, None, "{text}");
            let query = read(&format!("{text}, Queens"));
            assert_eq!(query.street.join(" "), "7 e 9 st", "{text}");
            assert_eq!(query.said, Some(Areas::QUEENS), "{text}");
        }
        for text in ["7 E 9 St apt 12B Bronx", "7 E 9 St PH Bronx"] {
            assert_eq!(read(text).street.join(" "), "7 e 9 st", "{text}");
            assert_eq!(read(text).said, Some(Areas::BRONX), "{text}");
        }
        let florida = read("7 E 9 St, Tampa, FL 33602");
        assert_eq!(florida.unknown.as_deref(), Some("tampa"));
    }
}
