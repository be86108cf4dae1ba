//! What could not be used, with its reason and place: rejected, counted and kept.

use serde::{Deserialize, Serialize};

/// A row that could not become a trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Name of the file the row came from, or the topic position of an unreadable record; cut at
    /// [`FILE_CHARS_MAX`] characters.
    pub file: String,
    /// Line in the file where the row starts, counted from 1, the header included.
    pub line: u64,
    /// Why it was rejected: lower case, one sentence, names the column and quotes the value; cut at
    /// [`REASON_CHARS_MAX`] characters.
    pub reason: String,
    /// The row as it stood in the file, cut at [`ROW_CHARS_MAX`] characters.
    pub row: String,
}

/// A reject keeps this many characters of its row (chosen: five times a usual row).
pub const ROW_CHARS_MAX: usize = 1_000;

/// A reject keeps this many characters of its reason, which may quote what is wrong (chosen: as many
/// as of the row).
pub const REASON_CHARS_MAX: usize = 1_000;

/// A reject keeps this many characters of its file's name (chosen: four times what a file system
/// allows; a name in an archive or a bucket may be longer).
pub const FILE_CHARS_MAX: usize = 1_000;

/// The first characters of a text, so many at most.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

impl Reject {
    /// Makes a reject, cutting an overlong name, row or reason.
    #[must_use]
    pub fn new(file: impl Into<String>, line: u64, reason: impl Into<String>, row: &str) -> Self {
        Self {
            file: cut(&file.into(), FILE_CHARS_MAX),
            line,
            reason: cut(&reason.into(), REASON_CHARS_MAX),
            row: cut(row, ROW_CHARS_MAX),
        }
    }
}
