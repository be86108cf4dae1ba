//! What holds trip files: a folder or a bucket.

use std::fmt::Debug;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::error::TripFilesError;

/// A file's bytes, from any place.
pub(crate) trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// A trip file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name below the store's folder or prefix; parts are separated by `/`.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// Changes when the content does.
    pub(crate) version: String,
}

/// Lists and opens trip files.
pub(crate) trait Store: Debug + Send {
    /// The visible trip files, ordered by name.
    ///
    /// # Errors
    /// If the store cannot be listed or holds none.
    fn list(&self) -> Result<Listing, TripFilesError>;

    /// Opens a file that was listed.
    ///
    /// # Errors
    /// If it cannot be opened. A bucket's file may be found missing only when it is read.
    fn open(&self, entry: &Entry) -> io::Result<Box<dyn Input>>;

    /// Puts a file there, in place of one of the same name; it is there whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    fn put(&self, name: &str, from: &Path) -> Result<(), TripFilesError>;

    /// What tells this store from others.
    fn identity(&self) -> String;

    /// Whether reading a file again is costly, so that what was read is worth keeping.
    fn is_remote(&self) -> bool;
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listing {
    /// The source names this very file: if it cannot be used there is nothing to do.
    File(Entry),
    /// A folder or a prefix: if a file cannot be used the others can.
    Files(Vec<Entry>),
}

/// The format of a trip file, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Csv,
    /// A CSV file, compressed.
    CsvGzip,
    /// An archive of trip files.
    Zip,
    /// A file of trips in order, as `bikeshare prepare` writes it.
    Parquet,
}

impl FileFormat {
    /// None if the name is not that of a trip file.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name.ends_with('/') {
            return None;
        }
        let extension = Path::new(name).extension()?.to_str()?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "gz" => Some(Self::CsvGzip),
            "zip" => Some(Self::Zip),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Whether a name is that of a trip file.
pub(crate) fn is_trip_file(name: &str) -> bool {
    FileFormat::of(name).is_some()
}

/// What `bikeshare prepare` lists rejects in, beside the files it writes.
pub(crate) const REPORT: &str = "rejected.csv";

/// Whether the name, or a folder in it, is one that systems leave behind, or our own report's.
pub(crate) fn is_hidden(name: &str) -> bool {
    let is_point = |part: &str| part == "." || part == "..";
    let is_left = |part: &str| (part.starts_with('.') && !is_point(part)) || part == "__MACOSX";
    name.split('/').any(is_left) || name.rsplit('/').next() == Some(REPORT)
}
