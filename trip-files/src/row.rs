//! A row of a source, on its way from its file to the topic.

use domain::Reject;

use crate::compact::CompactTrip;

/// A row and when it departed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Microseconds since 1970; none for a reject before the first good row, which comes before all
    /// others.
    pub at: Option<i64>,
    pub content: Content,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A trip.
    Trip(CompactTrip),
    /// A row that is no trip.
    Reject(Box<Reject>),
}
