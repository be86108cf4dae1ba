//! When rows and ticks are due. Whoever asks says what time it is.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::ReplayClock;

/// Ticks are sent at least this often while rows wait for their time.
const TICK_EVERY: Duration = Duration::from_millis(200);

/// At full speed a tick is sent after so many rows.
const TICK_ROWS: u64 = 2_000;

/// The replay clock, and how long ago the partitions were told its time.
#[derive(Debug)]
pub struct Ticks {
    clock: ReplayClock,
    last_tick: Instant,
    /// Rows sent since the last tick.
    rows: u64,
}

impl Ticks {
    /// The partitions were told nothing before `now`.
    #[must_use]
    pub fn new(clock: ReplayClock, now: Instant) -> Self {
        Self {
            clock,
            last_tick: now,
            rows: 0,
        }
    }

    /// The moment at which a row that departed `at` (microseconds) is to be sent; none if at once.
    pub fn due(&mut self, at: i64, now: Instant) -> Option<Instant> {
        self.clock.due(at, now)
    }

    /// Event time now, in microseconds; none before the first row and at full speed.
    #[must_use]
    pub fn event_time(&self, now: Instant) -> Option<i64> {
        self.clock.event_time(now)
    }

    /// Sleeps until a row or the next tick is due.
    pub(super) async fn sleep(&self, row_due: Instant) {
        tokio::time::sleep_until(row_due.min(self.last_tick + TICK_EVERY)).await;
    }

    /// Whether to send a tick while a row waits for its time; if so, the next one is due later.
    pub fn take_while_waiting(&mut self, now: Instant) -> bool {
        let is_due = self.is_due(now);
        if is_due {
            self.last_tick = now;
        }
        is_due
    }

    /// Whether to send a tick now that another row was sent; if so, the next one is due later.
    pub fn take_after_row(&mut self, now: Instant) -> bool {
        self.rows += 1;
        let is_due = match self.clock.is_paced() {
            true => self.is_due(now),
            false => self.rows >= TICK_ROWS,
        };
        if is_due {
            self.last_tick = now;
            self.rows = 0;
        }
        is_due
    }

    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_tick) >= TICK_EVERY
    }
}
