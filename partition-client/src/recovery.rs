//! How a stream goes on after a session has ended: what was seen, and what to do next.
//!
//! No I/O and no clock: a table of what happened and what follows can be read and tested.
//!
//! ```text
//! session ends ─▶ SessionEnd ─▶ Recovery::after ─▶ Next: reopen, retry after a pause, stop, fail
//!                                            └────▶ fetch_bytes, patience of the next session
//! ```
//!
//! A broker skips, in silence, a stored batch whose outputs are larger than a response may be. So
//! where outputs are missing or nothing comes, the same offset is read again with larger responses
//! before that is believed.

use std::time::{Duration, Instant};

/// How much larger responses may be where nothing came.
const FETCH_BYTES_GROWTH: i32 = 8;
/// The patience of streams that stay silent doubles so many times.
const PATIENCE_DOUBLINGS_MAX: u32 = 4;

/// Limits of a [`Recovery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryConfig {
    /// Bytes of a response at first.
    pub fetch_bytes: i32,
    /// Largest response requested where something may have been skipped.
    pub fetch_bytes_max: i32,
    /// How long a stream may say nothing before it is looked into.
    pub silence_max: Duration,
    /// How long an offset may be beyond the end of the log: a leader that has just started may not
    /// know yet how far its log is replicated.
    pub beyond_end_max: Duration,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// It was told to stop.
    Stopped,
    /// For a reason of its own: enough bytes were read, there is another SmartModule.
    Rotated,
    /// The log goes on after `offset`, and the module has said nothing of it, as it may.
    Quiet {
        /// The next record's offset.
        offset: i64,
    },
    /// Nothing came although something should have.
    Silent,
    /// Outputs of records are missing.
    Gap {
        /// The offset that should have come.
        expected: i64,
    },
    /// The offset to go on at is beyond the end of the log.
    BeyondEnd,
    /// An error that may pass.
    Transient,
    /// An error that stays.
    Permanent,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// End well.
    Stop,
    /// Open a session at once.
    Reopen,
    /// Open a session after a pause.
    Retry,
    /// End with the error.
    Fail,
}

/// What a stream remembers from one session to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    config: RecoveryConfig,
    fetch_bytes: i32,
    /// Sessions in a row that were silent: each one waits longer.
    silences: u32,
    /// Where records were missing before; a second time at one place is an error for good.
    gap: Option<i64>,
    /// Where a quiet stream was looked into by reading it again.
    reread: Option<i64>,
    beyond_end_since: Option<Instant>,
}

impl Recovery {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(config: RecoveryConfig) -> Self {
        Self {
            config,
            fetch_bytes: config.fetch_bytes,
            silences: 0,
            gap: None,
            reread: None,
            beyond_end_since: None,
        }
    }

    /// Bytes of a response in the next session.
    #[must_use]
    pub fn fetch_bytes(&self) -> i32 {
        self.fetch_bytes
    }

    /// Whether a response may get larger still: until then, nothing may mean that something was
    /// skipped.
    #[must_use]
    pub fn can_grow(&self) -> bool {
        self.fetch_bytes < self.config.fetch_bytes_max
    }

    /// How long the next session may hear nothing.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.config.silence_max * (1 << self.silences.min(PATIENCE_DOUBLINGS_MAX))
    }

    /// Whether a stream that is quiet at `offset` has been read again there, and is to be believed.
    #[must_use]
    pub fn is_reread(&self, offset: i64) -> bool {
        self.reread == Some(offset)
    }

    /// A session has brought something.
    pub fn progressed(&mut self) {
        self.silences = 0;
    }

    /// A session has found its offset in the log.
    pub fn in_range(&mut self) {
        self.beyond_end_since = None;
    }

    /// What follows the end of a session at `now`.
    pub fn after(&mut self, end: SessionEnd, now: Instant) -> Next {
        match end {
            SessionEnd::Stopped => Next::Stop,
            SessionEnd::Rotated => Next::Reopen,
            SessionEnd::Quiet { offset } => {
                self.reread = Some(offset);
                self.grow();
                Next::Reopen
            }
            SessionEnd::Silent => {
                self.silences += 1;
                self.grow();
                Next::Retry
            }
            SessionEnd::Gap { expected } => {
                self.grow();
                match self.gap.replace(expected) == Some(expected) {
                    true => Next::Fail,
                    false => Next::Retry,
                }
            }
            SessionEnd::BeyondEnd => {
                let since = *self.beyond_end_since.get_or_insert(now);
                match now.duration_since(since) < self.config.beyond_end_max {
                    true => Next::Retry,
                    false => Next::Fail,
                }
            }
            SessionEnd::Transient => Next::Retry,
            SessionEnd::Permanent => Next::Fail,
        }
    }

    fn grow(&mut self) {
        let grown = self.fetch_bytes.saturating_mul(FETCH_BYTES_GROWTH);
        self.fetch_bytes = grown.min(self.config.fetch_bytes_max);
    }
}

/// Which of a stream's SmartModules runs: the wanted one, unless it does not run and an earlier one
/// did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleChoice<M> {
    /// The module that last gave something that was stored.
    proven: Option<M>,
    /// A module that does not run; the proven one is used until there is another.
    refused: Option<M>,
}

impl<M> Default for ModuleChoice<M> {
    fn default() -> Self {
        Self {
            proven: None,
            refused: None,
        }
    }
}

