//! Which months a file holds, and which of several files to take: by their names.
//!
//! ```text
//!  2018-citibike-tripdata.zip/201804-citibike-tripdata.csv             ← first choice: unsuffixed
//!  2018-citibike-tripdata.zip/4_April/201804-citibike-tripdata.csv     ← deeper
//!  2018-citibike-tripdata.zip/4_April/201804-citibike-tripdata_1.csv   ← a part
//! ```
//!
//! Names only tell in which order to look: whether two files hold the same trips, the trips tell
//! (see [`crate::taken`]). Names are `/`-separated, archives being folders.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use domain::time;

use crate::prepared;

/// Endings that tell a file's format.
const ENDINGS: [&str; 4] = [".csv", ".zip", ".gz", prepared::ENDING];

/// Years that names can name.
const YEARS: Range<u16> = 2000..2100;

/// A part number has so many digits at most (chosen: a month has about five parts).
const PART_DIGITS_MAX: usize = 3;

/// A month of a year; earlier ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// The first month in the last part of a name, as `201306`, `2013-06` or `2013_06`.
    pub(crate) fn in_name(name: &str) -> Option<Self> {
        Self::split(name).map(|(_, month, _)| month)
    }

    /// What stands before and behind the first month in the last part of a name.
    fn split(name: &str) -> Option<(&str, Self, &str)> {
        let name = name.rsplit('/').next().unwrap_or(name);
        let found =
            |start| Self::at(name.as_bytes(), start).map(|(month, end)| (start, month, end));
        let (start, month, end) = (0..name.len()).find_map(found)?;
        Some((name.get(..start)?, month, name.get(end..)?))
    }

    /// The month of an instant in New York.
    pub(crate) fn of(at: DateTime<Utc>) -> Self {
        let local = time::to_new_york(at);
        Self {
            year: u16::try_from(local.year()).unwrap_or_default(),
            month: u8::try_from(local.month()).expect("there are twelve"),
        }
    }

    /// The first instant in New York that is not in it, in microseconds.
    pub(crate) fn ends_at(self) -> i64 {
        let (year, month) = (i32::from(self.year), u32::from(self.month));
        let next = match month {
            12 => NaiveDate::from_ymd_opt(year + 1, 1, 1),
            _ => NaiveDate::from_ymd_opt(year, month + 1, 1),
        };
        let next = next.expect("a month has a first day");
        let at = time::new_york(next.and_time(NaiveTime::MIN))
            .expect("the clocks are never changed at midnight");
        at.earlier.timestamp_micros()
    }

    /// As it stands in names: `202003`.
    pub(crate) fn digits(self) -> String {
        format!("{:04}{:02}", self.year, self.month)
    }

    /// The month that begins at this place, and where it ends.
    fn at(name: &[u8], start: usize) -> Option<(Self, usize)> {
        if start > 0 && name[start - 1].is_ascii_digit() {
            return None;
        }
        let year = number(name.get(start..start + 4)?)?;
        let separated = matches!(name.get(start + 4), Some(b'-' | b'_'));
        let start = start + 4 + usize::from(separated);
        let month = number(name.get(start..start + 2)?)?;
        let more_digits = name.get(start + 2).is_some_and(u8::is_ascii_digit);
        let month = u8::try_from(month).ok()?;
        (YEARS.contains(&year) && (1..=12).contains(&month) && !more_digits)
            .then_some((Self { year, month }, start + 2))
    }

    /// Its first instant in UTC, in microseconds: a few hours before New York's.
    pub fn starts_at(self) -> i64 {
        let first = NaiveDate::from_ymd_opt(i32::from(self.year), u32::from(self.month), 1);
        let first = first.expect("a month has a first day");
        first
            .and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .timestamp_micros()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.year, self.month)
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(digits).ok()?;
    let all_digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all_digits)
}

/// Which of several files with the same trips is taken: the least.
///
/// One that is there prepared, else one that is a whole month by its name, the shallowest, the one
/// with the shortest name: browsers and people make names longer when they copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Preference {
    is_not_prepared: bool,
    is_part: bool,
    depth: usize,
    letters: usize,
    name: String,
}

