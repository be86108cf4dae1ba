//! Small files whose changes are found: a line with a checksum, then the content.
//!
//! ```text
//! bikeshare-sealed 1 0d3ab4f2\n   magic, version, crc32c of all that follows in hexadecimal
//! content
//! ```
//! No other form the content ever had begins with the magic or with one bit of it changed, so that a
//! broken line is not taken for an old file.

use std::fs;
use std::io;
use std::path::Path;

use crate::files::replace_file;

const MAGIC: &str = "bikeshare-sealed 1";
/// Magic, space, eight digits, end of line.
const SEAL_BYTES: usize = MAGIC.len() + 10;

/// Replaces a file's content, sealed, in one step.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_file(path, &seal(content))
}

/// A content with its seal before it.
pub(crate) fn seal(content: &[u8]) -> Vec<u8> {
    let mut sealed = seal_of(content);
    sealed.extend_from_slice(content);
    sealed
}

/// The content of what [`seal`] gives.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if it is something else.
pub(crate) fn open(sealed: &[u8]) -> io::Result<&[u8]> {
    let (seal, content) = sealed.split_at_checked(SEAL_BYTES).ok_or_else(broken)?;
    if seal != seal_of(content) {
        return Err(broken());
    }
    Ok(content)
}

/// Reads a file's content; `None` if there is no file.
///
/// A file that is not sealed must look like one of an earlier release, and is sealed at once.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the content is not what was written.
pub(crate) fn read(path: &Path, is_old: impl Fn(&[u8]) -> bool) -> io::Result<Option<Vec<u8>>> {
    let mut stored = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        stored => stored?,
    };
    if is_old(&stored) {
        write(path, &stored)?;
        return Ok(Some(stored));
    }
    open(&stored)?;
    stored.drain(..SEAL_BYTES);
    Ok(Some(stored))
}

/// Whether an error says that a file is not what was written, rather than that it cannot be read.
pub(crate) fn is_broken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

fn seal_of(content: &[u8]) -> Vec<u8> {
    format!("{MAGIC} {:08x}\n", crc32c::crc32c(content)).into_bytes()
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "its content does not have the checksum that was written with it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_earlier_release_is_read_and_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "[]").unwrap();
        let is_old = |content: &[u8]| content.starts_with(b"[");
        assert_eq!(read(&path, is_old).unwrap().unwrap(), b"[]");
        let sealed = fs::read_to_string(&path).unwrap();
        assert_eq!(sealed, "bikeshare-sealed 1 764dbd76\n[]");
        assert_eq!(read(&path, is_old).unwrap().unwrap(), b"[]");
    }

    #[test]
    fn a_file_with_any_bit_flipped_or_any_byte_missing_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"content").unwrap();
        let whole = fs::read(&path).unwrap();
        let refused = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            read(&path, |_| false).is_err_and(|error| is_broken(&error))
        };
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(refused(&flipped), "bit {bit}");
        }
        for bytes in 0..whole.len() {
            assert!(refused(&whole[..bytes]), "{bytes} bytes");
        }
    }
}
