//! What is in an archive, and bounds on what comes out of one.

use std::io::{self, Read, Seek};

use zip::ZipArchive;

use crate::error::RefusedFile;
use crate::store::{FileFormat, is_hidden};

/// An archive in an archive is read, one in that is not (chosen: Citi Bike's years hold months).
pub(super) const DEPTH_MAX: usize = 2;

/// An archive with more files is refused (chosen: 100 times what a year has).
const MEMBERS_MAX: usize = 10_000;

/// What comes out of a file may be so many times as large (chosen: 10 times what a month is).
const RATIO_MAX: u64 = 100;

/// So much may come out of any file, whatever the ratio (chosen: a small file of equal rows).
const FREE_BYTES: u64 = 64 << 20;

/// Nothing larger is unpacked (chosen: 8 times New York's largest month).
const BYTES_MAX: u64 = 8 << 30;

/// A trip file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name in the archive.
    pub(super) name: String,
    pub(super) format: FileFormat,
}

/// The visible trip files in an archive, ordered by name; reads nothing but its directory.
pub(super) fn members<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<Vec<Member>, RefusedFile> {
    if archive.len() > MEMBERS_MAX {
        return Err(RefusedFile::TooManyMembers(archive.len()));
    }
    let member = |name: &str| {
        Some(Member {
            format: FileFormat::of(name).filter(|_| !is_hidden(name))?,
            name: name.to_owned(),
        })
    };
    let mut members: Vec<_> = archive.file_names().filter_map(member).collect();
    if members.is_empty() {
        return Err(RefusedFile::NoMembers);
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// Ends with an error where far more comes out than went in.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    input: R,
    /// Bytes that may still come.
    left: u64,
    limit: u64,
}

impl<R: Read> Bounded<R> {
    /// `compressed` is the size of what is decompressed, in bytes.
    pub(super) fn new(input: R, compressed: u64) -> Self {
        let limit = compressed.saturating_mul(RATIO_MAX);
        let limit = limit.clamp(FREE_BYTES, BYTES_MAX);
        Self {
            input,
            left: limit,
            limit,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Bomb(self.limit))),
        }
        Ok(count)
    }
}

/// More came out of a file than a trip file can hold.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes come out of it, far more than of any trip file")]
struct Bomb(u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_may_come_out_and_no_more() {
        let unpack = |bytes: u64, compressed: u64| {
            let mut input = Bounded::new(io::repeat(b'0').take(bytes), compressed);
            io::copy(&mut input, &mut io::sink()).map_err(|error| error.to_string())
        };
        assert_eq!(unpack(FREE_BYTES, 1), Ok(FREE_BYTES));
        assert!(unpack(FREE_BYTES + 1, 1).is_err());
        assert_eq!(unpack(100_000_000, 1_000_000), Ok(100_000_000));
        assert_eq!(
            unpack(100_000_001, 1_000_000),
            Err("more than 100000000 bytes come out of it, far more than of any trip file".into())
        );
    }
}
