//! From what a rider types to a place.
//!
//! [`ManhattanGeocoder`] works it out from the docks' own corner names and the address rules of
//! Manhattan's avenues, in memory and without asking anyone. What it does not know for certain it
//! does not respond.

mod address;
mod area;
mod avenues;
mod coordinates;
mod cross_streets;
mod degrees;
mod docks;
mod error;
mod grid;
mod lower_broadway;
mod manhattan;
#[cfg(test)]
mod measured;
mod neighbourhoods;
mod numbers;
mod outlines;
mod places;
mod query;
#[cfg(test)]
mod refused;
mod suggest;
mod words;

pub(crate) use manhattan::ManhattanGeocoder;
