//! What kind of thing a rider typed: an address, a corner or neither.

use super::numbers::is_number;

/// A search in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParsedSearch {
    /// `1 park ave`.
    Address {
        /// The building number.
        number: Number,
        /// The street, in one spelling.
        street: Street,
    },
    /// `e 32 st & park ave`.
    Corner(Street, Street),
    /// Anything else; may be a dock's name.
    Other,
}

/// A building number as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// `350`, or `350a`.
    One(u32),
    /// `12-14`: two buildings of one side of a street in Manhattan, or one in Queens.
    Hyphenated(u32, u32),
}

/// A street in one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Street {
    /// A numbered street across Manhattan: `e 32 st`.
    Cross {
        /// `e` or `w`; none where it was left out.
        side: Option<Side>,
        /// Its number.
        number: u32,
    },
    /// An avenue, or a street with a name.
    Named(String),
}

/// The two sides of 5 Avenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    East,
    West,
}

/// Reads words of one spelling.
pub(super) fn parse(words: &[String]) -> ParsedSearch {
    if let Some(at) = words.iter().position(|word| word == "&") {
        let (first, second) = (&words[..at], &words[at + 1..]);
        return match (street(first), street(second)) {
            (Some(first), Some(second)) => ParsedSearch::Corner(first, second),
            _ => ParsedSearch::Other,
        };
    }
    let address = words.split_first().and_then(|(number, rest)| {
        Some(ParsedSearch::Address {
            number: building_number(number)?,
            street: street(rest)?,
        })
    });
    address.unwrap_or(ParsedSearch::Other)
}

/// `350`, `12a` and `12-14` are building numbers, `0` is not.
fn building_number(word: &str) -> Option<Number> {
    let number = |digits: &str| {
        let number = is_number(digits).then(|| digits.parse().ok());
        number.flatten().filter(|number| *number > 0)
    };
    if let Some((first, second)) = word.split_once('-') {
        return Some(Number::Hyphenated(number(first)?, number(second)?));
    }
    let digits = word.strip_suffix(|c: char| c.is_ascii_alphabetic());
    Some(Number::One(number(digits.unwrap_or(word))?))
}

/// Reads a street; a kind alone (`ave`, `st`) or a bare number is none.
fn street(words: &[String]) -> Option<Street> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let side = |word: &str| match word {
        "e" => Some(Side::East),
        "w" => Some(Side::West),
        _ => None,
    };
    match words.as_slice() {
        [number, "st"] if is_number(number) => Some(Street::Cross {
            side: None,
            number: number.parse().ok()?,
        }),
        [number, "st", at] if side(at).is_some() && is_number(number) => Some(Street::Cross {
            side: side(at),
            number: number.parse().ok()?,
        }),
        [at, number] | [at, number, "st"] if side(at).is_some() && is_number(number) => {
            Some(Street::Cross {
                side: side(at),
                number: number.parse().ok()?,
            })
        }
        [] | ["&", ..] => None,
        [alone] if is_kind(alone) || is_number(alone) || alone.len() < 2 => None,
        named if named.iter().any(|word| word.contains(char::is_alphabetic)) => {
            Some(Street::Named(named.join(" ")))
        }
        _ => None,
    }
}

/// Whether a word is the kind of a street or its side, which are no name of their own.
pub(super) fn is_kind(word: &str) -> bool {
    const KINDS: [&str; 16] = [
        "ave", "st", "pl", "sq", "blvd", "dr", "plz", "rd", "ln", "pkwy", "ter", "ct", "e", "w",
        "n", "s",
    ];
    KINDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geocode::words::words;

    fn check(text: &str, expected: &str) {
        assert_eq!(format!("{:?}", parse(&words(text))), expected, "{text}");
    }

    #[test]
    fn a_number_and_a_street_are_an_address() {
        check(
            "1 Park Avenue",
            "Address { number: One(1), street: Named(\"park ave\") }",
        );
        check(
            "501 5th Ave",
            "Address { number: One(501), street: Named(\"5 ave\") }",
        );
        check(
            "200 W 42 St",
            "Address { number: One(200), street: Cross { side: Some(West), number: 42 } }",
        );
        check(
            "200 42nd St",
            "Address { number: One(200), street: Cross { side: None, number: 42 } }",
        );
        check(
            "43A 42nd Street West",
            "Address { number: One(43), street: Cross { side: Some(West), number: 42 } }",
        );
        check(
            "12-14 Broadway",
            "Address { number: Hyphenated(12, 14), street: Named(\"broadway\") }",
        );
    }

    #[test]
    fn two_streets_are_a_corner() {
        check(
            "e 32 st and park ave",
            "Corner(Cross { side: Some(East), number: 32 }, Named(\"park ave\"))",
        );
    }

    #[test]
    fn everything_else_is_neither() {
        for text in [
            "hello",
            "",
            "  ",
            "5 Ave",
            "42 St",
            "Park Avenue",
            "1",
            "1 2",
            "& &",
            "12 st &",
        ] {
            check(text, "Other");
        }
    }
}
