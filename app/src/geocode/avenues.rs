//! The address rule of Manhattan's avenues: building number → cross street.
//!
//! cross street = number / divisor + key. Source: the "Manhattan address algorithm" as Wikipedia
//! and everything2 give it. The quotient is not rounded, so the place lies between two streets.

use std::ops::RangeInclusive;

/// A rule for the buildings of one avenue with numbers in `numbers`.
struct Rule {
    avenue: &'static str,
    numbers: RangeInclusive<u32>,
    divisor: f64,
    key: f64,
}

const ALL: RangeInclusive<u32> = 1..=u32::MAX;

/// Buildings that do not follow their avenue's rule: Park Avenue begins at E 32 St.
const EXCEPTIONS: [(&str, RangeInclusive<u32>, f64); 1] = [("park ave", 1..=3, 32.5)];

const fn rule(avenue: &'static str, key: f64) -> Rule {
    Rule {
        avenue,
        numbers: ALL,
        divisor: 20.0,
        key,
    }
}

const fn part(avenue: &'static str, numbers: RangeInclusive<u32>, divisor: f64, key: f64) -> Rule {
    Rule {
        avenue,
        numbers,
        divisor,
        key,
    }
}

const RULES: [Rule; 48] = [
    rule("ave a", 3.0),
    rule("ave b", 3.0),
    rule("ave c", 3.0),
    rule("ave d", 3.0),
    rule("1 ave", 3.0),
    rule("2 ave", 3.0),
    rule("3 ave", 10.0),
    rule("4 ave", 8.0),
    part("5 ave", 1..=62, 20.0, 8.0),
    part("5 ave", 63..=108, 20.0, 11.0),
    part("5 ave", 109..=199, 20.0, 13.0),
    part("5 ave", 200..=399, 20.0, 16.0),
    part("5 ave", 400..=599, 20.0, 18.0),
    part("5 ave", 600..=774, 20.0, 20.0),
    part("5 ave", 775..=1286, 10.0, -18.0),
    part("5 ave", 1287..=1499, 20.0, 45.0),
    part("5 ave", 1500..=u32::MAX, 20.0, 24.0),
    rule("6 ave", -12.0),
    part("7 ave", 1..=1800, 20.0, 12.0),
    part("7 ave", 1801..=u32::MAX, 20.0, 20.0),
    part("adam clayton powell blvd", ALL, 20.0, 20.0),
    rule("8 ave", 9.0),
    rule("frederick douglass blvd", 9.0),
    rule("9 ave", 13.0),
    rule("10 ave", 14.0),
    rule("11 ave", 15.0),
    rule("amsterdam ave", 59.0),
    rule("audubon ave", 165.0),
    part("broadway", 756..=846, 20.0, -29.0),
    part("broadway", 847..=953, 20.0, -25.0),
    part("broadway", 954..=u32::MAX, 20.0, -31.0),
    part("central park w", ALL, 10.0, 60.0),
    rule("columbus ave", 60.0),
    rule("convent ave", 127.0),
    rule("edgecombe ave", 134.0),
    rule("ft washington ave", 158.0),
    rule("lenox ave", 110.0),
    rule("lexington ave", 22.0),
    rule("madison ave", 27.0),
    rule("manhattan ave", 100.0),
    rule("park ave", 34.0),
    rule("park ave s", 8.0),
    rule("pleasant ave", 101.0),
    part("riverside dr", 1..=567, 10.0, 72.0),
    part("riverside dr", 568..=u32::MAX, 10.0, 78.0),
    rule("st nicholas ave", 110.0),
    rule("west end ave", 59.0),
    rule("york ave", 4.0),
];

/// The cross street of a building, with its share of the block: 43.05 is just past 43 St.
pub(super) fn cross_street(avenue: &str, number: u32) -> Option<f64> {
    let exception = EXCEPTIONS
        .iter()
        .find(|(name, numbers, _)| *name == avenue && numbers.contains(&number))
        .map(|(.., street)| *street);
    exception.or_else(|| {
        let rule = RULES
            .iter()
            .find(|rule| rule.avenue == avenue && rule.numbers.contains(&number))?;
        let street = f64::from(number) / rule.divisor + rule.key;
        // Manhattan ends at 220 St.
        (0.5..=220.0).contains(&street).then_some(street)
    })
}

/// Whether the avenue is one that numbered streets cross.
pub(super) fn is_avenue(name: &str) -> bool {
    const WITHOUT_RULE: [&str; 6] = [
        "12 ave",
        "vanderbilt ave",
        "wadsworth ave",
        "morningside ave",
        "east end ave",
        "e end ave",
    ];
    RULES.iter().any(|rule| rule.avenue == name) || WITHOUT_RULE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
