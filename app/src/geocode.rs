//! From what a rider types to a place.
//!
//! [`ManhattanGeocoder`] works it out from the docks' own corner names and the address rules of
//! Manhattan's avenues; [`CityGeocoder`] knows the houses and corners of a city's own map. Both do it in
//! memory and without asking anyone. What they do not know for certain they do not respond.

mod address;
mod area;
mod avenues;
mod city;
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
mod place;
mod places;
mod query;
#[cfg(test)]
mod refused;
mod suggest;
mod words;

use basemap::{Addresses, BaseMap};

use crate::model::{Outcome, Suggestion};
use crate::words::Words;
use city::CityGeocoder;
use manhattan::ManhattanGeocoder;

/// Bytes an address may have (chosen: twice the longest of New York).
const ADDRESS_BYTES_MAX: usize = 120;

/// The geocoder of this server.
#[derive(Debug)]
pub(crate) enum Geocoder {
    /// New York's, which the program carries.
    Manhattan(Box<ManhattanGeocoder>),
    /// That of a city's own map.
    City(Box<CityGeocoder>),
}

impl Geocoder {
    pub(crate) fn of_manhattan() -> Self {
        Self::Manhattan(Box::new(ManhattanGeocoder::from_reference_stations()))
    }

    pub(crate) fn of_city(base_map: &BaseMap, addresses: Addresses) -> Self {
        Self::City(Box::new(CityGeocoder::new(base_map, addresses)))
    }

    /// Looks an address up; what is not known becomes a message for the rider.
    pub(crate) fn look_up(&self, query: &str, words: Words) -> Outcome {
        let found = match self {
            Self::Manhattan(geocoder) => geocoder.find(query).map_err(|error| error.message()),
            Self::City(geocoder) => geocoder.find(query).map_err(|error| error.message()),
        };
        match found {
            Ok(place) => Outcome::Found(place.told(words)),
            Err(message) => Outcome::Flash(message.text(words)),
        }
    }

    /// A search that finds something.
    pub(crate) fn example(&self) -> &str {
        match self {
            Self::Manhattan(_) => manhattan::EXAMPLE,
            Self::City(geocoder) => geocoder.example(),
        }
    }

    /// What a search that is being typed may become, the likeliest first; each is found.
    pub(crate) fn suggest(&self, typed: &str) -> Vec<Suggestion> {
        match self {
            Self::Manhattan(geocoder) => geocoder.suggest(typed),
            Self::City(geocoder) => geocoder.suggest(typed),
        }
    }
}
