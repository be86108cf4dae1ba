//! An instant of event time in eight bytes, with its unit.

use chrono::{DateTime, Utc};

/// Microseconds since 1970-01-01T00:00:00Z: what rows, Postgres and windows count event time in.
///
/// Order: the earlier one first. Where an instant is shown or stands in JSON it is a
/// [`DateTime<Utc>`]; this is for where it travels as a number.
///
/// ```
/// use domain::EventTime;
/// let at: EventTime = "2020-03-01T05:20:36.088Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
/// assert_eq!(at.as_micros(), 1_583_040_036_088_000);
/// assert_eq!(EventTime::from_micros(at.as_micros()), at);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

impl EventTime {
    /// The instant so many microseconds after 1970 (before, if negative).
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The same instant for a calendar; none beyond the years that chrono has.
    #[must_use]
    pub const fn to_utc(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }
}

impl From<DateTime<Utc>> for EventTime {
    /// What is finer than a microsecond is cut.
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}
