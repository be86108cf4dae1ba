//! Which month a file holds, and which of several files of the same month to take: by their names.
//!
//! ```text
//!  2018-citibike-tripdata.zip/201804-citibike-tripdata.csv             ← taken: unsuffixed
//!  2018-citibike-tripdata.zip/4_April/201804-citibike-tripdata_1.csv   ← left out
//!  202401-citibike-tripdata.zip/202401-citibike-tripdata_1.csv         ← taken: parts of one month
//!  202401-citibike-tripdata.zip/202401-citibike-tripdata_2.csv         ← belong together
//! ```
//!
//! Files are the same month's if nothing but folder, packing, part number and punctuation tells
//! their names apart. Names are `/`-separated, archives being folders. Not here: what files hold;
//! equal contents are found by their hash.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use chrono::NaiveDate;

/// Endings that say how a file is packed.
const ENDINGS: [&str; 3] = [".csv", ".zip", ".gz"];

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
        let name = name.rsplit('/').next().unwrap_or(name).as_bytes();
        (0..name.len()).find_map(|start| Self::at(name, start))
    }

    fn at(name: &[u8], start: usize) -> Option<Self> {
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
            .then_some(Self { year, month })
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
}

impl<'a> Named<'a> {
    /// None if the name has no month: then nothing says that two files are the same.
    fn new(name: &'a str) -> Option<(Month, Self)> {
        let month = Month::in_name(name)?;
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let mut stem = without_endings(file);
        let mut part = None;
        if let Some((start, digits)) = stem.rsplit_once('_') {
            let is_part = (1..=PART_DIGITS_MAX).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit());
            // `x_2020_03` is no part 3.
            if is_part && Month::in_name(start).is_some() {
                part = digits.parse().ok();
                stem = without_endings(start);
            }
        }
        let letters = stem.chars().filter(|c| c.is_alphanumeric());
        let stem = letters.flat_map(char::to_lowercase).collect();
        Some((month, Self { folder, stem, part }))
    }

    fn depth(&self) -> usize {
        self.folder
            .split('/')
            .filter(|part| !part.is_empty())
            .count()
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
/// Of a month the shallowest unsuffixed file is taken; without one, the parts of the shallowest
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
        files.sort_by_key(|(index, named)| (named.depth(), names[*index]));
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
