//! Where rows wait on the disk while they are ordered and sent.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::FilesConfig;
use crate::error::TripFilesError;
use crate::sort::{MemoryLimit, SortConfig};

/// The folder of one run and the memory its files share.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    buffer_bytes: usize,
    memory: MemoryLimit,
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
            memory: MemoryLimit::new(config.sort_bytes),
            temporary,
        })
    }

    /// How the rows of a file are ordered; without `memory` none of them stay there.
    pub(crate) fn sort_config(
        &self,
        folder: &Path,
        prefix: String,
        memory: Option<MemoryLimit>,
    ) -> SortConfig {
        SortConfig {
            buffer_bytes: self.buffer_bytes,
            memory,
            folder: folder.to_owned(),
            prefix,
        }
    }

    /// Whether the folder outlasts the run.
    pub(crate) fn is_lasting(&self) -> bool {
        self.temporary.is_none()
    }

    /// The memory that the files share.
    pub(crate) fn memory(&self) -> MemoryLimit {
        self.memory.clone()
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
