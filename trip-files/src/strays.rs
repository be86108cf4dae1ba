//! Finds rows dated far outside their file's months: one of them would move the clock by years.
//!
//! ```text
//!  trips ─┬─ within the months of the name, or of most rows ─▶ sorter
//!         └─ far outside ─▶ held ─┬─ few of the file's rows ─▶ rejects
//!                                 └─ too many to be wrong ───▶ sorter
//! ```
//!
//! A name is believed unless most rows contradict it. Where it has no months, the rows' own tell, if
//! most of them lie together. Holding changes no rank, but in a file that turns out to hold other months
//! than its name says. Memory: [`PENDING_MAX`] rows.

use std::io;

use domain::Reject;

use crate::compact::{CompactTrip, instant};
use crate::months::{Month, Span};
use crate::sort::Sorter;

const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A trip may depart so long before or after the months of its file's name (chosen: a month; some
/// files begin with the last trips of the month before).
const NAMED_SLACK: i64 = 31 * DAY_MICROS;

/// Without a name, so long before or after all other rows (chosen: people's samples have gaps).
const FOUND_SLACK: i64 = 366 * DAY_MICROS;

/// Rows that wait until they are decided (chosen: 1 MB of usual rows, 5 MB at most).
const PENDING_MAX: usize = 1_000;

/// A file that contradicts its name has so many rows outside, and more than inside (chosen: fewer are
/// mistakes), or none inside and several outside.
const CONTRADICTING_MIN: u64 = 10;

/// Without a name, one in so many rows may lie apart from the others.
const APART_ONE_IN: u64 = 4;

/// Where a row is from, and what it says of its departure.
#[derive(Debug)]
pub(super) struct RowOrigin {
    pub(super) line: u64,
    /// The column and the value.
    pub(super) departure: String,
    /// As much of the row as a reject keeps.
    pub(super) text: String,
}

/// Sorts out the strays of one file.
#[derive(Debug)]
pub(super) struct Strays<'a> {
    /// The file's name.
    file: &'a str,
    months: Months,
    pending: Vec<Pending>,
    inside: u64,
    outside: u64,
}

/// What is known of a file's months.
#[derive(Debug, Clone, Copy)]
enum Months {
    /// Not enough rows were seen.
    Unknown,
    /// Departures are within `from..to`; `is_sure` if what is not is a stray for certain.
    Within {
        from: i64,
        to: i64,
        /// None if the rows have told.
        named: Option<Span>,
        is_sure: bool,
    },
    /// Anything goes.
    Any,
}

/// A row that waits.
#[derive(Debug)]
enum Pending {
    Trip(CompactTrip, RowOrigin),
    Reject(Reject),
}

