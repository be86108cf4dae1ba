//! A trip of the simulated city while it is made.

use chrono::{DateTime, Utc};
use domain::Rider;

/// One ride; times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ride {
    pub(super) bike: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) departed_at: i64,
    pub(super) arrived_at: i64,
    pub(super) rider: Rider,
}

pub(super) fn bike_id(bike: usize) -> String {
    (20_001 + bike).to_string()
}

/// The instant, from milliseconds since 1970.
pub(super) fn utc(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}
