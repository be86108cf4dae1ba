//! Manhattan's avenues: which streets cross them, and building number → cross street.
//!
//! cross street = number / divisor + key. Source: the "Manhattan address algorithm" as Wikipedia
//! and everything2 give it, which is two blocks off where numbers are low on the East Side: there
//! after known buildings (108 Avenue B at E 7 St, 171 1 Ave at E 11 St, 144 2 Ave at E 9 St, 200
//! 3 Ave at E 18 St, 11 Madison Ave at E 24 St). The quotient is not rounded, so the place lies
//! between two streets.

use std::ops::RangeInclusive;

use super::address::Side;

/// A rule for the buildings of an avenue with some numbers: numbers, divisor, key.
struct Rule(RangeInclusive<u32>, f64, f64);

const ALL: RangeInclusive<u32> = 1..=u32::MAX;

const fn key(key: f64) -> Rule {
    Rule(ALL, 20.0, key)
}

const fn part(numbers: RangeInclusive<u32>, key: f64) -> Rule {
    Rule(numbers, 20.0, key)
}

/// An avenue: its name in one spelling; on which side of 5 Avenue it lies, if on one; the numbered
/// streets that it crosses; its rules, if any is known.
type Avenue = (
    &'static str,
    Option<Side>,
    RangeInclusive<u32>,
    &'static [Rule],
);

const FIRST_AND_SECOND: &[Rule] = &[
    part(1..=120, 1.0),
    part(121..=180, 2.0),
    part(181..=u32::MAX, 3.0),
];

const E: Option<Side> = Some(Side::East);
const W: Option<Side> = Some(Side::West);

const AVENUES: &[Avenue] = &[
    ("ave a", E, 1..=14, &[key(1.7)]),
    ("ave b", E, 1..=14, &[key(1.7)]),
    ("ave c", E, 1..=18, &[key(1.7)]),
    ("ave d", E, 1..=13, &[key(1.7)]),
    ("1 ave", E, 1..=127, FIRST_AND_SECOND),
    ("2 ave", E, 1..=128, FIRST_AND_SECOND),
    (
        "3 ave",
        E,
        6..=128,
        &[part(1..=449, 8.0), part(450..=u32::MAX, 9.5)],
    ),
    ("4 ave", E, 8..=14, &[key(8.0)]),
    (
        "5 ave",
        None,
        8..=142,
        &[
            part(1..=62, 8.0),
            part(63..=108, 11.0),
            part(109..=199, 13.0),
            part(200..=399, 16.0),
            part(400..=599, 18.0),
            part(600..=774, 20.0),
            Rule(775..=1286, 10.0, -18.0),
            part(1287..=1499, 45.0),
            part(1500..=u32::MAX, 24.0),
        ],
    ),
    ("6 ave", W, 3..=59, &[key(-12.0)]),
    ("7 ave", W, 11..=59, &[key(12.0)]),
    ("8 ave", W, 12..=59, &[key(9.0)]),
    ("9 ave", W, 13..=59, &[key(13.0)]),
    ("10 ave", W, 13..=59, &[key(14.0)]),
    ("11 ave", W, 14..=59, &[key(15.0)]),
    ("12 ave", W, 22..=59, &[]),
    ("adam clayton powell blvd", W, 110..=154, &[key(20.0)]),
    ("amsterdam ave", W, 59..=193, &[key(59.0)]),
    ("audubon ave", W, 165..=193, &[key(165.0)]),
    (
        "broadway",
        None,
        8..=220,
        &[
            part(756..=846, -29.0),
            part(847..=953, -25.0),
            part(954..=u32::MAX, -31.0),
        ],
    ),
    ("central park w", W, 59..=110, &[Rule(ALL, 10.0, 60.0)]),
    ("columbus ave", W, 59..=110, &[key(60.0)]),
    ("convent ave", W, 127..=152, &[key(127.0)]),
    ("e end ave", E, 79..=90, &[]),
    ("edgecombe ave", W, 135..=170, &[key(134.0)]),
    ("frederick douglass blvd", W, 110..=159, &[key(9.0)]),
    ("ft washington ave", W, 159..=193, &[key(158.0)]),
    ("lenox ave", W, 110..=147, &[key(110.0)]),
    ("lexington ave", E, 21..=131, &[key(22.0)]),
    (
        "madison ave",
        E,
        23..=138,
        &[
            part(1..=99, 24.0),
            part(100..=299, 25.5),
            part(300..=u32::MAX, 27.0),
        ],
    ),
    ("manhattan ave", W, 100..=125, &[key(100.0)]),
    ("morningside ave", W, 113..=127, &[]),
    (
        "park ave",
        E,
        32..=132,
        // The avenue begins at E 32 St.
        &[Rule(1..=3, f64::INFINITY, 32.5), part(4..=u32::MAX, 34.0)],
    ),
    ("park ave s", E, 14..=32, &[key(8.0)]),
    ("pleasant ave", E, 114..=120, &[key(101.0)]),
    (
        "riverside dr",
        W,
        72..=181,
        &[Rule(1..=567, 10.0, 72.0), Rule(568..=u32::MAX, 10.0, 78.0)],
    ),
    ("st nicholas ave", W, 111..=193, &[key(110.0)]),
    ("vanderbilt ave", E, 42..=47, &[]),
    ("w end ave", W, 59..=107, &[key(59.0)]),
    ("wadsworth ave", W, 173..=193, &[key(173.0)]),
    ("york ave", E, 53..=92, &[key(4.0)]),
];