impl<'a> Strays<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        let named = Span::in_name(file);
        let months = named.map(|span| Months::Within {
            from: span.first.starts_at() - NAMED_SLACK,
            to: span.last.ends_at() + NAMED_SLACK,
            named,
            is_sure: false,
        });
        Self {
            file,
            months: months.unwrap_or(Months::Unknown),
            pending: Vec::new(),
            inside: 0,
            outside: 0,
        }
    }

    /// Takes the file's next trip.
    ///
    /// # Errors
    /// If the sorter's buffer is full and cannot be written.
    pub(super) fn push(
        &mut self,
        trip: CompactTrip,
        place: impl FnOnce() -> RowOrigin,
        sorter: &mut Sorter,
    ) -> io::Result<()> {
        let at = trip.departed_at;
        match &mut self.months {
            Months::Any => return sorter.push(trip),
            Months::Unknown => {}
            Months::Within {
                from, to, named, ..
            } if (*from..*to).contains(&at) => {
                if named.is_none() {
                    *from = (*from).min(at - FOUND_SLACK);
                    *to = (*to).max(at + FOUND_SLACK);
                }
                self.inside += 1;
                return sorter.push(trip);
            }
            Months::Within { is_sure, .. } => {
                self.outside += 1;
                if *is_sure {
                    return sorter.push_reject(self.stray(place()));
                }
            }
        }
        self.hold(Pending::Trip(trip, place()), sorter)
    }

    /// Takes the file's next row, which is no trip.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(super) fn push_reject(&mut self, reject: Reject, sorter: &mut Sorter) -> io::Result<()> {
        match self.months {
            // It stays behind the good row before it.
            Months::Unknown => self.hold(Pending::Reject(reject), sorter),
            _ => sorter.push_reject(reject),
        }
    }

    fn hold(&mut self, row: Pending, sorter: &mut Sorter) -> io::Result<()> {
        self.pending.push(row);
        match self.pending.len() < PENDING_MAX {
            true => Ok(()),
            false => self.decide(sorter),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(super) fn finish(mut self, sorter: &mut Sorter) -> io::Result<()> {
        if matches!(self.months, Months::Unknown) {
            self.decide(sorter)?;
        }
        self.decide(sorter)
    }

    /// Makes each row that waits a trip or a reject.
    fn decide(&mut self, sorter: &mut Sorter) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if matches!(self.months, Months::Unknown) {
            self.months = found(&pending);
            return pending.into_iter().try_for_each(|row| match row {
                // Those that lie apart wait once more.
                Pending::Trip(trip, place) => self.push(trip, || place, sorter),
                Pending::Reject(reject) => sorter.push_reject(reject),
            });
        }
        let are_strays = self.are_strays();
        match &mut self.months {
            Months::Within { is_sure, .. } if are_strays => *is_sure = true,
            months => *months = Months::Any,
        }
        pending.into_iter().try_for_each(|row| match row {
            Pending::Trip(_, place) if are_strays => sorter.push_reject(self.stray(place)),
            Pending::Trip(trip, _) => sorter.push(trip),
            Pending::Reject(reject) => sorter.push_reject(reject),
        })
    }

    /// Whether what waits is too little to tell of other months.
    fn are_strays(&self) -> bool {
        match self.months {
            Months::Within { named: Some(_), .. } => {
                let (inside, outside) = (self.inside, self.outside);
                let is_another_month = inside == 0 && outside > 1;
                !is_another_month && (outside < CONTRADICTING_MIN || outside <= inside)
            }
            _ => self.outside * APART_ONE_IN <= self.inside + self.outside,
        }
    }

    fn stray(&self, place: RowOrigin) -> Reject {
        let RowOrigin {
            line,
            departure,
            text,
        } = place;
        let reason = match self.months {
            Months::Within {
                named: Some(span), ..
            } => {
                format!(
                    "{departure} is more than 31 days away from {span}, the month in the file's name"
                )
            }
            Months::Within { from, to, .. } => {
                let month = |at: i64| Month::of(instant(at));
                let span = Span {
                    first: month(from + FOUND_SLACK),
                    last: month(to - FOUND_SLACK),
                };
                format!("{departure} is more than a year away from the file's other rows, {span}")
            }
            Months::Unknown | Months::Any => departure,
        };
        Reject::new(self.file, line, reason, &text)
    }
}

