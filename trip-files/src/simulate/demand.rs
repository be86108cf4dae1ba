//! When people want to ride.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use domain::time::{new_york, to_new_york};

use super::config::{DEFAULT_DAYS, SimulateConfig};
use super::random::Random;
use super::ride::utc;

/// Trips a bike makes on a mean day (the real system: 5 to 8 in summer).
const TRIPS_PER_BIKE_AND_DAY: f64 = 7.0;

/// How the trips of a day spread over its hours, by the clock in New York; the sum is 1000.
const WEEKDAY: [u32; 24] = [
    8, 5, 3, 2, 3, 10, 28, 62, 92, 58, 40, 42, 48, 48, 48, 54, 70, 104, 96, 68, 46, 31, 21, 13,
];
const WEEKEND: [u32; 24] = [
    18, 13, 9, 6, 4, 4, 8, 16, 30, 46, 62, 72, 78, 82, 84, 82, 78, 72, 64, 52, 42, 34, 26, 18,
];

/// A weekend day brings this share of a weekday's trips.
const WEEKEND_SHARE: f64 = 0.85;

const MINUTE_MS: i64 = 60_000;

/// What kind of hour it is: it decides where people ride to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) flow: Flow,
    pub(super) is_weekend: bool,
}

/// The main direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    ToWork,
    Home,
    Anywhere,
}

/// The wishes to ride, one at a time, ordered.
#[derive(Debug)]
pub(super) struct Demand {
    /// Start of the next minute, in milliseconds since 1970.
    minute: i64,
    /// Where to stop if not enough trips were made before.
    end: Option<i64>,
    /// Trips on a mean weekday.
    per_weekday: f64,
    /// Most wishes in a minute: more could not be met.
    per_minute_max: f64,
    hour: Hour,
    /// Wishes of the current minute, the earliest last.
    wishes: Vec<i64>,
}

/// The hour of the current minute; time zones are looked up once an hour.
#[derive(Debug)]
struct Hour {
    start: i64,
    period: Period,
    per_minute: f64,
}

impl Demand {
    pub(super) fn new(config: &SimulateConfig) -> Self {
        let days = config.days.unwrap_or(DEFAULT_DAYS);
        let per_day = match (config.trips, config.days) {
            #[expect(clippy::cast_precision_loss, reason = "at most a billion trips")]
            (Some(trips), Some(days)) => trips as f64 / f64::from(days),
            _ => f64::from(config.bikes) * TRIPS_PER_BIKE_AND_DAY,
        };
        let start = midnight(config.start);
        let end = config.start + TimeDelta::days(i64::from(days));
        Self {
            minute: start,
            end: config.trips.is_none().then(|| midnight(end)),
            per_weekday: per_day * 7.0 / (5.0 + 2.0 * WEEKEND_SHARE),
            per_minute_max: f64::from(config.bikes),
            hour: Hour {
                start: i64::MIN,
                period: Period {
                    flow: Flow::Anywhere,
                    is_weekend: false,
                },
                per_minute: 0.0,
            },
            wishes: Vec::new(),
        }
    }

    /// When the next rider wants to leave, in milliseconds since 1970.
    pub(super) fn next(&mut self, random: &mut Random) -> Option<(i64, Period)> {
        loop {
            if let Some(wish) = self.wishes.pop() {
                return Some((wish, self.hour.period));
            }
            if self.end.is_some_and(|end| self.minute >= end) {
                return None;
            }
            self.fill_minute(random);
        }
    }

    fn fill_minute(&mut self, random: &mut Random) {
        let hour_start = self.minute.div_euclid(60 * MINUTE_MS);
        if self.hour.start != hour_start {
            self.hour = self.hour_at(hour_start);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative and at most the number of bikes"
        )]
        let count = (self.hour.per_minute + random.fraction()) as usize;
        let minute = self.minute;
        self.wishes.extend((0..count).map(|_| {
            let within = random.below(MINUTE_MS.unsigned_abs());
            minute + i64::try_from(within).expect("it is below a minute")
        }));
        self.wishes.sort_unstable_by(|a, b| b.cmp(a));
        self.minute += MINUTE_MS;
    }

    fn hour_at(&self, start: i64) -> Hour {
        let local = to_new_york(utc(start * 60 * MINUTE_MS));
        let is_weekend = matches!(local.weekday(), Weekday::Sat | Weekday::Sun);
        let hour = local.hour();
        let (shape, share) = if is_weekend {
            (&WEEKEND, WEEKEND_SHARE)
        } else {
            (&WEEKDAY, 1.0)
        };
        let flow = match hour {
            6..=9 if !is_weekend => Flow::ToWork,
            16..=20 if !is_weekend => Flow::Home,
            _ => Flow::Anywhere,
        };
        let of_day = f64::from(shape[hour as usize]) / 1_000.0;
        let per_minute = self.per_weekday * share * of_day / 60.0;
        Hour {
            start,
            period: Period { flow, is_weekend },
            per_minute: per_minute.min(self.per_minute_max),
        }
    }
}

/// Midnight in New York, in milliseconds since 1970; clocks never change at midnight there.
fn midnight(date: chrono::NaiveDate) -> i64 {
    let local = date.and_time(chrono::NaiveTime::MIN);
    let at: DateTime<Utc> =
        new_york(local).map_or_else(|_| local.and_utc(), |instants| instants.earlier);
    at.timestamp_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hours_of_a_day_make_one_day() {
        assert_eq!(WEEKDAY.iter().sum::<u32>(), 1_000);
        assert_eq!(WEEKEND.iter().sum::<u32>(), 1_000);
    }
}
