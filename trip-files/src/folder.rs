//! Trip files on this machine.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::error::TripFilesError;
use crate::store::{Entry, FileFormat, Input, Listing, Store, is_hidden};

/// A file, or a folder of files.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.path)? {
            let path = found?.path();
            let name = name_of(&path);
            if FileFormat::of(&name).is_some() && !is_hidden(&name) && !path.is_dir() {
                entries.push(entry(name, &fs::metadata(&path)?));
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

impl Store for Folder {
    fn list(&self) -> Result<Listing, TripFilesError> {
        let path_error = |source| TripFilesError::Path {
            path: self.path.clone(),
            source,
        };
        let found = fs::metadata(&self.path).map_err(path_error)?;
        if !found.is_dir() {
            return Ok(Listing::File(entry(name_of(&self.path), &found)));
        }
        let entries = self.entries().map_err(path_error)?;
        if entries.is_empty() {
            return Err(TripFilesError::EmptyFolder {
                path: self.path.clone(),
            });
        }
        Ok(Listing::Files(entries))
    }

    fn open(&self, entry: &Entry) -> io::Result<Box<dyn Input>> {
        let path = if self.path.is_dir() {
            self.path.join(&entry.name)
        } else {
            self.path.clone()
        };
        Ok(Box::new(File::open(path)?))
    }

    fn put(&self, name: &str, from: &Path) -> Result<(), TripFilesError> {
        // Hidden while it is not whole.
        let new = self.path.join(format!(".{name}.new"));
        let put = || {
            // Not `fs::copy`: nobody else may read the temporary file it is copied from.
            let mut file = File::create(&new)?;
            io::copy(&mut File::open(from)?, &mut file)?;
            file.sync_all()?;
            fs::rename(&new, self.path.join(name))?;
            File::open(&self.path)?.sync_all()
        };
        put().map_err(|source| TripFilesError::Unwritable {
            place: self.path.join(name).display().to_string(),
            source,
        })
    }

    fn identity(&self) -> String {
        let absolute = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        absolute.display().to_string()
    }

    fn is_remote(&self) -> bool {
        false
    }
}

fn entry(name: String, found: &Metadata) -> Entry {
    let modified = found.modified().ok();
    let modified = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Entry {
        name,
        bytes: found.len(),
        version: format!("{}", modified.unwrap_or_default().as_nanos()),
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