/// The months of most of the rows: those around the middle one, up to a gap.
fn found(rows: &[Pending]) -> Months {
    let departure = |row: &Pending| match row {
        Pending::Trip(trip, _) => Some(trip.departed_at),
        Pending::Reject(_) => None,
    };
    let mut departures: Vec<_> = rows.iter().filter_map(departure).collect();
    departures.sort_unstable();
    let middle = departures.get(departures.len() / 2).copied();
    let mut together = departures.chunk_by(|a, b| b - a <= FOUND_SLACK);
    let around = together.find(|group| group.last().copied() >= middle);
    let apart = |group: &[i64]| (departures.len() - group.len()) as u64;
    let most = around.filter(|group| apart(group) * APART_ONE_IN <= departures.len() as u64);
    match most {
        Some([first, .., last]) => Months::Within {
            from: first - FOUND_SLACK,
            to: last + FOUND_SLACK,
            named: None,
            is_sure: false,
        },
        _ => Months::Any,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::compact::Names;
    use crate::row::Content;
    use crate::samples::still_trip;
    use crate::sort::{MemoryLimit, SortConfig};

    /// What a file gives in the end: trips by their departures, rejects by their reasons.
    fn rows(file: &str, departures: &[Option<i64>]) -> Vec<Result<i64, String>> {
        let mut sorter = Sorter::new(SortConfig {
            buffer_bytes: usize::MAX,
            memory: Some(MemoryLimit::new(usize::MAX)),
            folder: "never-written".into(),
            prefix: "0".to_owned(),
        });
        let mut names = Names::default();
        let mut strays = Strays::new(file);
        for (line, departure) in (2..).zip(departures) {
            let Some(at) = *departure else {
                let reject = Reject::new(file, line, "no trip", "");
                strays.push_reject(reject, &mut sorter).unwrap();
                continue;
            };
            let trip = still_trip(&mut names, at);
            let place = || RowOrigin {
                line,
                departure: format!("starttime \"{}\"", instant(at).format("%F")),
                text: String::new(),
            };
            strays.push(trip, place, &mut sorter).unwrap();
        }
        strays.finish(&mut sorter).unwrap();
        let sorted = sorter.finish().unwrap();
        let mut sorted = sorted.open("never-written".as_ref(), file).unwrap();
        let mut found = Vec::new();
        while let Some(row) = sorted.next(&mut names).unwrap() {
            found.push(match row.content {
                Content::Trip(trip) => Ok(trip.departed_at),
                Content::Reject(reject) => Err(format!("line {}: {}", reject.line, reject.reason)),
            });
        }
        found
    }

    fn noon(date: &str) -> i64 {
        format!("{date}T16:00:00Z")
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
            .timestamp_micros()
    }

    fn check(file: &str, dates: &[&str], expected: Expect) {
        let departures: Vec<_> = dates.iter().map(|date| Some(noon(date))).collect();
        let found = rows(file, &departures);
        let trips = found.iter().flatten().count();
        let rejects: String = found
            .iter()
            .filter_map(|row| row.as_ref().err())
            .map(|reason| format!("{reason}\n"))
            .collect();
        expected.assert_eq(&format!("{trips} trips\n{rejects}"));
    }

    #[test]
    fn a_row_far_outside_the_months_of_the_name_is_rejected() {
        check(
            "201909-citibike-tripdata.csv",
            &[
                "2019-08-05",
                "2019-08-31",
                "2019-09-14",
                "2019-10-30",
                "2091-09-02",
                "2019-11-02",
                "2018-09-20",
            ],
            expect![[r#"
                4 trips
                line 6: starttime "2091-09-02" is more than 31 days away from 2019-09, the month in the file's name
                line 7: starttime "2019-11-02" is more than 31 days away from 2019-09, the month in the file's name
                line 8: starttime "2018-09-20" is more than 31 days away from 2019-09, the month in the file's name
            "#]],
        );
        check(
            "201909-citibike-tripdata.csv",
            &["2037-01-01"],
            expect![[r#"
            0 trips
            line 2: starttime "2037-01-01" is more than 31 days away from 2019-09, the month in the file's name
        "#]],
        );
    }

    #[test]
    fn a_year_holds_its_months() {
        check(
            "2017-citibike-tripdata/all.csv",
            &[
                "2016-12-31",
                "2017-01-01",
                "2017-07-04",
                "2017-12-31",
                "2018-01-01",
                "2027-05-05",
            ],
            expect![[r#"
                5 trips
                line 7: starttime "2027-05-05" is more than 31 days away from 2017-01 to 2017-12, the month in the file's name
            "#]],
        );
    }

    #[test]
    fn without_months_in_the_name_a_row_far_from_the_others_is_rejected() {
        check(
            "trips.csv",
            &[
                "2044-02-02",
                "2022-05-01",
                "2022-05-02",
                "2022-11-09",
                "2022-05-04",
            ],
            expect![[r#"
                4 trips
                line 2: starttime "2044-02-02" is more than a year away from the file's other rows, 2022-05 to 2022-11
            "#]],
        );
        let halves = ["2015-03-01", "2015-03-02", "2017-03-01", "2017-03-02"];
        check(
            "sample.csv",
            &halves,
            expect![[r#"
            4 trips
        "#]],
        );
    }

    #[test]
    fn a_name_that_most_rows_contradict_is_not_believed() {
        let years: Vec<_> = (0..1_500)
            .map(|day| Some(noon("2014-03-01") + day * DAY_MICROS))
            .collect();
        let found = rows("201403-every-day.csv", &years);
        assert_eq!(
            found,
            years.iter().map(|at| Ok(at.unwrap())).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_file_of_another_month_than_its_name_says_is_taken() {
        check(
            "202203-trips.csv",
            &["2022-07-01", "2022-07-02"],
            expect![[r#"
                2 trips
            "#]],
        );
    }

    #[test]
    fn strays_among_many_rows_are_rejected_wherever_they_stand() {
        for file in ["202105-trips.csv", "trips.csv"] {
            let mut departures: Vec<_> = (0..3_000)
                .map(|row| Some(noon("2021-05-03") + row * 1_000_000))
                .collect();
            for at in [0, 900, 1_500, 3_000] {
                departures.insert(at, Some(noon("2051-05-03")));
            }
            let found = rows(file, &departures);
            assert_eq!(found.iter().flatten().count(), 3_000, "{file}");
            assert_eq!(found.len(), 3_004);
        }
    }

    proptest! {
        #[test]
        fn every_row_is_a_trip_or_a_reject_and_without_strays_in_the_order_of_a_plain_sorter(
            days in prop::collection::vec(prop::option::weighted(0.9, 0_i64..25), 0..60),
            wild in prop::collection::vec(0_i64..30_000, 0..20),
        ) {
            let at = |day: i64| noon("2020-06-02") + day * DAY_MICROS;
            let tame: Vec<_> = days.iter().map(|day| day.map(at)).collect();
            let named = rows("202006-trips.csv", &tame);
            prop_assert_eq!(&rows("trips.csv", &tame), &named);
            prop_assert_eq!(named.len(), tame.len());
            let mut all = tame;
            all.extend(wild.iter().map(|day| Some(at(*day))));
            prop_assert_eq!(rows("202006-trips.csv", &all).len(), all.len());
            prop_assert_eq!(rows("trips.csv", &all).len(), all.len());
        }
    }
}
