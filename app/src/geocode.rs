//! From what a rider types to a place.
//!
//! [`Geocoder`] is the port; [`ManhattanGeocoder`] works it out from the docks' own corner names
//! and the address rules of Manhattan's avenues, without asking anyone.

mod address;
mod avenues;
mod cross_streets;
mod grid;
mod manhattan;
mod words;

use std::fmt;
use std::pin::Pin;

pub use manhattan::ManhattanGeocoder;

use crate::model::{EXPECTED_SEARCH, Place};

/// Bytes an address may have (chosen: twice the longest of New York).
pub const ADDRESS_BYTES_MAX: usize = 120;

/// Finds places by what riders call them.
pub trait Geocoder: fmt::Debug + Send + Sync {
    /// Looks `query` up.
    ///
    /// # Errors
    /// [`GeocodeError`], whose text is meant for the rider.
    fn locate<'a>(&'a self, query: &'a str) -> Locating<'a>;
}

/// A look-up under way.
pub type Locating<'a> = Pin<Box<dyn Future<Output = Result<Place, GeocodeError>> + Send + 'a>>;

/// Why a search gave no place; each text says what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GeocodeError {
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
    /// An address, but not one this geocoder can place.
    #[error(
        "no place found for \"{query}\": {EXPECTED_SEARCH}, on a street of Manhattan, or a corner \
         such as \"Broadway & W 25 St\""
    )]
    Unknown {
        /// What was typed.
        query: String,
    },
}
