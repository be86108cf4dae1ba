//! Which month a file holds, and which of several files of the same month to take: by their names.
//!
//! ```text
//!  2018-citibike-tripdata.zip/201804-citibike-tripdata.csv             ← taken: unsuffixed
//!  2018-citibike-tripdata.zip/4_April/201804-citibike-tripdata_1.csv   ← left out
//!  202401-citibike-tripdata.zip/202401-citibike-tripdata_1.csv         ← taken: parts of one month
//!  202401-citibike-tripdata.zip/202401-citibike-tripdata_2.csv         ← belong together
//! ```
//!
//! A month that is there prepared is taken so. Files are the same month's if nothing but folder, packing, part number and punctuation tells
//! their names apart. Names are `/`-separated, archives being folders. Not here: what files hold;
//! equal contents are found by their hash.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use domain::time;

use crate::prepared;

/// Endings that say how a file is packed.
const ENDINGS: [&str; 4] = [".csv", ".zip", ".gz", prepared::ENDING];

/// A part number has so many digits at most (chosen: a month has about five parts).
const PART_DIGITS_MAX: usize = 3;

/// A month of a year; earlier ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Month {
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
        let next = next
            .expect("a month has a first day")
            .and_time(chrono::NaiveTime::MIN);
        let at = time::new_york(next).expect("the clocks are never changed at midnight");
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
        ((2000..2100).contains(&year) && (1..=12).contains(&month) && !more_digits)
            .then_some((Self { year, month }, start + 2))
    }

    /// Its first instant in UTC, in microseconds: a few hours before New York's.
    pub(crate) fn starts_at(self) -> i64 {
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

/// What a name says about a file.
#[derive(Debug)]
struct Named<'a> {
    folder: &'a str,
    /// Its letters and digits, without ending and part number.
    stem: String,
    part: Option<u32>,
    is_prepared: bool,
}

impl<'a> Named<'a> {
    /// None if the name has no month: then nothing says that two files are the same.
    fn new(name: &'a str) -> Option<(Month, Self)> {
        let month = Month::in_name(name)?;
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let (stem, part) = stem_and_part(file);
        let named = Self {
            folder,
            stem: letters(stem),
            part,
            is_prepared: file.to_ascii_lowercase().ends_with(prepared::ENDING),
        };
        Some((month, named))
    }

    fn depth(&self) -> usize {
        self.folder
            .split('/')
            .filter(|part| !part.is_empty())
            .count()
    }
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

/// For each name: none if the file is to be taken, or the index of the one taken instead of it.
///
/// Of a month the shallowest unsuffixed file is taken, a prepared one before all others; without one, the parts of the shallowest
/// folder, and parts of other folders if none of their numbers is taken yet.
pub(crate) fn left_out(names: &[&str]) -> Vec<Option<usize>> {
    let mut instead = vec![None; names.len()];
    let mut same: HashMap<(Month, String), Vec<(usize, Named<'_>)>> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        if let Some((month, named)) = Named::new(name) {
            let key = (month, named.stem.clone());
            same.entry(key).or_default().push((index, named));
        }
    }
    for mut files in same.into_values().filter(|files| files.len() > 1) {
        files.sort_by_key(|(index, named)| (!named.is_prepared, named.depth(), names[*index]));
        let taken = taken(&files);
        let first = *taken.iter().next().expect("at least one is taken");
        let others = files.iter().filter(|(index, _)| !taken.contains(index));
        others.for_each(|(index, _)| instead[*index] = Some(first));
    }
    instead
}

