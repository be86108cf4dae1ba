//! A day of the city.

use chrono::{DateTime, Days, NaiveTime, TimeDelta};
use domain::time::{from_local, to_local};

/// A day by the city's clocks: its first second, and that of the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Day {
    /// The day that a second is of.
    pub(super) fn around(second: i64, timezone: &str) -> Option<Self> {
        let (local, _) = to_local(DateTime::from_timestamp(second, 0)?, timezone);
        Self::of(local.date(), timezone)
    }

    fn of(date: chrono::NaiveDate, timezone: &str) -> Option<Self> {
        let midnight = |date: chrono::NaiveDate| {
            let at = from_local(date.and_time(NaiveTime::MIN), timezone)?;
            Some(at.timestamp())
        };
        Some(Self {
            start: midnight(date)?,
            end: midnight(date.checked_add_days(Days::new(1))?)?,
        })
    }

    /// The same weekday so many weeks before.
    pub(super) fn weeks_before(self, weeks: u64, timezone: &str) -> Option<Self> {
        let noon = DateTime::from_timestamp(self.start, 0)? + TimeDelta::hours(12);
        let (local, _) = to_local(noon, timezone);
        Self::of(
            local.date().checked_sub_days(Days::new(7 * weeks))?,
            timezone,
        )
    }
}
