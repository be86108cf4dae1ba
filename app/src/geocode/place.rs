//! What a search finds.

use super::degrees::Degrees;
use crate::model::FoundPlace;
use crate::words::{Message, Words};

/// A place; how it was found, in nobody's words yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// What was typed, as understood.
    pub(super) label: String,
    /// Latitude in degrees, WGS 84.
    pub(super) lat: f64,
    /// Longitude in degrees, WGS 84.
    pub(super) lon: f64,
    /// How it was found, and how far off it may be.
    pub(super) accuracy: Message,
    /// Degrees east of north in which the avenues around it run, if they have one direction.
    pub(super) grid: Option<f64>,
}

impl Place {
    pub(super) fn new(label: &str, (lat, lon): Degrees, accuracy: impl Into<Message>) -> Self {
        Self {
            label: label.to_owned(),
            lat,
            lon,
            accuracy: accuracy.into(),
            grid: None,
        }
    }

    /// The same for a rider.
    pub(super) fn told(self, words: Words) -> FoundPlace {
        FoundPlace {
            label: self.label,
            lat: self.lat,
            lon: self.lon,
            accuracy: self.accuracy.text(words),
            grid: self.grid,
        }
    }
}

/// What a search gave, as tests read it: `query → 40.7454, -73.9814 label: accuracy`, or why nothing.
#[cfg(test)]
pub(super) fn line(query: &str, found: Result<Place, impl std::fmt::Display>) -> String {
    match found {
        Ok(place) => format!(
            "{query} → {:.4}, {:.4} {}: {}\n",
            place.lat, place.lon, place.label, place.accuracy
        ),
        Err(error) => format!("{query} → {error}\n"),
    }
}
