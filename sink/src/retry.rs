//! Pauses between tries.

use std::time::Duration;

/// Doubles its pause from the first to the longest.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new((first, longest): (Duration, Duration)) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    pub(crate) fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_the_longest() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new((ms(50), ms(150)));
        assert_eq!(
            [(); 4].map(|()| backoff.next_pause()),
            [ms(50), ms(100), ms(150), ms(150)]
        );
        backoff.reset();
        assert_eq!(backoff.next_pause(), ms(50));
    }
}
