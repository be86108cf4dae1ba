//! What it means that a stream says nothing. No I/O and no clock.

use domain::window::RECORDS_BETWEEN_OUTPUTS_MAX;
use partition_client::Recovery;

use crate::module::Module;

/// What a session has heard, and asked because it heard nothing.
#[derive(Debug)]
pub struct Listening {
    module: Module,
    /// Whether the log's range was requested and has not come yet.
    range_requested: bool,
    /// The log's end at the last request, if nothing has come since.
    quiet_from: Option<i64>,
}

/// Why nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The log goes on so far that outputs should have come.
    Skipped,
    /// The log goes on; the module may have nothing to say of it, or outputs were skipped.
    ReadAgain,
    /// The module has nothing to say: what stands before this offset has had its time.
    Quiet {
        /// An offset of the log.
        until: i64,
    },
}

impl Listening {
    /// To a stream that was opened just now.
    #[must_use]
    pub fn new(module: Module) -> Self {
        Self {
            module,
            range_requested: false,
            quiet_from: None,
        }
    }

    /// A response has come.
    pub fn heard(&mut self) {
        self.quiet_from = None;
    }

    /// Nothing has come for too long: whether to request the log's range. If not, the broker has not
    /// responded to the request before.
    pub fn is_to_request_range(&mut self) -> bool {
        !std::mem::replace(&mut self.range_requested, true)
    }

    /// The log ends at `end`, and `offset` is the next one to be decoded.
    pub fn on_range(&mut self, end: i64, offset: i64, recovery: &Recovery) -> Silence {
        self.range_requested = false;
        if end - offset >= silent_lag_max(self.module) {
            return Silence::Skipped;
        }
        if end > offset && !recovery.is_reread(offset) {
            return Silence::ReadAgain;
        }
        // What was in the log at the request before has had its time.
        let until = self.quiet_from.replace(end).unwrap_or(0);
        Silence::Quiet { until }
    }
}

/// Records that may be without an output: how far a silent stream may lag behind the log.
fn silent_lag_max(module: Module) -> i64 {
    match module {
        // Every record gives an output.
        Module::TripSplit => 1,
        // Only some do, but never fewer than one in so many.
        Module::DockWindow => RECORDS_BETWEEN_OUTPUTS_MAX.cast_signed(),
    }
}
