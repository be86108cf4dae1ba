//! Where files go: a folder or a bucket.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use crate::bucket::Bucket;
use crate::config::S3Config;
use crate::error::TripFilesError;
use crate::folder::Folder;
use crate::progress::Reading;
use crate::s3_location::S3Location;
use crate::source::{Source, SourceError};
use crate::store::{Store, is_trip_file};

/// Where prepared or archived files are written.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A folder; it need not exist yet.
    Folder(PathBuf),
    /// Keys that begin with a prefix, which ends in `/` or is empty.
    S3(S3Location),
}

impl FromStr for Target {
    type Err = SourceError;

    /// Reads `s3://bucket/prefix`, or else a folder's path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with("s3://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let mut location: S3Location = text.parse()?;
        if !location.prefix.is_empty() && !location.prefix.ends_with('/') {
            location.prefix.push('/');
        }
        Ok(Self::S3(location))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3(location) => location.fmt(f),
        }
    }
}

impl Target {
    /// Whether files written here would be read as part of the source the next time.
    fn is_part_of(&self, source: &Source) -> bool {
        match (self, source) {
            (Self::Folder(to), Source::Path(from)) => {
                let absolute = |path| fs::canonicalize(path).ok();
                from.is_dir() && absolute(to).is_some_and(|to| absolute(from) == Some(to))
            }
            (Self::S3(to), Source::S3(from)) => {
                let begins_alike = |rest: &str| !rest.contains('/') && !is_trip_file(rest);
                let rest = from.prefix.strip_prefix(&to.prefix);
                to.bucket == from.bucket
                    && (to.prefix.starts_with(&from.prefix) || rest.is_some_and(begins_alike))
            }
            _ => false,
        }
    }

    /// Makes the place ready for what is made of a source.
    ///
    /// # Errors
    /// As [`Target::open`], or if it is a part of the source.
    pub(super) async fn open_beside(
        &self,
        source: &Source,
        s3: &S3Config,
        reading: &Reading,
    ) -> Result<Box<dyn Store>, TripFilesError> {
        if self.is_part_of(source) {
            return Err(TripFilesError::SamePlace {
                to: self.to_string(),
            });
        }
        self.open(s3, reading).await
    }

    /// Makes the place ready.
    ///
    /// # Errors
    /// If it is a folder that cannot be written.
    pub(crate) async fn open(
        &self,
        s3: &S3Config,
        reading: &Reading,
    ) -> Result<Box<dyn Store>, TripFilesError> {
        match self {
            Self::S3(location) => Ok(Box::new(Box::pin(Bucket::new(location, s3, reading)).await)),
            Self::Folder(path) => {
                // Better now than after a month was read.
                let writable = fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path));
                writable.map_err(|source| TripFilesError::Unwritable {
                    place: path.display().to_string(),
                    source,
                })?;
                Ok(Box::new(Folder::new(path)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_part(to: &str, source: &str) -> bool {
        let target: Target = to.parse().unwrap();
        target.is_part_of(&source.parse().unwrap())
    }

    #[test]
    fn what_would_be_read_the_next_time_is_a_part_of_the_source() {
        assert!(is_part("s3://b", "s3://b"));
        assert!(is_part("s3://b/prepared", "s3://b"));
        assert!(is_part("s3://b", "s3://b/JC-2020"));
        assert!(!is_part(
            "s3://b",
            "s3://b/JC-202003-citibike-tripdata.csv.zip"
        ));
        assert!(!is_part("s3://b/prepared", "s3://b/raw/"));
        assert!(!is_part("s3://b/raw-prepared", "s3://b/raw/"));
        assert!(is_part("s3://b/raw-prepared", "s3://b/raw"));
        assert!(!is_part("s3://other", "s3://b"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert!(is_part(path, &format!("{path}/.")));
        assert!(!is_part(path, &format!("{path}/one.csv")));
        assert!(!is_part(&format!("{path}/new"), path));
    }
}
