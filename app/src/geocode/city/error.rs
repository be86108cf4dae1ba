//! Why a search gave no place of the city's own map.

use crate::words::{Message, Value, Word};

/// Each is a message for the rider that says what to type instead: `expected`, with an address of the map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub(crate) enum CityError {
    /// Neither an address nor a corner nor a name.
    NotAnAddress { query: String, expected: Message },
    /// Longer than any address.
    TooLong { expected: Message },
    /// A street without a number.
    StreetAlone { query: String, instead: Message },
    /// No street has this name.
    UnknownStreet { query: String, expected: Message },
    /// The street is known, the number is not.
    UnknownNumber {
        query: String,
        /// Which numbers of the street are.
        known: Message,
        expected: Message,
    },
    /// Both streets are known, but not that they meet.
    NoCorner { query: String, expected: Message },
    /// In several places that are far from each other.
    Ambiguous {
        query: String,
        /// `"12 Storgatan, Nyby"` and others.
        examples: Vec<String>,
    },
    /// Not where it is said to be.
    Elsewhere {
        query: String,
        places: Vec<String>,
        expected: Message,
    },
    /// Said to be in a place that the map does not have.
    UnknownPlace {
        query: String,
        place: String,
        expected: Message,
    },
}

impl CityError {
    pub(crate) fn message(&self) -> Message {
        let with =
            |word, query: &String, then: &Message| Message::new(word, [query.into(), then.into()]);
        match self {
            Self::NotAnAddress { query, expected } => with(Word::NotAnAddress, query, expected),
            Self::TooLong { expected } => Message::new(Word::TooLong, [expected.into()]),
            Self::StreetAlone { query, instead } => with(Word::StreetAlone, query, instead),
            Self::UnknownStreet { query, expected } => with(Word::NoSuchStreet, query, expected),
            Self::UnknownNumber {
                query,
                known,
                expected,
            } => Message::new(Word::MapHas, [query.into(), known.into(), expected.into()]),
            Self::NoCorner { query, expected } => with(Word::NoCorner, query, expected),
            Self::Ambiguous { query, examples } => {
                Message::new(Word::SeveralPlaces, [query.into(), any_of(examples)])
            }
            Self::Elsewhere {
                query,
                places,
                expected,
            } => Message::new(
                Word::Elsewhere,
                [query.into(), any_of(places), expected.into()],
            ),
            Self::UnknownPlace {
                query,
                place,
                expected,
            } => Message::new(
                Word::NoSuchPlace,
                [query.into(), place.into(), expected.into()],
            ),
        }
    }
}

/// `a or b or c`.
fn any_of(texts: &[String]) -> Value {
    let mut texts = texts.iter().map(Value::from);
    let first = texts.next().unwrap_or_else(|| "".into());
    texts.fold(first, |before, text| {
        Message::new(Word::Or, [before, text]).into()
    })
}
