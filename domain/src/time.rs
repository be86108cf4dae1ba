//! New York wall clock to UTC, through both clock changes.
//!
//! Trip files carry wall-clock times without an offset. Once a year an hour is skipped: such a
//! time does not exist and is an error. Once a year an hour happens twice: [`resolve`] chooses.

use std::ops::RangeInclusive;

use chrono::{
    DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::America::New_York;
use chrono_tz::Tz;

/// How far a trip's own duration may lie from the difference of its times and still agree.
///
/// Chosen: the coarsest form has minutes only, so either end may be off by nearly one.
const DURATION_AGREES_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// Years of trip files (chosen: what two digits can name, and what names of months can).
const YEARS: RangeInclusive<i32> = 2_000..=2_099;

/// A time that cannot be used; the message follows the column and the quoted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text has none of the known forms, or names no day of the calendar.
    #[error("is not a time")]
    Unreadable,
    /// No trip file is of that year.
    #[error("is not of the years {} to {}", YEARS.start(), YEARS.end())]
    Year,
    /// The clocks went forward over it.
    #[error("does not exist in America/New_York: the clocks went forward")]
    Skipped,
}

/// The instants a wall-clock time may mean; both are the same except in the hour of autumn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instants {
    /// The first time the clock showed it (summer time).
    pub earlier: DateTime<Utc>,
    /// The second time the clock showed it (winter time).
    pub later: DateTime<Utc>,
}

/// Reads a wall-clock time in any of the forms the files have, down to microseconds.
///
/// `2018-01-01 13:50:57.4340`, `9/1/2014 00:00:25`, `7/1/2013 0:00`, `07/03/18 17:48:39`: month
/// before day, 0 to 9 fraction digits (those past the sixth are dropped), two-digit years from
/// 2000 on, seconds optional.
///
/// ```
/// let local = domain::time::parse_local("7/1/2013 0:05").unwrap();
/// assert_eq!(local.to_string(), "2013-07-01 00:05:00");
/// ```
///
/// # Errors
/// [`TimeError::Unreadable`]; [`TimeError::Year`] if it is not of the years 2000 to 2099.
pub fn parse_local(text: &str) -> Result<NaiveDateTime, TimeError> {
    let mut scanner = Scanner(text.trim().as_bytes());
    let local = scan(&mut scanner)
        .filter(|_| scanner.0.is_empty())
        .ok_or(TimeError::Unreadable)?;
    match YEARS.contains(&local.year()) {
        true => Ok(local),
        false => Err(TimeError::Year),
    }
}

/// Gives the instants at which clocks in New York showed this time.
///
/// # Errors
/// [`TimeError::Skipped`] in the hour that is left out in spring.
pub fn new_york(local: NaiveDateTime) -> Result<Instants, TimeError> {
    match New_York.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => Ok(Instants {
            earlier: at.with_timezone(&Utc),
            later: at.with_timezone(&Utc),
        }),
        MappedLocalTime::Ambiguous(earlier, later) => Ok(Instants {
            earlier: earlier.with_timezone(&Utc),
            later: later.with_timezone(&Utc),
        }),
        MappedLocalTime::None => Err(TimeError::Skipped),
    }
}

/// Gives the wall-clock time in New York at an instant.
#[must_use]
pub fn to_new_york(at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&New_York).naive_local()
}

/// Whether a name is in the time zone database.
#[must_use]
pub fn is_timezone(name: &str) -> bool {
    name.parse::<chrono_tz::Tz>().is_ok()
}

/// Gives the wall-clock time at an instant in a time zone, and the city that names the zone; in New York
/// if there is no such zone.
///
/// ```
/// let at = "2020-03-02T13:14:05Z".parse().unwrap();
/// let (local, city) = domain::time::to_local(at, "America/Port_of_Spain");
/// assert_eq!((local.to_string().as_str(), city.as_str()), ("2020-03-02 09:14:05", "Port of Spain"));
/// ```
#[must_use]
pub fn to_local(at: DateTime<Utc>, timezone: &str) -> (NaiveDateTime, String) {
    let zone = timezone.parse().unwrap_or(New_York);
    let city = zone.name().rsplit('/').next().unwrap_or_default();
    (
        at.with_timezone(&zone).naive_local(),
        city.replace('_', " "),
    )
}

