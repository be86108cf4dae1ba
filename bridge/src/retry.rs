//! Retries transient errors with a growing backoff, until stopped.

use std::time::Duration;

use partition_client::Backoff;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::error::BridgeError;

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The pauses between tries.
#[derive(Debug)]
pub(crate) struct Retry {
    backoff: Backoff,
}

impl Retry {
    pub(crate) fn new() -> Self {
        Self {
            backoff: Backoff::new(FIRST_PAUSE, PAUSE_MAX),
        }
    }

    /// Begins anew: something was achieved.
    pub(crate) fn reset(&mut self) {
        self.backoff.reset();
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself, if trying again cannot help.
    pub(crate) async fn wait(
        &mut self,
        what: &str,
        error: BridgeError,
        stop: &CancellationToken,
    ) -> Result<(), BridgeError> {
        if !error.is_transient() {
            return Err(error);
        }
        let pause = self.backoff.next_pause();
        warn!(
            error = error.chain(),
            "{what}: {}; trying again in {} ms",
            error.chain(),
            pause.as_millis(),
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    }
}
