//! Where rows wait on the disk while they are ordered and sent.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::FilesConfig;
use crate::error::TripFilesError;
use crate::sort::{Room, SortPlace};

/// The folder of one run and the memory its files share.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    buffer_bytes: usize,
    room: Room,
    /// Removes the folder at the end, where none was named.
    temporary: Option<TempDir>,
}

impl Spill {
    /// Uses the folder of the configuration, or a temporary one; nothing is written yet.
    ///
    /// # Errors
    /// If a temporary folder cannot be made.
    pub fn new(config: &FilesConfig) -> Result<Self, TripFilesError> {
        let temporary = match config.spill_dir {
            Some(_) => None,
            None => Some(temporary()?),
        };
        let folder = temporary.as_ref().map(TempDir::path);
        let folder = folder.or(config.spill_dir.as_deref());
        Ok(Self {
            folder: folder.map(Path::to_owned).unwrap_or_default(),
            buffer_bytes: config.sort_bytes,
            room: Room::new(config.sort_bytes),
            temporary,
        })
    }

    /// Where the rows of a file are ordered; without `room` none of them stay in memory.
    pub(crate) fn place(&self, folder: &Path, prefix: String, room: Option<Room>) -> SortPlace {
        SortPlace {
            buffer_bytes: self.buffer_bytes,
            room,
            folder: folder.to_owned(),
            prefix,
        }
    }

    /// Whether what lies here is still here after the run.
    pub(crate) fn is_lasting(&self) -> bool {
        self.temporary.is_none()
    }

    /// The memory that the files share.
    pub(crate) fn room(&self) -> Room {
        self.room.clone()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An error of this folder.
    pub fn error(&self, source: io::Error) -> TripFilesError {
        TripFilesError::Spill {
            path: self.folder.clone(),
            source,
        }
    }
}

fn temporary() -> Result<TempDir, TripFilesError> {
    TempDir::with_prefix("bikeshare-").map_err(|source: io::Error| TripFilesError::Spill {
        path: std::env::temp_dir(),
        source,
    })
}
