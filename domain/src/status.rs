//! What a live feed says of a station: how many bikes are there, of which kind, and what else.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Station;

/// The bikes at a station from an instant on, as its operator counts them.
///
/// Shape: one per bike that came or went between two polls of the feed, so that a count that fell
/// from 7 to 4 gives three, with 6, 5 and 4 bikes; one without an event for a station seen for the
/// first time, and for one that the feed no longer has. Times are UTC with microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Where.
    pub station: Station,
    /// From when on the count holds; between two polls of the feed, or at the later one.
    pub at: DateTime<Utc>,
    /// Bikes there, 0 or more.
    pub bikes: u32,
    /// What is inferred from the count before; nothing if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred: Option<Inferred>,
    /// What the station offers.
    #[serde(default, skip_serializing_if = "Service::is_full")]
    pub service: Service,
    /// What is there beside the count.
    #[serde(default, skip_serializing_if = "Stock::is_unknown")]
    pub stock: Stock,
    /// When the station last spoke to its operator, where the feed says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reported: Option<DateTime<Utc>>,
    /// The feed goes on without the station, which it had at `at` for the last time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

/// What a station offers, as its operator says: `is_installed`, `is_renting` and `is_returning` of
/// GBFS. Everything, where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Service {
    /// The station is on the street.
    pub installed: bool,
    /// Bikes can be taken.
    pub renting: bool,
    /// Bikes can be brought back.
    pub returning: bool,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            installed: true,
            renting: true,
            returning: true,
        }
    }
}

impl Service {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a bike that stands there can be taken.
    #[must_use]
    pub fn can_rent(self) -> bool {
        self.installed && self.renting
    }

    /// Whether a bike can be brought back.
    #[must_use]
    pub fn can_return(self) -> bool {
        self.installed && self.returning
    }
}

/// What a station has beside the number of its bikes, as its operator says; none where nothing is said.
///
/// Bikes and docks alike are those that a feed counts: where it rents scooters too, a broken bike may be
/// one of them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Stock {
    /// Of the bikes those with a motor, never more than there are bikes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebikes: Option<u16>,
    /// Docks that are empty and take a bike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_docks: Option<u16>,
    /// Docks in all, with a bike or without, broken or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u16>,
    /// Bikes that stand there and cannot be taken; not among the bikes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_bikes: Option<u16>,
    /// Docks that take no bike; not among the free ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_docks: Option<u16>,
}

impl Stock {
    /// The numbers in the order of the fields.
    #[must_use]
    pub fn to_numbers(self) -> [Option<u16>; 5] {
        let Self {
            ebikes,
            free_docks,
            capacity,
            broken_bikes,
            broken_docks,
        } = self;
        [ebikes, free_docks, capacity, broken_bikes, broken_docks]
    }

    /// Takes the numbers in the order of the fields.
    #[must_use]
    pub fn from_numbers(numbers: [Option<u16>; 5]) -> Self {
        let [ebikes, free_docks, capacity, broken_bikes, broken_docks] = numbers;
        Self {
            ebikes,
            free_docks,
            capacity,
            broken_bikes,
            broken_docks,
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// What a live feed says of its system, once in each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Where its clocks are: a name of the IANA time zone database, such as `Europe/Paris`.
    pub timezone: String,
    /// In which language its stations are named: a tag of BCP 47, such as `fr`.
    pub language: String,
}

/// An event nobody saw: inferred from a count that differs by one from the count before.
///
/// Bikes that came and went between two polls are not seen, and bikes moved by van look like
/// departures and arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inferred {
    /// A bike left.
    Departure,
    /// A bike was docked.
    Arrival,
}

impl Status {
    /// Whether the count says that a bike left.
    #[must_use]
    pub fn is_departure(&self) -> bool {
        self.inferred == Some(Inferred::Departure)
    }
}