/// Avenues with another name from some street on.
const UPTOWN: [(&str, u32, &str); 6] = [
    ("6 ave", 110, "lenox ave"),
    ("7 ave", 110, "adam clayton powell blvd"),
    ("8 ave", 110, "frederick douglass blvd"),
    ("9 ave", 60, "columbus ave"),
    ("10 ave", 60, "amsterdam ave"),
    ("11 ave", 60, "w end ave"),
];

fn avenue(name: &str) -> Option<&'static Avenue> {
    AVENUES.iter().find(|(known, ..)| *known == name)
}

/// The names of all avenues, in one spelling.
pub(super) fn avenue_names() -> impl Iterator<Item = &'static str> {
    AVENUES.iter().map(|(name, ..)| *name)
}

/// Streets past its last crossing at which an avenue may still have buildings.
const ENDS: f64 = 1.0;

/// The cross street of a building, with its share of the block: 43.05 is just past 43 St.
pub(super) fn cross_street(name: &str, number: u32) -> Option<f64> {
    let (_, _, streets, rules) = avenue(name)?;
    let Rule(_, divisor, key) = rules
        .iter()
        .find(|Rule(numbers, ..)| numbers.contains(&number))?;
    let street = f64::from(number) / divisor + key;
    let (first, last) = (f64::from(*streets.start()), f64::from(*streets.end()));
    // A number that would lie beyond the avenue is another borough's, or nobody's.
    (first - ENDS..=last + ENDS)
        .contains(&street)
        .then(|| street.clamp(first, last))
}

/// The avenue's name where the street crosses it; none where it does not.
pub(super) fn crossing(name: &str, side: Option<Side>, street: u32) -> Option<&'static str> {
    let uptown = UPTOWN
        .iter()
        .find(|(known, from, _)| *known == name && street >= *from);
    let (name, of, streets, _) = avenue(uptown.map_or(name, |(.., uptown)| uptown))?;
    let of = match (*name, street) {
        // Broadway crosses 5 Avenue at 23 St.
        ("broadway", 23) => None,
        ("broadway", ..23) => E,
        ("broadway", _) => W,
        _ => *of,
    };
    let is_there = of.is_none() || side.is_none() || of == side;
    (is_there && streets.contains(&street)).then_some(*name)
}

/// Whether the avenue is one that numbered streets cross.
pub(super) fn is_avenue(name: &str) -> bool {
    avenue(name).is_some()
}

/// Whether numbered streets of other boroughs cross an avenue of this name.
pub(super) fn is_elsewhere_too(name: &str) -> bool {
    name == "broadway"
        || name.starts_with("ave ")
        || name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geocode::address::{Number, ParsedSearch, Street, parse};
    use crate::geocode::words::words;

    /// True cross streets of known buildings; the rule is good to within two blocks.
    #[test]
    fn the_rule_is_within_two_blocks_of_known_buildings() {
        for (number, avenue, street) in [
            (62, "ave b", 6.0),
            (78, "riverside dr", 80.0),
            (501, "5 ave", 42.0),
            (945, "madison ave", 74.5),
            (350, "5 ave", 33.5),
            (1, "park ave", 32.5),
            (200, "park ave", 45.0),
            (405, "lexington ave", 42.5),
            (1230, "6 ave", 48.5),
            (1, "central park w", 60.0),
            (1071, "5 ave", 88.5),
            (1681, "broadway", 52.5),
            (650, "w end ave", 91.5),
        ] {
            let found = cross_street(avenue, number).unwrap();
            assert!(
                (found - street).abs() <= 2.0,
                "{number} {avenue}: {found} is not {street}"
            );
        }
    }

    #[test]
    fn a_number_no_building_has_gives_no_street() {
        assert_eq!(cross_street("park ave", 90_000), None);
        assert_eq!(cross_street("6 ave", 10), None);
        assert_eq!(cross_street("broadway", 120), None);
        // The Bronx goes on with 3 Avenue, Brooklyn has an Avenue D of its own.
        assert_eq!(cross_street("3 ave", 2_914), None);
        assert_eq!(cross_street("ave d", 4_600), None);
    }

    #[test]
    fn an_avenue_is_crossed_from_its_first_street_to_its_last() {
        assert_eq!(crossing("york ave", E, 92), Some("york ave"));
        assert_eq!(crossing("york ave", E, 93), None);
        assert_eq!(crossing("3 ave", E, 161), None);
        assert_eq!(crossing("9 ave", E, 23), None);
        assert_eq!(crossing("broadway", E, 60), None);
        assert_eq!(crossing("5 ave", E, 60), crossing("5 ave", W, 60));
        assert_eq!(crossing("9 ave", W, 81), Some("columbus ave"));
        assert_eq!(crossing("ocean ave", None, 9), None);
    }

    #[test]
    fn every_avenue_survives_its_own_normalisation() {
        for (name, ..) in AVENUES {
            assert_eq!(words(name).join(" "), *name);
            let written = name.split(' ').map(in_full).collect::<Vec<_>>().join(" ");
            for address in [
                format!("250 {name}"),
                format!("250 {written}").to_uppercase(),
            ] {
                let expected = ParsedSearch::Address {
                    number: Number::One(250),
                    street: Street::Named((*name).to_owned()),
                };
                assert_eq!(parse(&words(&address)), expected, "{address}");
            }
        }
    }

    /// A word as it is written in full.
    fn in_full(word: &str) -> String {
        let full = match word {
            "ave" => "Avenue",
            "blvd" => "Boulevard",
            "dr" => "Drive",
            "e" => "East",
            "ft" => "Fort",
            "s" => "South",
            "st" => "Saint",
            "w" => "West",
            "1" => "First",
            "2" => "2nd",
            "3" => "Third",
            "12" => "12th",
            other => other,
        };
        full.to_owned()
    }
}
