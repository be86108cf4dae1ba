//! Where a log begins, once old segments were deleted: without it a segment that is missing would look like
//! one that was deleted.

use std::io;
use std::path::{Path, PathBuf};

use super::error::LogError;
use super::storage::Storage;
use crate::sealed;

/// The file of one log; there is none before the first deletion.
#[derive(Debug)]
pub(super) struct LogStart {
    path: PathBuf,
}

impl LogStart {
    pub(super) fn of(folder: &Path) -> Self {
        Self {
            path: folder.join("log-start"),
        }
    }

    /// The offset of the first record that is kept; none if the file is not as it was written: then the log
    /// begins with what is there.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(&self, storage: &dyn Storage) -> Result<Option<i64>, LogError> {
        let stored = match storage.read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(0)),
            stored => stored.map_err(LogError::file("read", &self.path))?,
        };
        let text = sealed::open(&stored).map(String::from_utf8_lossy);
        let offset = text.ok().and_then(|text| text.parse().ok());
        if offset.is_none() {
            let path = self.path.display();
            tracing::warn!(%path, "the file that says where a log begins has changed: it is not used");
        }
        Ok(offset)
    }

    /// Returns when it is on the disk: from then on what is before it may go.
    pub(super) fn write(&self, storage: &dyn Storage, offset: i64) -> Result<(), LogError> {
        let sealed = sealed::seal(offset.to_string().as_bytes());
        let replaced = storage.replace(&self.path, &sealed);
        replaced.map_err(LogError::file("write", &self.path))
    }
}
