//! The data folder: locked for one process, closed to other users, of a known version.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::consumer_offsets;
use crate::error::BrokerError;
use crate::files::{PRIVATE_FILE, PRIVATE_FOLDER, create_folder};
use crate::sealed;

/// Version of the folder's layout; a folder of a newer one is refused.
///
/// 1: files without checksums, 2: sealed files, and consumers' offsets from the beginning.
const VERSION: u32 = 2;
/// Holds the folder for one process; the system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
}

/// Closing the file is not enough: a process that is being started at this moment holds a copy
/// of it for as long as it has not become another program.
impl Drop for FolderLock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "could not unlock the broker's folder");
        }
    }
}

/// Creates the folder if needed, takes it for this process and checks its version.
///
/// # Errors
/// [`BrokerError::InUse`] and [`BrokerError::NewerFolder`], or the file that could not be used.
pub(crate) fn claim(folder: &Path) -> Result<FolderLock, BrokerError> {
    create_folder(folder).map_err(BrokerError::file("create", folder))?;
    // An earlier release, or another program, may have created it.
    fs::set_permissions(folder, Permissions::from_mode(PRIVATE_FOLDER))
        .map_err(BrokerError::file("close to others", folder))?;
    let lock = lock(folder)?;
    check_version(folder)?;
    Ok(lock)
}

fn lock(folder: &Path) -> Result<FolderLock, BrokerError> {
    let path = folder.join("LOCK");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE_FILE)
        .open(&path)
        .map_err(BrokerError::file("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { file }),
        Err(TryLockError::WouldBlock) => Err(BrokerError::InUse {
            folder: folder.to_path_buf(),
        }),
        Err(TryLockError::Error(source)) => Err(BrokerError::file("lock", path)(source)),
    }
}

fn check_version(folder: &Path) -> Result<(), BrokerError> {
    let path = folder.join("VERSION");
    let found = read_version(&path).map_err(|source| BrokerError::Broken {
        path: path.clone(),
        remedy: "remove it if no newer release has used the folder",
        source,
    })?;
    if found > VERSION {
        return Err(BrokerError::NewerFolder {
            folder: folder.to_path_buf(),
            found,
            supported: VERSION,
        });
    }
    if found < VERSION {
        consumer_offsets::begin(folder)?;
        sealed::write(&path, format!("{VERSION}\n").as_bytes())
            .map_err(BrokerError::file("write", path))?;
    }
    Ok(())
}

/// The version that a folder says it has; 0 if it does not say.
fn read_version(path: &Path) -> io::Result<u32> {
    let is_old = |content: &[u8]| content.first().is_some_and(u8::is_ascii_digit);
    let Some(content) = sealed::read(path, is_old)? else {
        return Ok(0);
    };
    let text = String::from_utf8_lossy(&content);
    let version = text.trim().parse();
    version.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_newer_release_is_refused_by_name_and_version() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("VERSION"), "99\n").unwrap();
        let error = claim(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(&folder.path().display().to_string()),
            "{error}"
        );
        assert!(
            error.contains("has version 99, this release reads up to 2"),
            "{error}"
        );
    }

    #[test]
    fn what_the_broker_creates_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("made/by/us");
        let lock = claim(&folder).unwrap();
        let mode_of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode_of(&folder), 0o700);
        for file in ["LOCK", "VERSION", "consumer-offsets.json"] {
            assert_eq!(mode_of(&folder.join(file)), 0o600, "{file}");
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        drop(lock);
        claim(&folder).unwrap();
        assert_eq!(mode_of(&folder), 0o700);
    }

    #[test]
    fn a_folder_in_use_is_refused_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let first = claim(folder.path()).unwrap();
        assert!(matches!(
            claim(folder.path()),
            Err(BrokerError::InUse { .. })
        ));
        let _copy = first.file.try_clone().unwrap();
        drop(first);
        claim(folder.path()).unwrap();
    }
}
