//! What a log fails with.

use std::io;
use std::path::{Path, PathBuf};

use super::damage::Damage;

/// Why a log could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file could not be used.
    #[error("could not {action} \"{}\"", path.display())]
    File {
        /// "read", "append to", …
        action: &'static str,
        /// The segment's file or the log's folder.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The log is not what the broker has written.
    #[error(transparent)]
    Damaged(Damage),
    /// A batch is larger than a segment may be.
    #[error("a batch of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Size of the batch.
        bytes: u64,
        /// What a segment may hold.
        limit: u64,
    },
    /// A batch claims to have no records.
    #[error("a batch without records cannot be stored")]
    Empty,
    /// The offset is before the first that is kept.
    #[error("offset {offset} is no longer kept, the first is {first}")]
    Evicted {
        /// The requested offset.
        offset: i64,
        /// The first offset there is.
        first: i64,
    },
    /// The offset is after the end.
    #[error("offset {offset} is beyond the log's end {end}")]
    BeyondEnd {
        /// The requested offset.
        offset: i64,
        /// The offset the next record will get.
        end: i64,
    },
}

impl LogError {
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
