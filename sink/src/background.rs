//! Work beside a task's own loop, again and again: one piece at most, which ends with its owner.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::error::SinkError;

/// The piece under way, and when the next one may begin.
pub(crate) struct Background<T> {
    /// For the log: `make the past anew`.
    doing: &'static str,
    task: JoinSet<Result<T, SinkError>>,
    started: Instant,
    next: Instant,
}

impl<T: Send + 'static> Background<T> {
    pub(crate) fn new(doing: &'static str) -> Self {
        let now = Instant::now();
        Self {
            doing,
            task: JoinSet::new(),
            started: now,
            next: now,
        }
    }

    /// Whether nothing is under way, and it is time.
    pub(crate) fn is_due(&self) -> bool {
        self.task.is_empty() && Instant::now() >= self.next
    }

    pub(crate) fn start(
        &mut self,
        work: impl Future<Output = Result<T, SinkError>> + Send + 'static,
    ) {
        self.started = Instant::now();
        self.task.spawn(work);
    }

    /// What has come of it when it has ended; of a failure nothing, which is logged. The next one may begin
    /// after a rest, made of the time that this one took.
    pub(crate) fn take(&mut self, rest: impl FnOnce(Duration) -> Duration) -> Option<T> {
        let ended = self.task.try_join_next()?;
        self.next = Instant::now() + rest(self.started.elapsed());
        let doing = self.doing;
        match ended {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                tracing::warn!(error = error.chain(), "could not {doing} yet");
                None
            }
            Err(error) => {
                tracing::error!(%error, "could not {doing}: it broke off");
                None
            }
        }
    }
}
