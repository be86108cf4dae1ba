//! Why a search gave no place.

use super::area::Area;
use crate::model::EXPECTED_SEARCH;

/// Each text is meant for the rider, and says what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GeocodeError {
    /// Not a building number and a street name.
    #[error("\"{query}\" is not an address: {EXPECTED_SEARCH}")]
    NotAnAddress {
        /// What was typed.
        query: String,
    },
    /// Longer than any address.
    #[error("that is longer than any address: {EXPECTED_SEARCH}")]
    TooLong,
    /// A numbered street without its side.
    #[error(
        "\"{query}\" could be east or west of 5 Avenue: {EXPECTED_SEARCH} or \"{number} W {street} St\""
    )]
    NoSide {
        /// What was typed.
        query: String,
        /// The building number.
        number: u32,
        /// The street's number.
        street: u32,
    },
    /// A corner or name that more than one borough has or may have.
    #[error(
        "\"{query}\" is in more than one place: add the borough, or for Manhattan the side as in \
         \"W 14 St\"; or {EXPECTED_SEARCH}"
    )]
    Ambiguous {
        /// What was typed.
        query: String,
    },
    /// A building number as Queens has them, where it is not said to be Manhattan's.
    #[error(
        "\"{query}\" is not known here: a number with a hyphen is one of Queens, where only corners \
         and names of docks are known; in Manhattan {EXPECTED_SEARCH}"
    )]
    Hyphenated {
        /// What was typed.
        query: String,
    },
    /// Said to be where this geocoder knows no such thing.
    #[error("\"{query}\" is not known here: {}", outside(*.area))]
    Outside {
        /// What was typed.
        query: String,
        /// Where it is said to be, if that is one area that is known of.
        area: Option<Area>,
    },
    /// A dock of this name, but not where it is said to be.
    #[error(
        "\"{query}\" is not known here: the dock of this name is in {}; leave out the place, or \
         {EXPECTED_SEARCH}",
        .area.name()
    )]
    InAnotherArea {
        /// What was typed.
        query: String,
        /// Where the dock is.
        area: Area,
    },
    /// Said to be in a place of which this geocoder has not heard.
    #[error(
        "\"{query}\" is not known here, for \"{place}\" is no borough or town that is known: leave it \
         out, or {EXPECTED_SEARCH}"
    )]
    UnknownPlace {
        /// What was typed.
        query: String,
        /// The part of it that is not understood.
        place: String,
    },
    /// Town, state and ZIP code that do not agree.
    #[error(
        "\"{query}\" is not known here: its town, state and ZIP code are not of one place; leave \
         out what is wrong, or {EXPECTED_SEARCH}"
    )]
    Contradiction {
        /// What was typed.
        query: String,
    },
    /// An address or a corner, but not one this geocoder can place.
    #[error(
        "\"{query}\" is not known here: {EXPECTED_SEARCH}, on an avenue or a numbered street of \
         Manhattan, or a corner with a dock, such as \"Broadway & W 25 St\""
    )]
    Unknown {
        /// What was typed.
        query: String,
    },
}

/// What is known of an area, and what to type instead.
fn outside(area: Option<Area>) -> String {
    let known = match area.map(|area| (area.name(), area.example())) {
        Some((name, Some(example))) => {
            format!("in {name} only corners and names of docks are known, such as \"{example}\"")
        }
        Some((name, None)) => format!("no docks stand on {name}"),
        None => "docks are known in Manhattan, the Bronx, Brooklyn, Queens and Jersey City alone"
            .to_owned(),
    };
    format!("{known}, and addresses are known in Manhattan alone: {EXPECTED_SEARCH}")
}
