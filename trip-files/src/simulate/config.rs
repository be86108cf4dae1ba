//! What makes one simulated city differ from another.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use domain::time::new_york;

/// The city's days where neither trips nor days are given.
pub(super) const DEFAULT_DAYS: u32 = 7;

/// Parameters of a simulated city; parsed from `seed=7,trips=300000`.
///
/// With `trips` and `days` the trips spread over the days; with one of them each bike makes about
/// seven trips a day, as in the real system. With neither the city lives for seven days.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulateConfig {
    /// Start of the sequence of random numbers.
    pub seed: u64,
    /// How many trips to make; as many as the days bring if absent.
    pub trips: Option<u64>,
    /// How many days the city lives.
    pub days: Option<u32>,
    /// The first day, in New York.
    pub start: NaiveDate,
    /// How many stations there are, of those in Manhattan and across its rivers.
    pub stations: usize,
    /// How many bikes there are.
    pub bikes: u32,
    /// Share of the rows that are broken, from 0 to 0.5.
    pub dirty: f64,
}

/// Parameters that make no city; the message names the parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulateError {
    /// No such parameter.
    #[error("unknown parameter \"{0}\": known are {KNOWN}")]
    Unknown(String),
    /// A parameter without `=`.
    #[error("parameter \"{0}\" has no value: write {0}=…")]
    NoValue(String),
    /// A value of the wrong kind.
    #[error("parameter {name}: \"{value}\" is not {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value out of range.
    #[error("parameter {name}: {value} is not within {from} to {to}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// The least value.
        from: String,
        /// The greatest value.
        to: String,
    },
}

const KNOWN: &str = "seed, trips, days, start, stations, bikes, dirty";

impl Default for SimulateConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            trips: None,
            days: None,
            start: NaiveDate::from_ymd_opt(2026, 6, 1).expect("it is in the calendar"),
            stations: 350,
            bikes: 3_500,
            dirty: 0.0,
        }
    }
}

impl FromStr for SimulateConfig {
    type Err = SimulateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut config = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let Some((name, value)) = part.split_once('=') else {
                return Err(SimulateError::NoValue(part.to_owned()));
            };
            config.set(name.trim(), value.trim())?;
        }
        config.check()?;
        Ok(config)
    }
}

impl SimulateConfig {
    fn set(&mut self, name: &str, value: &str) -> Result<(), SimulateError> {
        match name {
            "seed" => self.seed = number("seed", value)?,
            "trips" => self.trips = Some(number("trips", value)?),
            "days" => self.days = Some(number("days", value)?),
            "stations" => self.stations = number("stations", value)?,
            "bikes" => self.bikes = number("bikes", value)?,
            "start" => self.start = parse("start", value, "a date such as 2026-06-01")?,
            "dirty" => self.dirty = parse("dirty", value, "a share such as 0.001")?,
            _ => return Err(SimulateError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// Eight o'clock on the second day, if the city lives so long: its bikes are all known then.
    #[must_use]
    pub fn second_morning(&self) -> Option<DateTime<Utc>> {
        let days = match (self.trips, self.days) {
            (None, None) => DEFAULT_DAYS,
            (_, days) => days.unwrap_or(1),
        };
        let morning = (self.start + Days::new(1)).and_hms_opt(8, 0, 0)?;
        let instants = new_york(morning).ok()?;
        (days > 1).then_some(instants.earlier)
    }

    /// Checks the ranges; a parsed configuration has been checked.
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        within("trips", self.trips.unwrap_or(1), 1..=1_000_000_000)?;
        within("days", self.days.unwrap_or(1), 1..=3_660)?;
        within("start", self.start.year(), 2007..=2099)?;
        within("stations", self.stations, 2..=1_000)?;
        within("bikes", self.bikes, 1..=100_000)?;
        within("dirty", self.dirty, 0.0..=0.5)
    }

    /// The source's name in records: the seed, and what differs from the defaults.
    #[must_use]
    pub fn source_name(&self) -> String {
        let default = Self::default();
        let mut name = format!("simulate:{}", self.seed);
        let mut add = |differs: bool, key: &str, value: String| {
            if differs {
                // Writing to a text cannot fail.
                write!(name, ",{key}={value}").unwrap_or_default();
            }
        };
        add(
            self.trips.is_some(),
            "trips",
            self.trips.unwrap_or_default().to_string(),
        );
        add(
            self.days.is_some(),
            "days",
            self.days.unwrap_or_default().to_string(),
        );
        add(self.start != default.start, "start", self.start.to_string());
        add(
            self.stations != default.stations,
            "stations",
            self.stations.to_string(),
        );
        add(self.bikes != default.bikes, "bikes", self.bikes.to_string());
        add(self.dirty > 0.0, "dirty", self.dirty.to_string());
        name
    }
}

fn parse<T: FromStr>(
    name: &'static str,
    value: &str,
    expected: &'static str,
) -> Result<T, SimulateError> {
    value.parse().map_err(|_| SimulateError::Value {
        name,
        value: value.to_owned(),
        expected,
    })
}

/// A whole number; `1_000_000` may be written so.
fn number<T: FromStr>(name: &'static str, value: &str) -> Result<T, SimulateError> {
    parse(name, &value.replace('_', ""), "a whole number").map_err(|_| SimulateError::Value {
        name,
        value: value.to_owned(),
        expected: "a whole number",
    })
}

fn within<T: PartialOrd + ToString>(
    name: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), SimulateError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SimulateError::Range {
        name,
        value: value.to_string(),
        from: range.start().to_string(),
        to: range.end().to_string(),
    })
}
