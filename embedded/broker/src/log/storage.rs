//! Where a log's files are: a disk; in tests, one that loses its power.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::files::{self, PRIVATE_FILE};

/// Files by their paths, as the system keeps them.
pub(crate) trait Storage: Debug + Send + Sync {
    /// Creates a folder, and those it is in; one that is there is fine.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The paths of what a folder holds.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Opens a file to read and to append to.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;

    /// Creates it, empty; one that is there is opened.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;

    /// The content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Replaces it in one step, synced.
    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Removes a file; one that is not there is fine.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Returns when the names of a folder's files are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is appended to, and read anywhere.
pub(crate) trait LogFile: Debug + Send + Sync {
    /// Appends all parts; an error may leave some of them.
    fn append(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()>;

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    fn bytes(&self) -> io::Result<u64>;

    /// How long ago it was written to; zero if the system's clock was set back since.
    fn age(&self) -> io::Result<Duration>;

    /// Cuts it.
    fn set_bytes(&self, bytes: u64) -> io::Result<()>;

    /// Returns when all of it is on the disk.
    fn sync(&self) -> io::Result<()>;
}

/// This machine's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk;

impl Storage for Disk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        files::create_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = File::options().read(true).append(true).open(path)?;
        Ok(Arc::new(file))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let mut options = File::options();
        options.create(true).read(true).append(true);
        Ok(Arc::new(options.mode(PRIVATE_FILE).open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        files::replace_file(path, content)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        files::remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        files::sync_folder(folder)
    }
}

impl LogFile for File {
    fn append(&self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut file = self;
        while !parts.is_empty() {
            match file.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, position)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn age(&self) -> io::Result<Duration> {
        Ok(self.metadata()?.modified()?.elapsed().unwrap_or_default())
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
