//! Why a search gave no place.

use super::area::Area;
use super::manhattan::EXAMPLE;
use crate::words::{Message, Word};

/// Each is a message for the rider that says what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub(crate) enum GeocodeError {
    /// Not a building number and a street name.
    NotAnAddress {
        /// What was typed.
        query: String,
    },
    /// Longer than any address.
    TooLong,
    /// A numbered street without its side.
    NoSide {
        /// What was typed.
        query: String,
        /// The building number.
        number: u32,
        /// The street's number.
        street: u32,
    },
    /// A corner or name that more than one borough has or may have.
    Ambiguous {
        /// What was typed.
        query: String,
    },
    /// A building number as Queens has them, where it is not said to be Manhattan's.
    Hyphenated {
        /// What was typed.
        query: String,
    },
    /// Said to be where this geocoder knows no such thing.
    Outside {
        /// What was typed.
        query: String,
        /// Where it is said to be, if that is one area that is known of.
        area: Option<Area>,
    },
    /// A dock of this name, but not where it is said to be.
    InAnotherArea {
        /// What was typed.
        query: String,
        /// Where the dock is.
        area: Area,
    },
    /// Said to be in a place of which this geocoder has not heard.
    UnknownPlace {
        /// What was typed.
        query: String,
        /// The part of it that is not understood.
        place: String,
    },
    /// Town, state and ZIP code that do not agree.
    Contradiction {
        /// What was typed.
        query: String,
    },
    /// An address or a corner, but not one this geocoder can place.
    Unknown {
        /// What was typed.
        query: String,
    },
}

impl GeocodeError {
    pub(crate) fn message(&self) -> Message {
        let expected = Message::new(Word::SearchExpected, [EXAMPLE.into()]);
        let with = |word, query: &String| Message::new(word, [query.into(), (&expected).into()]);
        match self {
            Self::NotAnAddress { query } => with(Word::NotAnAddress, query),
            Self::TooLong => Message::new(Word::TooLong, [expected.into()]),
            Self::NoSide {
                query,
                number,
                street,
            } => Message::new(
                Word::NoSide,
                [
                    query.into(),
                    expected.into(),
                    (*number).into(),
                    (*street).into(),
                ],
            ),
            Self::Ambiguous { query } => with(Word::SeveralBoroughs, query),
            Self::Hyphenated { query } => with(Word::Hyphenated, query),
            Self::Outside { query, area } => {
                let outside = outside(*area, expected);
                Message::new(Word::NotKnownHere, [query.into(), outside.into()])
            }
            Self::InAnotherArea { query, area } => Message::new(
                Word::InAnotherArea,
                [query.into(), area.name().into(), expected.into()],
            ),
            Self::UnknownPlace { query, place } => Message::new(
                Word::UnknownBorough,
                [query.into(), place.into(), expected.into()],
            ),
            Self::Contradiction { query } => with(Word::Contradiction, query),
            Self::Unknown { query } => with(Word::UnknownInManhattan, query),
        }
    }
}

/// What is known of an area, and what to type instead.
fn outside(area: Option<Area>, expected: Message) -> Message {
    match area.map(|area| (area.name(), area.example())) {
        Some((name, Some(example))) => Message::new(
            Word::OnlyCorners,
            [name.into(), example.into(), expected.into()],
        ),
        Some((name, None)) => Message::new(Word::NoDocksThere, [name.into(), expected.into()]),
        None => Message::new(Word::DocksAreIn, [expected.into()]),
    }
}