impl<M: Clone + PartialEq> ModuleChoice<M> {
    /// The module to run.
    pub fn choose(&self, wanted: Option<M>) -> Option<M> {
        match wanted.is_some() && wanted == self.refused {
            true => self.proven.clone(),
            false => wanted,
        }
    }

    /// The module has given something that was stored.
    pub fn prove(&mut self, module: M) {
        self.proven = Some(module);
    }

    /// Goes back to the proven module, and gives it, if the wanted one is another and was not
    /// refused before.
    pub fn refuse(&mut self, wanted: Option<M>) -> Option<&M> {
        let (wanted, proven) = (wanted?, self.proven.as_ref()?);
        if wanted == *proven || self.refused.as_ref() == Some(&wanted) {
            return None;
        }
        self.refused = Some(wanted);
        Some(proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: RecoveryConfig = RecoveryConfig {
        fetch_bytes: 8,
        fetch_bytes_max: 100,
        silence_max: Duration::from_secs(1),
        beyond_end_max: Duration::from_secs(10),
    };

    /// Session ends, with the seconds at which they come, and what follows each: what to do, the
    /// bytes and the patience of the next session.
    fn check(ends: &[(u64, SessionEnd, Next, i32, u64)]) {
        let start = Instant::now();
        let mut recovery = Recovery::new(CONFIG);
        for (second, end, next, fetch_bytes, patience_s) in ends {
            let now = start + Duration::from_secs(*second);
            assert_eq!(recovery.after(*end, now), *next, "{end:?}");
            assert_eq!(recovery.fetch_bytes(), *fetch_bytes, "{end:?}");
            assert_eq!(recovery.patience().as_secs(), *patience_s, "{end:?}");
        }
    }

    #[test]
    fn a_session_that_ends_well_is_followed_by_another_or_by_none() {
        check(&[
            (0, SessionEnd::Rotated, Next::Reopen, 8, 1),
            (0, SessionEnd::Stopped, Next::Stop, 8, 1),
        ]);
    }

    #[test]
    fn an_error_that_may_pass_is_tried_again_and_one_that_stays_is_not() {
        check(&[
            (0, SessionEnd::Transient, Next::Retry, 8, 1),
            (9, SessionEnd::Transient, Next::Retry, 8, 1),
            (9, SessionEnd::Permanent, Next::Fail, 8, 1),
        ]);
    }

    #[test]
    fn a_gap_is_read_again_with_larger_responses_and_fails_the_second_time_at_one_place() {
        check(&[
            (0, SessionEnd::Gap { expected: 7 }, Next::Retry, 64, 1),
            (0, SessionEnd::Gap { expected: 9 }, Next::Retry, 100, 1),
            (0, SessionEnd::Gap { expected: 9 }, Next::Fail, 100, 1),
        ]);
    }

    #[test]
    fn a_silent_stream_is_given_longer_each_time_up_to_a_limit() {
        check(&[
            (0, SessionEnd::Silent, Next::Retry, 64, 2),
            (0, SessionEnd::Silent, Next::Retry, 100, 4),
            (0, SessionEnd::Silent, Next::Retry, 100, 8),
            (0, SessionEnd::Silent, Next::Retry, 100, 16),
            (0, SessionEnd::Silent, Next::Retry, 100, 16),
        ]);
        let mut recovery = Recovery::new(CONFIG);
        recovery.after(SessionEnd::Silent, Instant::now());
        recovery.progressed();
        assert_eq!(recovery.patience(), CONFIG.silence_max);
    }

    #[test]
    fn a_quiet_stream_is_read_again_once_and_believed_then() {
        let mut recovery = Recovery::new(CONFIG);
        assert!(!recovery.is_reread(5));
        let quiet = SessionEnd::Quiet { offset: 5 };
        assert_eq!(recovery.after(quiet, Instant::now()), Next::Reopen);
        assert!(recovery.is_reread(5) && !recovery.is_reread(6));
        assert_eq!(recovery.fetch_bytes(), 64);
    }

    #[test]
    fn an_offset_beyond_the_end_is_waited_for_and_then_fails() {
        check(&[
            (0, SessionEnd::BeyondEnd, Next::Retry, 8, 1),
            (9, SessionEnd::BeyondEnd, Next::Retry, 8, 1),
            (10, SessionEnd::BeyondEnd, Next::Fail, 8, 1),
        ]);
        let (start, mut recovery) = (Instant::now(), Recovery::new(CONFIG));
        recovery.after(SessionEnd::BeyondEnd, start);
        recovery.in_range();
        let later = start + Duration::from_secs(60);
        assert_eq!(recovery.after(SessionEnd::BeyondEnd, later), Next::Retry);
    }

    #[test]
    fn a_module_that_does_not_run_is_replaced_by_the_proven_one_until_there_is_another() {
        let mut choice = ModuleChoice::default();
        assert_eq!(choice.refuse(Some("new")), None, "nothing is proven");
        choice.prove("old");
        assert_eq!(choice.refuse(Some("old")), None, "it did run");
        assert_eq!(choice.refuse(Some("new")), Some(&"old"));
        assert_eq!(choice.choose(Some("new")), Some("old"));
        assert_eq!(choice.refuse(Some("new")), None, "it is refused already");
        assert_eq!(choice.choose(Some("newer")), Some("newer"));
        assert_eq!(choice.choose(None), None);
    }
}
