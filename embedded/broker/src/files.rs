//! Files and folders that nobody but their owner may enter, and how they are replaced and named.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Mode of folders: all for the owner, nothing for others.
pub(crate) const PRIVATE_FOLDER: u32 = 0o700;
/// Mode of files: all for the owner, nothing for others.
pub(crate) const PRIVATE_FILE: u32 = 0o600;

/// Creates a folder, and those it is in, for the owner only; one that is there is fine.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(path)
}

/// Replaces a small file in one step: a crash, or a power cut, leaves the old content or the new, never a
/// part. When this returns, it is the new.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(PRIVATE_FILE)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Returns when the names of a folder's files are on the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a file or folder with all it holds; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let result = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Spells any name as a file name, reversibly: all but letters, digits and `-` become `%XX`.
pub(crate) fn file_name_of(name: &str) -> String {
    let mut file_name = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            file_name.push(char::from(byte));
        } else {
            file_name.push_str(&format!("%{byte:02X}"));
        }
    }
    file_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        assert_eq!(
            file_name_of("../group/split@0.1.0"),
            "%2E%2E%2Fgroup%2Fsplit%400%2E1%2E0"
        );
    }
}
