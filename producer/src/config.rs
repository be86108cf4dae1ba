//! How the producer sends.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use trip_files::FilesConfig;

/// Settings of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct ProducerConfig {
    /// The topic to fill.
    pub topic: String,
    /// How fast to replay.
    pub speed: Speed,
    /// Rows that departed before it are sent at once; the pace begins there. Default: none, the
    /// pace begins with the first row.
    pub paced_from: Option<DateTime<Utc>>,
    /// Most bytes of records in one stored batch.
    ///
    /// What the SmartModules make of one batch, at most about 2.5 times as much, must stay below
    /// the sink's `max_bytes`: a larger output is skipped by the broker without a word.
    pub batch_bytes: usize,
    /// How long a record may wait for others to share its batch; not at full speed.
    pub linger: Duration,
    /// How long to try to deliver before giving up, counted from the last success.
    pub give_up_after: Duration,
    /// How trip files are read.
    pub files: FilesConfig,
    /// A live feed is polled no more often, whatever its files say of themselves; after a failure
    /// the first pause is about as long.
    pub poll_min: Duration,
    /// So many polls of a live feed; without it, until the run is stopped.
    pub polls_max: Option<u64>,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            topic: "trips".to_owned(),
            speed: Speed::Max,
            paced_from: None,
            batch_bytes: 128 * 1024,
            linger: Duration::from_millis(5),
            give_up_after: Duration::from_secs(300),
            files: FilesConfig::default(),
            // Chosen: the width of a window; a feed that changes at any time is fresh enough then.
            poll_min: Duration::from_secs(5),
            polls_max: None,
        }
    }
}

/// How fast event time goes, compared with the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as the topic takes it.
    Max,
    /// So many times as fast; more than 0.
    Times(f64),
}

/// A speed that is neither `max` nor a number above 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("speed \"{0}\" is neither \"max\" nor a number above 0")]
pub struct SpeedError(String);

impl FromStr for Speed {
    type Err = SpeedError;

    /// Reads `max`, `60` or `60x`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let number = text.trim_end_matches(['x', '×']);
        match number.parse::<f64>() {
            Ok(times) if times > 0.0 && times.is_finite() => Ok(Self::Times(times)),
            _ => Err(SpeedError(text.to_owned())),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Times(times) => times.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_max_or_a_number_above_zero() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("60".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        for wrong in ["", "0", "-1", "inf", "NaN", "fast"] {
            assert_eq!(wrong.parse::<Speed>(), Err(SpeedError(wrong.to_owned())));
        }
    }
}
