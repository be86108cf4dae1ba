//! The replay clock: how event time goes along with the clock on the wall.
//!
//! The only file that asks what time it is. It asks for differences, so that what a run sends does not
//! depend on when it is run; and for the time of day only to refuse what has not happened yet, and to
//! stamp batches.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::time::Instant;

use crate::config::Speed;

/// Now, on a clock that only goes forward.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day by this machine, to the second.
pub(crate) fn time_of_day() -> DateTime<Utc> {
    wall_clock().trunc_subsecs(0)
}

/// The time of day by this machine, in milliseconds since 1970: when a batch was made.
pub(crate) fn wall_clock_ms() -> i64 {
    wall_clock().timestamp_millis()
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing else tells what has not happened yet, and brokers keep it with a batch"
)]
fn wall_clock() -> DateTime<Utc> {
    Utc::now()
}

/// Maps departures to moments; starts with the first row that has to wait for its time.
#[derive(Debug)]
pub struct ReplayClock {
    /// Event time per wall time; none if rows are due at once.
    times: Option<f64>,
    /// Rows before it, in microseconds, are due at once.
    paced_from: Option<i64>,
    /// When the clock was started, and the event time then, in microseconds.
    origin: Option<(Instant, i64)>,
}

impl ReplayClock {
    /// Nothing has to wait yet; rows that departed before `paced_from` never have to.
    #[must_use]
    pub fn new(speed: Speed, paced_from: Option<DateTime<Utc>>) -> Self {
        let times = match speed {
            Speed::Max => None,
            Speed::Times(times) => Some(times),
        };
        Self {
            times,
            paced_from: paced_from.map(|from| from.timestamp_micros()),
            origin: None,
        }
    }

    /// Whether rows have to wait for their time.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.times.is_some()
    }

    /// The moment at which a row that departed `at` (microseconds) is to be sent; it is `now`.
    pub fn due(&mut self, at: i64, now: Instant) -> Option<Instant> {
        let times = self.times.filter(|_| Some(at) >= self.paced_from)?;
        let (started, from) = *self.origin.get_or_insert_with(|| start(at, now));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a century has 3·10¹⁵ microseconds"
        )]
        let seconds = at.saturating_sub(from) as f64 / 1e6 / times;
        // What is too far away for a duration is never due.
        let wait = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(FOREVER);
        Some(started + wait.min(FOREVER))
    }

    /// Event time, in microseconds, when it is `now`; none before the first row and at full speed.
    #[must_use]
    pub fn event_time(&self, now: Instant) -> Option<i64> {
        let (started, from) = self.origin?;
        let elapsed = now.saturating_duration_since(started);
        let micros = elapsed.as_secs_f64() * self.times? * 1e6;
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        let micros = micros as i64;
        Some(from.saturating_add(micros))
    }
}

fn start(from: i64, now: Instant) -> (Instant, i64) {
    let at = DateTime::from_timestamp_micros(from);
    tracing::info!(at = ?at.unwrap_or_default(), "the replay clock starts");
    (now, from)
}

/// Longer than any run (chosen: a century; more does not fit into every system's clock).
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[tokio::test(start_paused = true)]
    async fn event_time_runs_as_many_times_as_fast_from_the_first_row() {
        let mut clock = ReplayClock::new(Speed::Times(60.0), None);
        let start = now();
        assert_eq!(clock.due(1_000 * SECOND, now()), Some(start));
        let minute_later = clock.due(1_060 * SECOND, now()).unwrap();
        assert_eq!(minute_later - start, Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.event_time(now()), Some(1_120 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn rows_before_the_pace_begins_are_due_at_once() {
        let from = DateTime::from_timestamp(1_000, 0);
        let mut clock = ReplayClock::new(Speed::Times(60.0), from);
        assert_eq!(clock.due(999 * SECOND, now()), None);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(clock.due(1_000 * SECOND, now()), Some(now()));
        assert_eq!(
            clock.due(1_060 * SECOND, now()),
            Some(now() + Duration::from_secs(1))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn at_full_speed_everything_is_due_at_once() {
        let mut clock = ReplayClock::new(Speed::Max, None);
        assert_eq!(clock.due(1_000 * SECOND, now()), None);
        assert_eq!(clock.event_time(now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_in_the_far_future_is_no_overflow() {
        let mut clock = ReplayClock::new(Speed::Times(1e-9), None);
        assert!(clock.due(0, now()).is_some());
        assert!(clock.due(i64::MAX, now()).unwrap() - now() >= FOREVER);
    }
}