/// The files to take of one month, given the shallowest first.
fn taken(files: &[(usize, Named<'_>)]) -> BTreeSet<usize> {
    if let Some((index, _)) = files.iter().find(|(_, named)| named.part.is_none()) {
        return BTreeSet::from([*index]);
    }
    // In the order of the files: a folder's first file tells where it stands.
    let mut folders: Vec<(&str, BTreeMap<u32, usize>)> = Vec::new();
    for (index, named) in files {
        let part = named.part.unwrap_or_default();
        match folders
            .iter_mut()
            .find(|(folder, _)| *folder == named.folder)
        {
            Some((_, parts)) => {
                parts.entry(part).or_insert(*index);
            }
            None => folders.push((named.folder, BTreeMap::from([(part, *index)]))),
        }
    }
    let mut taken = BTreeMap::new();
    for (_, parts) in folders {
        if parts.keys().all(|part| !taken.contains_key(part)) {
            taken.extend(parts);
        }
    }
    taken.into_values().collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(names: &[&str], expected: Expect) {
        let lines = names.iter().zip(left_out(names)).map(|(name, instead)| {
            let instead = instead.map(|index| format!("  (taken: {})", names[index]));
            format!("{name}{}\n", instead.unwrap_or_default())
        });
        expected.assert_eq(&lines.collect::<String>());
    }

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
    fn the_shallowest_unsuffixed_file_of_a_month_is_taken() {
        check(
            &[
                "2018.zip/4_April/201804-citibike-tripdata.csv",
                "2018.zip/4_April/201804-citibike-tripdata_1.csv",
                "2018.zip/4_April/201804-citibike-tripdata_2.csv",
                "2018.zip/201804-citibike-tripdata.csv",
                "2018.zip/201805-citibike-tripdata.csv",
            ],
            expect![[r#"
                2018.zip/4_April/201804-citibike-tripdata.csv  (taken: 2018.zip/201804-citibike-tripdata.csv)
                2018.zip/4_April/201804-citibike-tripdata_1.csv  (taken: 2018.zip/201804-citibike-tripdata.csv)
                2018.zip/4_April/201804-citibike-tripdata_2.csv  (taken: 2018.zip/201804-citibike-tripdata.csv)
                2018.zip/201804-citibike-tripdata.csv
                2018.zip/201805-citibike-tripdata.csv
            "#]],
        );
    }

    #[test]
    fn a_month_in_a_yearly_archive_and_on_its_own_is_taken_on_its_own() {
        check(
            &[
                "2024.zip/202401-citibike-tripdata.zip",
                "202401-citibike-tripdata.zip",
                "JC-202401-citibike-tripdata.csv.zip",
            ],
            expect![[r#"
                2024.zip/202401-citibike-tripdata.zip  (taken: 202401-citibike-tripdata.zip)
                202401-citibike-tripdata.zip
                JC-202401-citibike-tripdata.csv.zip
            "#]],
        );
    }

    #[test]
    fn parts_of_a_month_belong_together() {
        check(
            &[
                "201701-citibike-tripdata.csv_1.csv",
                "201701-citibike-tripdata.csv_2.csv",
                "old/201701-citibike-tripdata_1.csv",
                "old/201701-citibike-tripdata_2.csv",
                "old/201701-citibike-tripdata_3.csv",
            ],
            expect![[r#"
                201701-citibike-tripdata.csv_1.csv
                201701-citibike-tripdata.csv_2.csv
                old/201701-citibike-tripdata_1.csv  (taken: 201701-citibike-tripdata.csv_1.csv)
                old/201701-citibike-tripdata_2.csv  (taken: 201701-citibike-tripdata.csv_1.csv)
                old/201701-citibike-tripdata_3.csv  (taken: 201701-citibike-tripdata.csv_1.csv)
            "#]],
        );
    }

    #[test]
    fn parts_in_archives_of_their_own_belong_together() {
        check(
            &["a.zip/202401_1.csv", "b.zip/202401_2.csv"],
            expect![[r#"
                a.zip/202401_1.csv
                b.zip/202401_2.csv
            "#]],
        );
    }

    #[test]
    fn punctuation_and_packing_do_not_tell_files_apart() {
        check(
            &[
                "2013-07 - Citi Bike trip data.csv",
                "201307-citibike-tripdata.csv.gz",
            ],
            expect![[r#"
                2013-07 - Citi Bike trip data.csv
                201307-citibike-tripdata.csv.gz  (taken: 2013-07 - Citi Bike trip data.csv)
            "#]],
        );
    }

    #[test]
    fn a_month_that_is_there_prepared_is_taken_so() {
        check(
            &[
                "202003-citibike-tripdata.csv.zip",
                "prepared/202003-citibike-tripdata.parquet",
                "JC-202003-citibike-tripdata.csv",
                "202004-citibike-tripdata_1.csv",
                "202004-citibike-tripdata.parquet",
                "202003-from-202004-citibike-tripdata.parquet",
            ],
            expect![[r#"
                202003-citibike-tripdata.csv.zip  (taken: prepared/202003-citibike-tripdata.parquet)
                prepared/202003-citibike-tripdata.parquet
                JC-202003-citibike-tripdata.csv
                202004-citibike-tripdata_1.csv  (taken: 202004-citibike-tripdata.parquet)
                202004-citibike-tripdata.parquet
                202003-from-202004-citibike-tripdata.parquet
            "#]],
        );
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

    #[test]
    fn other_names_are_other_files() {
        check(
            &[
                "201803-north.csv",
                "201803-south.csv",
                "trips-2026-06-01.csv",
                "trips-2026-06-02.csv",
                "x_2020_03.csv",
                "x_2020_04.csv",
                "a/trips.csv",
                "b/trips.csv",
            ],
            expect![[r#"
                201803-north.csv
                201803-south.csv
                trips-2026-06-01.csv
                trips-2026-06-02.csv
                x_2020_03.csv
                x_2020_04.csv
                a/trips.csv
                b/trips.csv
            "#]],
        );
    }
}
