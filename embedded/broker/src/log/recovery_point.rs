//! Up to which offset a log is known to be on the disk: a power cut can have harmed only what is behind it.
//!
//! It lags: writing it for each batch would sync twice. What it does not cover yet was synced all the
//! same, and is found whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::storage::Storage;
use crate::sealed;

/// It is written after so many bytes (chosen: a second of a busy topic).
const EVERY_BYTES: u64 = 1 << 20;

/// The file of one log.
#[derive(Debug)]
pub(super) struct RecoveryPoint {
    path: PathBuf,
    /// Bytes appended since it was written. Touched by the log's appender alone.
    behind: AtomicU64,
}

impl RecoveryPoint {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            path: folder.join("recovery-point"),
            behind: AtomicU64::new(0),
        }
    }

    /// The offset; none before the first, and where the file cannot be read or is not as it was written:
    /// then what is wrong with the log is damage, wherever it is.
    pub(super) fn read(&self, storage: &dyn Storage) -> Option<i64> {
        let stored = storage.read(&self.path);
        let offset = stored.and_then(|stored| {
            let text = String::from_utf8_lossy(sealed::open(&stored)?);
            text.parse().map_err(io::Error::other)
        });
        match offset {
            Ok(offset) => Some(offset),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "cannot read a recovery point");
                None
            }
        }
    }

    /// Everything before an offset is on the disk. Where it cannot be written the old one stays, which holds
    /// as well: a disk may have no room.
    pub(super) fn write(&self, storage: &dyn Storage, offset: i64) {
        let sealed = sealed::seal(offset.to_string().as_bytes());
        match storage.replace(&self.path, &sealed) {
            Ok(()) => self.behind.store(0, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "could not write a recovery point");
            }
        }
    }

    /// More was appended and synced, up to an offset.
    pub(super) fn advance(&self, storage: &dyn Storage, bytes: u64, offset: i64) {
        let behind = self.behind.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if behind >= EVERY_BYTES {
            self.write(storage, offset);
        }
    }

    /// Without syncing nothing is known.
    pub(super) fn remove(&self, storage: &dyn Storage) -> io::Result<()> {
        storage.remove(&self.path)
    }
}