impl Preference {
    /// Of a name, `/`-separated, archives being folders.
    pub(crate) fn of(name: &str) -> Self {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let depth = folder.split('/').filter(|part| !part.is_empty()).count();
        let (stem, part) = stem_and_part(file);
        Self {
            is_not_prepared: !file.to_ascii_lowercase().ends_with(prepared::ENDING),
            is_part: part.is_some(),
            depth,
            letters: stem.len(),
            name: name.to_owned(),
        }
    }
}

/// The months that a file may hold, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: Month,
    pub(crate) last: Month,
}

impl Span {
    /// From the first to the last month in a file's own name, else in that of its archive; where a
    /// name has no month, its years.
    pub(crate) fn in_name(name: &str) -> Option<Self> {
        name.rsplit('/').find_map(|part| {
            let months = numbers(part, Month::at);
            Self::around(months).or_else(|| Self::around(numbers(part, year_at).flatten()))
        })
    }

    fn around(months: impl Iterator<Item = Month>) -> Option<Self> {
        months.fold(None, |span, month| {
            let Self { first, last } = span.unwrap_or(Self {
                first: month,
                last: month,
            });
            Some(Self {
                first: first.min(month),
                last: last.max(month),
            })
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => self.first.fmt(f),
            false => write!(f, "{} to {}", self.first, self.last),
        }
    }
}

/// What `at` finds in a name, from left to right.
fn numbers<T>(
    name: &str,
    at: impl Fn(&[u8], usize) -> Option<(T, usize)>,
) -> impl Iterator<Item = T> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let found = (start..name.len()).find_map(|start| at(name.as_bytes(), start));
        found.map(|(found, end)| {
            start = end;
            found
        })
    })
}

/// The first and last month of the year at this place, and where it ends.
fn year_at(name: &[u8], start: usize) -> Option<([Month; 2], usize)> {
    let is_digit = |at: usize| name.get(at).is_some_and(u8::is_ascii_digit);
    if start > 0 && is_digit(start - 1) || is_digit(start + 4) {
        return None;
    }
    let year = number(name.get(start..start + 4)?)?;
    YEARS
        .contains(&year)
        .then_some(([1, 12].map(|month| Month { year, month }), start + 4))
}

/// The name without endings and part number, and the part.
fn stem_and_part(file: &str) -> (&str, Option<u32>) {
    let stem = without_endings(file);
    if let Some((start, digits)) = stem.rsplit_once('_') {
        let is_part = (1..=PART_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit());
        // `x_2020_03` is no part 3.
        if is_part && Month::in_name(start).is_some() {
            return (without_endings(start), digits.parse().ok());
        }
    }
    (stem, None)
}

/// Letters and digits: what tells names apart.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// What files of one kind have in their names beside the month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    before: String,
    behind: String,
}

impl Family {
    /// The family of a file and its month, if its name has one.
    pub(crate) fn of(name: &str) -> (Self, Option<Month>) {
        let (stem, _) = stem_and_part(name.rsplit('/').next().unwrap_or(name));
        let (before, month, behind) = match Month::split(stem) {
            Some((before, month, behind)) => (before.to_owned(), Some(month), behind.to_owned()),
            None => (String::new(), None, format!("-{stem}")),
        };
        (Self { before, behind }, month)
    }

    /// The name of a month's file, without ending.
    pub(crate) fn name(&self, month: Month) -> String {
        format!("{}{}{}", self.before, month.digits(), self.behind)
    }

    /// What tells families apart: names that differ in punctuation alone are one month's.
    pub(crate) fn key(&self) -> (String, String) {
        (letters(&self.before), letters(&self.behind))
    }
}

