//! Why a search gave no place of the city's own map.

/// Each text is meant for the rider, and says what to type instead: `expected`, with an address of the map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CityError {
    /// Neither an address nor a corner nor a name.
    #[error("\"{query}\" is not an address: {expected}")]
    NotAnAddress { query: String, expected: String },
    /// Longer than any address.
    #[error("that is longer than any address: {expected}")]
    TooLong { expected: String },
    /// A street without a number.
    #[error("\"{query}\" is a street: {instead}")]
    StreetAlone { query: String, instead: String },
    /// No street has this name.
    #[error("\"{query}\" is not known here, for the map has no such street: {expected}")]
    UnknownStreet { query: String, expected: String },
    /// The street is known, the number is not.
    #[error("\"{query}\" is not known here: the map has {known}; {expected}")]
    UnknownNumber {
        query: String,
        /// Which numbers of the street are.
        known: String,
        expected: String,
    },
    /// Both streets are known, but not that they meet.
    #[error("\"{query}\" is not known here, for on the map these streets do not meet: {expected}")]
    NoCorner { query: String, expected: String },
    /// In several places that are far from each other.
    #[error("\"{query}\" is in more than one place: add which, {places}")]
    Ambiguous {
        query: String,
        /// `as in "12 Storgatan, Nyby"`.
        places: String,
    },
    /// Not where it is said to be.
    #[error("\"{query}\" is not known here: it is in {places}; leave out the place, or {expected}")]
    Elsewhere {
        query: String,
        places: String,
        expected: String,
    },
    /// Said to be in a place that the map does not have.
    #[error(
        "\"{query}\" is not known here, for \"{place}\" is no place of the map: leave it out, or \
         {expected}"
    )]
    UnknownPlace {
        query: String,
        place: String,
        expected: String,
    },
}
