//! Why bytes are no file of this crate.

/// What is wrong, and where: in bytes from the beginning of the part that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The head of another kind of file, or of another version.
    #[error("the file does not begin with \"{expected}\"")]
    Magic {
        /// What it would begin with.
        expected: &'static str,
    },
    /// Some bytes were changed or are missing.
    #[error("the file is damaged: its checksum is another one")]
    Checksum,
    /// The file ends inside a number, a list or a text.
    #[error("the file ends too early, at byte {at}")]
    Truncated {
        /// Where the missing part begins.
        at: usize,
    },
    /// A number has more than 32 bits.
    #[error("the number before byte {at} is too large")]
    Number {
        /// Where the number ends.
        at: usize,
    },
    /// A point is not on Earth.
    #[error("the point before byte {at} is not on Earth")]
    Point {
        /// Where the point ends.
        at: usize,
    },
    /// A name or a street has a kind that this version does not know.
    #[error("the kind before byte {at} is not known")]
    Kind {
        /// Where the kind ends.
        at: usize,
    },
    /// A text is not UTF-8.
    #[error("the text before byte {at} cannot be read")]
    Text {
        /// Where the text ends.
        at: usize,
    },
    /// A corner names a street that is not there.
    #[error("the corner before byte {at} is of a street that is not there")]
    Corner {
        /// Where the corner ends.
        at: usize,
    },
    /// Something follows the last thing.
    #[error("the file goes on after its end, at byte {at}")]
    Trailing {
        /// Where the surplus begins.
        at: usize,
    },
}