/// Gives the instant at which clocks in a time zone show this time; in New York if there is no such
/// zone.
///
/// The earlier one where they show it twice. Where they skip it, the instant at which they would have
/// shown it if they had not gone forward.
///
/// ```
/// let local = domain::time::parse_local("2020-03-08 02:30").unwrap();
/// let at = domain::time::from_local(local, "America/New_York").unwrap();
/// assert_eq!(at.to_string(), "2020-03-08 07:30:00 UTC");
/// ```
#[must_use]
pub fn from_local(local: NaiveDateTime, timezone: &str) -> Option<DateTime<Utc>> {
    let zone: Tz = timezone.parse().unwrap_or(New_York);
    let at = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest();
    let hour = TimeDelta::hours(1);
    let skipped = || local.checked_add_signed(hour).and_then(at);
    at(local).or_else(skipped).map(|at| at.with_timezone(&Utc))
}

/// Chooses the departure and the arrival of a trip among the instants they may mean.
///
/// In this order: the pair whose difference agrees with the trip's own duration, where the file
/// has one; the pair with the shortest duration that is not negative; the earlier instants. Where
/// two pairs are equally good the earlier one is taken.
#[must_use]
pub fn resolve(
    departure: Instants,
    arrival: Instants,
    duration: Option<TimeDelta>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let earliest = (departure.earlier, arrival.earlier);
    if departure.earlier == departure.later && arrival.earlier == arrival.later {
        return earliest;
    }
    let pairs = [
        earliest,
        (departure.earlier, arrival.later),
        (departure.later, arrival.earlier),
        (departure.later, arrival.later),
    ];
    let lasting = || {
        pairs
            .into_iter()
            .filter(|(departed, arrived)| arrived >= departed)
    };
    let agreeing = duration.and_then(|duration| {
        lasting()
            .map(|pair| (((pair.1 - pair.0) - duration).abs(), pair))
            .filter(|(off, _)| *off <= DURATION_AGREES_WITHIN)
            .min_by_key(|(off, _)| *off)
            .map(|(_, pair)| pair)
    });
    agreeing
        .or_else(|| lasting().min_by_key(|(departed, arrived)| *arrived - *departed))
        .unwrap_or(earliest)
}

/// Reads digits and marks from the front of a text.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    /// Takes up to `max` digits; gives their value and how many there were.
    fn digits(&mut self, max: usize) -> (u32, usize) {
        let mut value = 0;
        let mut count = 0;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0
            && count < max
        {
            value = value * 10 + u32::from(digit - b'0');
            count += 1;
            self.0 = rest;
        }
        (value, count)
    }

    /// Takes a number of `min` to `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<u32> {
        let (value, count) = self.digits(max);
        (count >= min).then_some(value)
    }

    fn take(&mut self, mark: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == mark => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, mark: u8) -> Option<()> {
        self.take(mark).then_some(())
    }
}

fn scan(scanner: &mut Scanner<'_>) -> Option<NaiveDateTime> {
    let date = scan_date(scanner)?;
    if !scanner.take(b'T') {
        scanner.expect(b' ')?;
        while scanner.take(b' ') {}
    }
    let hour = scanner.number(1, 2)?;
    scanner.expect(b':')?;
    let minute = scanner.number(2, 2)?;
    let second = if scanner.take(b':') {
        scanner.number(2, 2)?
    } else {
        0
    };
    let micros = if scanner.take(b'.') {
        scan_micros(scanner)
    } else {
        0
    };
    date.and_hms_micro_opt(hour, minute, second, micros)
}

fn scan_date(scanner: &mut Scanner<'_>) -> Option<NaiveDate> {
    let (first, width) = scanner.digits(4);
    if width == 4 {
        scanner.expect(b'-')?;
        let month = scanner.number(1, 2)?;
        scanner.expect(b'-')?;
        return NaiveDate::from_ymd_opt(i32::try_from(first).ok()?, month, scanner.number(1, 2)?);
    }
    if !(1..=2).contains(&width) {
        return None;
    }
    scanner.expect(b'/')?;
    let day = scanner.number(1, 2)?;
    scanner.expect(b'/')?;
    let year = match scanner.digits(4) {
        (year, 4) => year,
        (year, 2) => 2_000 + year,
        _ => return None,
    };
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, first, day)
}

