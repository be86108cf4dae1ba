//! Times in the words of a language.

use super::{Word, Words};
use crate::decimal::integer;
use crate::model::WallTime;

impl Words {
    /// The city's clocks for people, of what they show for machines:
    /// `2020-03-02T08:14:05 New York` → `Mon 2 Mar 2020, 08:14:05 New York time`.
    pub(crate) fn local_time(self, local: &str) -> String {
        self.parse_local(local).unwrap_or_else(|| local.to_owned())
    }

    fn parse_local(self, local: &str) -> Option<String> {
        let (date, rest) = local.split_once('T')?;
        let (time, city) = rest.split_once(' ')?;
        let mut parts = date.split('-').map(integer::<usize>);
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let month_name = self.nth(Word::Months, month.checked_sub(1)?);
        let weekday = self.nth(Word::Weekdays, weekday(year, month, day)?);
        let (year, day) = (year.to_string(), day.to_string());
        Some(self.fill(
            Word::LocalTime,
            &[weekday, &day, month_name, &year, time, city],
        ))
    }

    /// `28 Feb, 10:10`.
    pub(crate) fn wall_time(self, at: WallTime) -> String {
        let month = self.nth(Word::Months, usize::from(at.month).wrapping_sub(1));
        let time = format!("{:02}:{:02}", at.hour, at.minute);
        self.fill(Word::LastSeenAt, &[&at.day.to_string(), month, &time])
    }
}

/// The day of the week from Monday, 0, on (Sakamoto's way); none where there is no such month.
fn weekday(year: usize, month: usize, day: usize) -> Option<usize> {
    const SHIFTS: [usize; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let shift = SHIFTS.get(month.checked_sub(1)?)?;
    // A year begins in March, so that its last day may be the 29th.
    let year = year.checked_sub(usize::from(month < 3))?;
    let from_sunday = (year + year / 4 - year / 100 + year / 400 + shift + day) % 7;
    Some((from_sunday + 6) % 7)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use chrono::{Datelike as _, NaiveDate};

    use super::*;
    use crate::words::Language;

    #[test]
    fn times_read_as_people_write_them() {
        let read = |local: &str| {
            Language::ALL
                .map(|it| it.words().local_time(local))
                .join(" | ")
        };
        assert_eq!(
            read("2020-03-02T08:14:05 New York"),
            "Mon 2 Mar 2020, 08:14:05 New York time | lun 2 mar 2020, 08:14:05, hora de New York"
        );
        assert_eq!(
            read("2020-13-02T08:14:05 New York"),
            "2020-13-02T08:14:05 New York | "
                .repeat(2)
                .trim_end_matches(" | ")
        );
        assert_eq!(read(""), " | ");
    }

    #[test]
    fn the_day_of_the_week_is_the_calendars() {
        for days in 0..1_000 {
            let day = NaiveDate::from_ymd_opt(1999, 12, 30).unwrap() + chrono::Days::new(days * 13);
            let (month, day_of_month) = (day.month() as usize, day.day() as usize);
            let found = weekday(usize::try_from(day.year()).unwrap(), month, day_of_month);
            assert_eq!(
                found,
                Some(day.weekday().num_days_from_monday() as usize),
                "{day}"
            );
        }
    }
}
