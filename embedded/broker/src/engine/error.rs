//! Why a module is not run, or not any more.

use std::time::Duration;

/// Longest text that is taken over from a module or from the compiler.
const TEXT_CHARS_MAX: usize = 1_000;

/// A failure of a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    /// The module returned an error. The text is that of the real SPU.
    #[error("{0}")]
    Returned(String),
    /// These bytes are no module that can be run. The text is that of the real SPU where it has one.
    #[error("{0}")]
    Invalid(String),
    /// The module did what it must not do, and was stopped.
    #[error("module {module:?} {fault}")]
    Fault {
        /// The name by which the request names it.
        module: String,
        /// What it did.
        fault: Fault,
    },
}

/// What a module must not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("ran longer than {} s and was stopped", .0.as_secs())]
    Time(Duration),
    #[error("stopped: {0}")]
    Trap(String),
    #[error("wanted memory of {requested} bytes, more than {max}")]
    Memory { requested: usize, max: usize },
    #[error("wanted {requested} entries in its tables, more than {max}")]
    Table { requested: usize, max: usize },
    #[error("has no room for {bytes} bytes of input at {at}, where its `alloc` points")]
    Input { at: u32, bytes: usize },
    #[error("was to take {bytes} bytes of input, more than {max}")]
    InputTooLarge { bytes: usize, max: usize },
    #[error("points to {bytes} bytes of output at {at}, outside its memory")]
    Output { at: u32, bytes: u32 },
    #[error("gave {bytes} bytes of output for one batch, more than {max}")]
    OutputTooLarge { bytes: usize, max: usize },
    #[error("gave output that cannot be read: {0}")]
    Malformed(&'static str),
}

impl EngineError {
    /// The compiler's texts have several lines: they become one.
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        let words: Vec<_> = text.into().split_whitespace().map(str::to_owned).collect();
        Self::Invalid(bounded(&words.join(" ")))
    }

    pub(super) fn returned(text: impl Into<String>) -> Self {
        Self::Returned(bounded(&text.into()))
    }
}

/// The beginning of a text that comes from a module or from the compiler.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