/// Takes up to nine fraction digits and gives microseconds.
fn scan_micros(scanner: &mut Scanner<'_>) -> u32 {
    let (mut value, mut count) = scanner.digits(6);
    while count < 6 {
        value *= 10;
        count += 1;
    }
    scanner.digits(3);
    value
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check_forms(texts: &[&str], expected: Expect) {
        let lines: Vec<_> = texts
            .iter()
            .map(|text| match parse_local(text) {
                Ok(local) => format!("{text:32} {local:?}"),
                Err(error) => format!("{text:32} {error}"),
            })
            .collect();
        expected.assert_eq(&(lines.join("\n") + "\n"));
    }

    /// What `departure → arrival` in New York, with a duration in seconds, means in UTC.
    fn check_trip(departure: &str, arrival: &str, seconds: Option<i64>, expected: Expect) {
        let instants = |text| parse_local(text).and_then(new_york);
        let text = match (instants(departure), instants(arrival)) {
            (Ok(departure), Ok(arrival)) => {
                let (departed, arrived) =
                    resolve(departure, arrival, seconds.map(TimeDelta::seconds));
                format!("{departed:?} to {arrived:?}")
            }
            (Err(error), _) => format!("departure {error}"),
            (_, Err(error)) => format!("arrival {error}"),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn every_form_of_the_files_is_read() {
        check_forms(
            &[
                "2013-07-01 00:00:00",
                "9/1/2014 00:00:25",
                "7/1/2013 0:00",
                "07/03/18 17:48:39",
                "2018-01-01 13:50:57.4340",
                "2026-02-11 14:43:52.970",
                "2026-02-11 14:43:52.123456789",
                "2026-02-11T14:43:52",
                " 2026-02-11  14:43:52 ",
            ],
            expect![[r#"
                2013-07-01 00:00:00              2013-07-01T00:00:00
                9/1/2014 00:00:25                2014-09-01T00:00:25
                7/1/2013 0:00                    2013-07-01T00:00:00
                07/03/18 17:48:39                2018-07-03T17:48:39
                2018-01-01 13:50:57.4340         2018-01-01T13:50:57.434
                2026-02-11 14:43:52.970          2026-02-11T14:43:52.970
                2026-02-11 14:43:52.123456789    2026-02-11T14:43:52.123456
                2026-02-11T14:43:52              2026-02-11T14:43:52
                 2026-02-11  14:43:52            2026-02-11T14:43:52
            "#]],
        );
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        check_forms(
            &[
                "",
                "2013-07-01",
                "2013-02-30 00:00:00",
                "13/1/2014 00:00:25",
                "2013-07-01 24:00:00",
                "2013-07-01 00:00:00 EST",
                "2013-07-01 00:00:00.1234567890",
                "1/2/3 00:00:00",
                "tomorrow",
            ],
            expect![[r#"
                                                 is not a time
                2013-07-01                       is not a time
                2013-02-30 00:00:00              is not a time
                13/1/2014 00:00:25               is not a time
                2013-07-01 24:00:00              is not a time
                2013-07-01 00:00:00 EST          is not a time
                2013-07-01 00:00:00.1234567890   is not a time
                1/2/3 00:00:00                   is not a time
                tomorrow                         is not a time
            "#]],
        );
    }

    #[test]
    fn a_year_of_no_trip_file_is_an_error_in_every_form() {
        check_forms(
            &[
                "2000-01-01 00:00:00",
                "12/31/2099 23:59:59",
                "0213-07-01 00:00:00",
                "1999-12-31T23:59:59",
                "2100-01-01 00:00",
                "7/1/0213 0:00",
                "7/1/1970 0:00",
            ],
            expect![[r#"
                2000-01-01 00:00:00              2000-01-01T00:00:00
                12/31/2099 23:59:59              2099-12-31T23:59:59
                0213-07-01 00:00:00              is not of the years 2000 to 2099
                1999-12-31T23:59:59              is not of the years 2000 to 2099
                2100-01-01 00:00                 is not of the years 2000 to 2099
                7/1/0213 0:00                    is not of the years 2000 to 2099
                7/1/1970 0:00                    is not of the years 2000 to 2099
            "#]],
        );
    }

    #[test]
    fn a_time_the_clocks_skipped_in_spring_does_not_exist() {
        check_trip(
            "2020-03-08 01:59:59",
            "2020-03-08 03:00:01",
            None,
            expect!["2020-03-08T06:59:59Z to 2020-03-08T07:00:01Z"],
        );
        check_trip(
            "2020-03-08 02:30:00",
            "2020-03-08 03:10:00",
            None,
            expect!["departure does not exist in America/New_York: the clocks went forward"],
        );
        check_trip(
            "2020-03-08 01:30:00",
            "2020-03-08 02:00:00",
            None,
            expect!["arrival does not exist in America/New_York: the clocks went forward"],
        );
    }

    #[test]
    fn in_autumn_the_trips_own_duration_decides() {
        // 01:30 happened at 05:30Z and at 06:30Z; 02:10 once, at 07:10Z.
        check_trip(
            "2020-11-01 01:30:00",
            "2020-11-01 02:10:00",
            Some(6_000),
            expect!["2020-11-01T05:30:00Z to 2020-11-01T07:10:00Z"],
        );
        check_trip(
            "2020-11-01 01:30:00",
            "2020-11-01 02:10:00",
            Some(2_400),
            expect!["2020-11-01T06:30:00Z to 2020-11-01T07:10:00Z"],
        );
        check_trip(
            "2020-11-01 01:10:00",
            "2020-11-01 01:30:00",
            Some(4_800),
            expect!["2020-11-01T05:10:00Z to 2020-11-01T06:30:00Z"],
        );
    }

    #[test]
    fn in_autumn_without_a_duration_the_shortest_trip_is_taken_and_then_the_earlier() {
        check_trip(
            "2020-11-01 01:30:00",
            "2020-11-01 02:10:00",
            None,
            expect!["2020-11-01T06:30:00Z to 2020-11-01T07:10:00Z"],
        );
        check_trip(
            "2020-11-01 01:10:00",
            "2020-11-01 01:30:00",
            None,
            expect!["2020-11-01T05:10:00Z to 2020-11-01T05:30:00Z"],
        );
        // The clock went back during the ride.
        check_trip(
            "2020-11-01 01:50:00",
            "2020-11-01 01:10:00",
            None,
            expect!["2020-11-01T05:50:00Z to 2020-11-01T06:10:00Z"],
        );
        // A duration that agrees with nothing is not listened to.
        check_trip(
            "2020-11-01 01:50:00",
            "2020-11-01 01:10:00",
            Some(99_999),
            expect!["2020-11-01T05:50:00Z to 2020-11-01T06:10:00Z"],
        );
        // No choice gives a duration that is not negative.
        check_trip(
            "2020-11-01 03:00:00",
            "2020-11-01 01:10:00",
            Some(60),
            expect!["2020-11-01T08:00:00Z to 2020-11-01T05:10:00Z"],
        );
    }

    proptest! {
        #[test]
        fn a_trip_written_in_wall_clock_with_its_duration_is_read_back_as_it_was(
            // Around both clock changes of 2020, in seconds.
            departed in prop_oneof![1_583_600_000_i64..1_583_700_000, 1_604_190_000_i64..1_604_250_000],
            seconds in 0_i64..20_000,
        ) {
            let departed = DateTime::from_timestamp(departed, 0).unwrap();
            let arrived = departed + TimeDelta::seconds(seconds);
            let departure = new_york(to_new_york(departed)).unwrap();
            let arrival = new_york(to_new_york(arrived)).unwrap();
            let (again, arrived_again) = resolve(departure, arrival, Some(arrived - departed));
            prop_assert_eq!(arrived_again - again, arrived - departed);
            // Only a trip wholly inside the doubled hour cannot be distinguished from its twin.
            let ambiguous = |i: Instants| i.earlier != i.later;
            if !(ambiguous(departure) && ambiguous(arrival)) {
                prop_assert_eq!(again, departed);
            }
        }
    }
}
