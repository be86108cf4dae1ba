//! What is wrong with a log, and where.

use std::path::PathBuf;

/// The first place of a partition's log that is not what the broker has written.
///
/// What is before it is served; nothing is served or stored from there on until a restart finds
/// the log whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "topic \"{topic}\" partition {partition} is damaged at offset {offset}: \
     \"{}\", byte {position}: {flaw}; stop the broker and restore the file from a backup, or give up \
     the partition from this offset on: move the folder's later files away and cut this one with \
     `truncate -s {position}`",
    path.display()
)]
pub struct Damage {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The first offset that cannot be served.
    pub offset: i64,
    /// The segment's file.
    pub path: PathBuf,
    /// Where the bad batch begins in the file, in bytes.
    pub position: u64,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// How bytes of a log give away that they are not what the broker has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The head of a batch is not one.
    #[error("no batch begins here")]
    Head,
    /// The batch does not follow the one before it.
    #[error("the batch here says that its offset is {found}")]
    Offset {
        /// What the batch says.
        found: i64,
    },
    /// The batch is said to go on behind the end of the file.
    #[error("the batch here says that it is longer than the file")]
    Length,
    /// The batch's bytes have changed.
    #[error("the batch here has a wrong checksum")]
    Checksum,
    /// The batch is said to be older than the one before it.
    #[error("the batch here has leader epoch {found}, the one before it has {before}")]
    Epoch {
        /// What the batch says.
        found: i32,
        /// What the batch before it says.
        before: i32,
    },
    /// The file is not there.
    #[error("the file is missing")]
    Missing,
    /// The file does not end where the next one begins.
    #[error("the file ends here, but the next one begins at offset {next}")]
    Gap {
        /// The offset after which the next file is named.
        next: i64,
    },
    /// A part of a batch was written and could not be removed again.
    #[error("a write failed halfway and could not be taken back")]
    HalfWritten,
    /// The disk did not say that it has what was written: nobody knows what of it is there.
    #[error("the disk could not sync what was written here")]
    NotSynced,
}
