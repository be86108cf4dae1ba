//! Where the text of a chain's modules goes: into the program's log, up to a bound.

use std::time::{Duration, Instant};

/// Text of one stream that is logged.
const CONSOLE_BYTES_MAX: usize = 64 << 10;

/// Where a module's text goes, and since when it runs.
#[derive(Debug)]
pub(super) struct Console {
    bytes_left: usize,
    started: Instant,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            bytes_left: CONSOLE_BYTES_MAX,
            started: Instant::now(),
        }
    }
}

impl Console {
    /// Since when the chain runs.
    pub(super) fn running(&self) -> Duration {
        self.started.elapsed()
    }

    /// Logs a line. A module's text cannot be taken for the program's: it is quoted.
    pub(super) fn print(&mut self, line: &[u8]) {
        let Some(left) = self.bytes_left.checked_sub(line.len()) else {
            return;
        };
        self.bytes_left = left;
        let text = String::from_utf8_lossy(line);
        tracing::info!(text = ?text.trim_end(), "a smartmodule says something");
    }
}
