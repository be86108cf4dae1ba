//! How a session ends, and what that means to [`partition_client::Recovery`]. No I/O.

use partition_client::SessionEnd;

use crate::error::SinkError;

/// Why a session ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOutcome {
    /// The sink is stopped.
    Stop,
    /// The broker sent no output for the last records. They may have none, or the broker has skipped
    /// them: a new stream with larger responses shows which.
    Quiet {
        /// The first of these records.
        offset: i64,
    },
    /// The stream has written enough bytes.
    Bytes,
    /// There is another SmartModule.
    Reload,
    /// The writer has ended; its error says why.
    Writer,
}

/// What a session's end means; `refuse_module` goes back to the module that ran before, if there is one,
/// and is asked only where the module may be to blame.
pub fn session_end(
    ended: &Result<SessionOutcome, SinkError>,
    mut refuse_module: impl FnMut() -> bool,
) -> SessionEnd {
    match ended {
        Ok(SessionOutcome::Stop) | Err(SinkError::Fenced { .. }) => SessionEnd::Stopped,
        Ok(SessionOutcome::Quiet { offset }) => SessionEnd::Quiet { offset: *offset },
        Ok(SessionOutcome::Bytes | SessionOutcome::Reload | SessionOutcome::Writer) => {
            SessionEnd::Rotated
        }
        Err(
            SinkError::Module { .. }
            | SinkError::Output { .. }
            | SinkError::Gap { .. }
            // A module that gives nothing loops, perhaps; one that has given something does not.
            | SinkError::Silence { .. },
        ) if refuse_module() => SessionEnd::Transient,
        Err(SinkError::Gap { expected, .. }) => SessionEnd::Gap {
            expected: *expected,
        },
        Err(SinkError::Silence { .. }) => SessionEnd::Silent,
        Err(SinkError::BeyondEnd { .. }) => SessionEnd::BeyondEnd,
        Err(error) if error.is_transient() => SessionEnd::Transient,
        Err(_) => SessionEnd::Permanent,
    }
}
