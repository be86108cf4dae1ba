//! A day of the city, and which one a page shows.

use chrono::{DateTime, Days, NaiveTime, TimeDelta};
use domain::time::{from_local, to_local};

use super::past::{LookBackError, instant_of};
use super::state::AppState;
use crate::query::past::PastRange;

/// The second that a page shows, and its day.
#[derive(Debug, Clone)]
pub(super) struct ShownDay {
    pub(super) second: i64,
    pub(super) day: Day,
    /// The seconds that are stored.
    pub(super) range: PastRange,
    pub(super) timezone: String,
}

impl ShownDay {
    /// Of the instant in the page's address; where that is empty, of the last second that is stored.
    ///
    /// # Errors
    /// Those of [`instant_of`].
    pub(super) fn of(app: &AppState, at: &str) -> Result<Self, LookBackError> {
        let (range, timezone) = app
            .board
            .read(|board| (board.past(), board.system().timezone.clone()));
        let range = range.ok_or(LookBackError::NoPast)?;
        let (second, of_day) = match at.trim() {
            // A city that stands still at midnight shows the day that is over.
            "" => (range.last, range.last - 1),
            at => {
                let second = instant_of(app, at)?.clamp(range.first, range.last);
                (second, second)
            }
        };
        let day = Day::around(of_day, &timezone).ok_or(LookBackError::Unreadable)?;
        Ok(Self {
            second,
            day,
            range,
            timezone,
        })
    }
}

/// A day by the city's clocks: its first second, and that of the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Day {
    /// The day that a second is of.
    fn around(second: i64, timezone: &str) -> Option<Self> {
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
