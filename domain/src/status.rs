//! What a live feed says of a station: how many bikes are there.

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
