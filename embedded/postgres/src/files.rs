//! Folders as the account that runs the server needs them.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::account::current_uid;
use crate::error::{PostgresError, io_at};

/// Creates a folder and its missing parents. As root, those may be passed through by others
/// (but not listed), whatever the umask says; parents that existed stay as they are.
pub(crate) fn create_with_parents(path: &Path) -> Result<(), PostgresError> {
    // `exists` follows links, so a link to a folder that is gone is reported by `create_dir`.
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_with_parents(parent)?;
    }
    match std::fs::create_dir(path) {
        // Another process may have been faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        result => result.map_err(io_at("create", path))?,
    }
    if current_uid() == 0 {
        let mode = path
            .metadata()
            .map_err(io_at("look at", path))?
            .permissions()
            .mode();
        set_mode(path, mode | 0o011)?;
    }
    Ok(())
}

/// Sets who may do what with a file or folder.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), PostgresError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(io_at("change the mode of", path))
}
