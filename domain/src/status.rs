//! What a live feed says of a station: how many bikes are there.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Station;

/// The bikes at a station from an instant on, as its operator counts them.
///
/// Shape: one per bike that came or went between two polls of the feed, so that a count that fell
/// from 7 to 4 gives three, with 6, 5 and 4 bikes; one without an event for a station seen for the
/// first time. Times are UTC with microseconds.
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
}

/// An event nobody saw: told by a count that differs by one from the count before.
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
