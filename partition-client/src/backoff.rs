//! Pauses between tries.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses that double from the first to the longest, each with a random addition of up to its own
/// length, so that tasks which failed together do not all come back together.
#[derive(Debug)]
pub struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Backoff {
    /// Begins with about `first`; no pause is longer than `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times();
        Self {
            builder,
            pauses: builder.build(),
            longest,
        }
    }

    /// The pause before the next try.
    pub fn next_pause(&mut self) -> Duration {
        // It never ends, and jitter may go beyond the longest.
        self.pauses.next().unwrap_or(self.longest).min(self.longest)
    }

    /// Begins anew: something was achieved.
    pub fn reset(&mut self) {
        self.pauses = self.builder.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_the_longest_and_begin_anew_after_a_reset() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(150));
        for _ in 0..2 {
            for (least, most) in [(50, 100), (100, 150), (150, 150), (150, 150)] {
                let pause = backoff.next_pause();
                assert!((ms(least)..=ms(most)).contains(&pause), "{pause:?}");
            }
            backoff.reset();
        }
    }
}
