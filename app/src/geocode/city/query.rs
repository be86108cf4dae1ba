//! A search in parts: number and street in either order, or two streets; and where it is said to be.

use crate::geocode::numbers::is_number;
use crate::geocode::words::words;

/// A search in one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) street: Vec<String>,
    /// Where it is said to be, from near to far.
    pub(super) places: Vec<String>,
}

/// A house number: its digits, and what follows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HouseNumber {
    pub(super) number: u32,
    pub(super) rest: String,
}

impl Query {
    /// Commas part street and places. Postal codes are left out: every place has a name as well.
    pub(super) fn read(text: &str) -> Self {
        let mut parts = text.split(',');
        let street = words(parts.next().unwrap_or_default());
        let without_codes = |part: &str| {
            let is_name = |word: &String| !word.contains(|c: char| c.is_ascii_digit());
            words(part)
                .into_iter()
                .filter(is_name)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let places = parts.map(without_codes).filter(|place| !place.is_empty());
        Self {
            street,
            places: places.collect(),
        }
    }

    /// The ways to read it as number and street: `12 Main St`, `Hauptstr. 12`, `Hauptstr. 12 a`.
    pub(super) fn addresses(&self) -> Vec<(HouseNumber, String)> {
        let read = |number: String, street: &[String]| {
            let number = house_number(&number)?;
            (!street.is_empty()).then(|| (number, street.join(" ")))
        };
        let parts = match self.street.as_slice() {
            [] | [_] => Vec::new(),
            [street @ .., number, letter] if is_number(number) && is_letter(letter) => {
                vec![read(format!("{number}{letter}"), street)]
            }
            [first, middle @ .., last] => {
                let (behind, before) = (&self.street[1..], &self.street[..=middle.len()]);
                vec![read(first.clone(), behind), read(last.clone(), before)]
            }
        };
        parts.into_iter().flatten().collect()
    }

    /// The ways to read it as two streets.
    pub(super) fn corners(&self) -> Vec<(String, String)> {
        let words = &self.street;
        let places = (0..words.len()).filter(|at| words[*at] == "&");
        let corners = places.map(|at| (words[..at].join(" "), words[at + 1..].join(" ")));
        corners.collect()
    }

    /// All of it.
    pub(super) fn whole(&self) -> String {
        self.street.join(" ")
    }
}

fn is_letter(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
}

/// `12`, `12a`, `12-14`, `7/2`.
fn house_number(word: &str) -> Option<HouseNumber> {
    let digits = word
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(word.len());
    let (digits, rest) = word.split_at(digits);
    Some(HouseNumber {
        number: digits.parse().ok()?,
        rest: rest.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let query = Query::read(text);
        let addresses = query.addresses().into_iter();
        let addresses: Vec<_> = addresses
            .map(|(house, street)| format!("{}{} of {street}", house.number, house.rest))
            .collect();
        let seen = format!("{} in {:?}", addresses.join(" or "), query.places);
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn a_number_stands_before_its_street_or_behind_it() {
        check("12 Main Street", "12 of main st in []");
        check(
            "Hauptstraße 12a, 10115 Berlin",
            "12a of hauptstr in [\"berlin\"]",
        );
        check("Hauptstr. 12 A", "12a of hauptstr in []");
        check("5 2nd Ave", "5 of 2 ave in []");
        check("2nd Avenue", "2 of ave in []");
        check("42 Avenue B", "42 of ave b in []");
        check("Main Street", " in []");
        check("", " in []");
    }

    #[test]
    fn a_corner_is_two_streets_wherever_they_part() {
        let corners = |text: &str| Query::read(text).corners();
        assert_eq!(
            corners("Main St & 2nd Ave"),
            [("main st".to_owned(), "2 ave".to_owned())]
        );
        assert_eq!(corners("Rose and Crown Lane & Kai").len(), 2);
        assert_eq!(corners("Main St"), []);
    }
}
