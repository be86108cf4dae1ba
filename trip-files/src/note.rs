//! Small files that tell when they have changed: a line with a checksum, then JSON.
//!
//! ```text
//! 0d3ab4f25f0c1a77\n   xxh3 of all that follows, in hexadecimal
//! {"name":"202503-citibike-tripdata.csv", …
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

/// Digits of the checksum, and the end of its line.
const SEAL_BYTES: usize = 17;

/// Replaces a note in one step; its folder is made if it is missing.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write(path: &Path, note: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let content = serde_json::to_vec(note)?;
    // Another ending: what is not whole is no note.
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&seal_of(&content))?;
    file.write_all(&content)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(folder)?.sync_all()
}

/// Reads a note; none if there is none.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if it is not what was written.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let stored = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        stored => stored?,
    };
    let (seal, content) = stored
        .split_at_checked(SEAL_BYTES)
        .ok_or_else(|| broken(path))?;
    if seal != seal_of(content) {
        return Err(broken(path));
    }
    Ok(Some(serde_json::from_slice(content)?))
}

fn seal_of(content: &[u8]) -> Vec<u8> {
    format!("{:016x}\n", xxh3_64(content)).into_bytes()
}

fn broken(path: &Path) -> io::Error {
    let text = format!("{path:?} does not have the checksum that was written with it");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_bit_flips_and_wherever_it_is_cut_a_note_is_the_truth_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes/a.json");
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), None);
        let note = vec![7, 8, 4_000_000_000_u32];
        write(&path, &note).unwrap();
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), Some(note));
        let whole = fs::read(&path).unwrap();
        let damaged = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let error = read::<Vec<u32>>(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        };
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            damaged(&flipped);
        }
        (0..whole.len()).for_each(|end| damaged(&whole[..end]));
    }
}