fn without_endings(mut name: &str) -> &str {
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len())?;
        let (start, end) = name.split_at_checked(at)?;
        end.eq_ignore_ascii_case(ending).then_some(start)
    }) {
        name = shorter;
    }
    name
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_month_is_read_from_the_files_own_name() {
        let month = |name| Month::in_name(name).map(|month| month.to_string());
        let found = |text: &str| Some(text.to_owned());
        assert_eq!(month("201306-citibike-tripdata.csv"), found("2013-06"));
        assert_eq!(
            month("JC-201708 citibike-tripdata.csv.zip"),
            found("2017-08")
        );
        assert_eq!(month("2013-07 - Citi Bike trip data.csv"), found("2013-07"));
        assert_eq!(month("2018.zip/201804-trips_1.csv"), found("2018-04"));
        assert_eq!(month("201306.zip/trips.csv"), None);
        assert_eq!(month("2018-citibike-tripdata.zip"), None);
        assert_eq!(month("20180401.csv"), None);
        assert_eq!(month("201813.csv"), None);
    }

    #[test]
    fn a_month_begins_before_new_yorks_first_trip() {
        let month = Month::in_name("200001-trips.csv");
        assert_eq!(month.unwrap().starts_at(), 946_684_800_000_000);
    }

    #[test]
    fn a_month_ends_at_midnight_in_new_york() {
        let check = |last: &str, next: &str| {
            let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
            assert_eq!(Month::of(at(last)).ends_at(), at(next).timestamp_micros());
            assert_ne!(Month::of(at(last)), Month::of(at(next)));
        };
        check("2026-07-01T03:59:59Z", "2026-07-01T04:00:00Z");
        check("2027-01-01T04:59:59Z", "2027-01-01T05:00:00Z");
    }

    #[test]
    fn a_file_may_hold_all_months_of_its_name_or_of_its_archives() {
        let span = |name| Span::in_name(name).map(|span| span.to_string());
        let found = |text: &str| Some(text.to_owned());
        assert_eq!(span("201306-citibike-tripdata.csv"), found("2013-06"));
        assert_eq!(
            span("201307-201402-citibike-tripdata.zip"),
            found("2013-07 to 2014-02")
        );
        assert_eq!(
            span("2018-trips.zip/4_April/201804-trips_1.csv"),
            found("2018-04")
        );
        assert_eq!(span("JC-201902.zip/export.csv"), found("2019-02"));
        assert_eq!(
            span("2018-citibike-tripdata.zip/all.csv"),
            found("2018-01 to 2018-12")
        );
        assert_eq!(span("trips 2016 and 2017.csv"), found("2016-01 to 2017-12"));
        assert_eq!(span("trips-2026-06-01.csv"), found("2026-06"));
        assert_eq!(span("20180401.csv"), None);
        assert_eq!(span("stations-12018.csv"), None);
        assert_eq!(span("trips.csv"), None);
    }

    #[test]
    fn of_the_same_trips_a_prepared_whole_shallow_short_name_is_preferred() {
        let mut names = [
            "201804-citibike-tripdata (1).csv",
            "201804-citibike-tripdata_1.csv",
            "2018.zip/201804-citibike-tripdata.csv",
            "2018.zip/4_April/201804-citibike-tripdata.csv",
            "old/201804-citibike-tripdata.parquet",
            "x_2018_04.csv",
            "201804-citibike-tripdata.csv",
        ];
        names.sort_by_cached_key(|name| Preference::of(name));
        expect![[r#"
            old/201804-citibike-tripdata.parquet
            x_2018_04.csv
            201804-citibike-tripdata.csv
            201804-citibike-tripdata (1).csv
            2018.zip/201804-citibike-tripdata.csv
            2018.zip/4_April/201804-citibike-tripdata.csv
            201804-citibike-tripdata_1.csv
        "#]]
        .assert_eq(&(names.join("\n") + "\n"));
    }

    #[test]
    fn a_family_names_each_of_its_months() {
        let march = Month::in_name("202003").unwrap();
        let named = |name| {
            let (family, month) = Family::of(name);
            let month = month.map(|month| month.to_string());
            (family.name(march), month.unwrap_or_default())
        };
        let found = |name: &str, month: &str| (name.to_owned(), month.to_owned());
        assert_eq!(
            named("2018.zip/JC-201804-citibike-tripdata_2.csv"),
            found("JC-202003-citibike-tripdata", "2018-04")
        );
        assert_eq!(
            named("2013-07 - Citi Bike trip data.csv"),
            found("202003 - Citi Bike trip data", "2013-07")
        );
        assert_eq!(named("city.csv.gz"), found("202003-city", ""));
        let key = |name| Family::of(name).0.key();
        assert_eq!(
            key("2013-07 - Citi Bike trip data.csv"),
            key("201308-citibike-tripdata.csv")
        );
    }
}
