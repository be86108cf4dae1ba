//! What can go wrong with trip files.

use std::path::PathBuf;

use parquet::errors::ParquetError;
use zip::result::ZipError;

use crate::s3_error::S3Error;

/// A source that cannot be read to its end, or prepared. A bad row is no error: it is rejected.
#[derive(Debug, thiserror::Error)]
pub enum TripFilesError {
    /// The path names nothing, or nothing that can be read.
    #[error("cannot read \"{}\"", path.display())]
    Path {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds no trip file.
    #[error("no .csv, .csv.gz, .zip or .parquet file in folder \"{}\"", path.display())]
    EmptyFolder {
        /// The folder as given.
        path: PathBuf,
    },
    /// The bucket cannot be used.
    #[error("cannot use {location}")]
    Bucket {
        /// Bucket and prefix, as a URL.
        location: String,
        /// What the server says.
        #[source]
        source: S3Error,
    },
    /// A file cannot be read now; nothing is wrong with it.
    ///
    /// Nothing is lost: a new run goes on with this file.
    #[error("cannot read on")]
    Unreachable(#[source] std::io::Error),
    /// The only file given cannot be used.
    #[error("file \"{name}\" is refused")]
    Refused {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: RefusedFile,
    },
    /// Rows cannot be kept on the disk while they are ordered.
    #[error("cannot keep rows in \"{}\" while they are ordered", path.display())]
    Spill {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be put where it belongs.
    #[error("cannot write \"{place}\"")]
    Unwritable {
        /// The file or folder.
        place: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// What is written would be read as part of the source the next time.
    #[error("\"{to}\" is a part of the source: choose another place for the prepared files")]
    SamePlace {
        /// Where to write, as given.
        to: String,
    },
    /// There is no end at which files could be complete.
    #[error("{0} has no end: only files, or a city with a number of trips, can be prepared")]
    Endless(String),
    /// The simulated city cannot be built from these parameters.
    #[error("cannot simulate a city")]
    Simulate(#[from] crate::simulate::SimulateError),
    /// The thread that reads the files died.
    #[error("reading the files was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl TripFilesError {
    /// Whether nothing is wrong with a place but that no trip file is there.
    pub(crate) fn is_empty_place(&self) -> bool {
        let empty_bucket = |source: &S3Error| matches!(source, S3Error::Empty);
        match self {
            Self::EmptyFolder { .. } => true,
            Self::Bucket { source, .. } => empty_bucket(source),
            _ => false,
        }
    }
}

/// Why a whole file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RefusedFile {
    /// The file cannot be read or decompressed.
    #[error("it cannot be read or decompressed")]
    Read(#[from] std::io::Error),
    /// The archive is broken.
    #[error("it is not a usable zip archive")]
    Zip(#[source] ZipError),
    /// The archive holds no trip file.
    #[error("it holds no .csv file")]
    NoMembers,
    /// The archive holds more files than a year of trips.
    #[error("it holds {0} files")]
    TooManyMembers(usize),
    /// Archives in archives in archives.
    #[error("it is an archive in an archive in an archive")]
    TooDeep,
    /// The file names more bikes and stations than a city has.
    #[error("it names more than {0} bikes and stations")]
    TooManyNames(usize),
    /// There is not even a header.
    #[error("it is empty")]
    Empty,
    /// The first line is binary or endless.
    #[error("it is not a text file")]
    NotText,
    /// The file ends in the name of a prepared one and is none.
    #[error("it is not a usable Parquet file")]
    Parquet(#[source] ParquetError),
    /// Parquet of somebody else's.
    #[error("it is a Parquet file, but none that `bikeshare prepare` has written")]
    NotPrepared,
    /// A later version of this program has written it.
    #[error(
        "it has format {found}, this bikeshare reads up to {known}: use the newer bikeshare, or \
         prepare the month again"
    )]
    NewerFormat {
        /// The file's format.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// It holds trips that are taken from another file, and others.
    #[error(
        "{shared} of its {trips} trips are in \"{other}\", which is taken: take one of the two away, \
         or the trips that both have out of this one"
    )]
    PartTaken {
        /// How many, or about how many, trips are in both.
        shared: String,
        /// Its trips.
        trips: u64,
        /// The other file's name.
        other: String,
    },
    /// It holds trips of a file that was sent in part and is gone.
    #[error(
        "{shared} of its {trips} trips are in \"{other}\", of which an earlier run has sent a part, and \
         which is gone: put that file back, and the rest of it is sent"
    )]
    PartSent {
        /// How many, or about how many, trips are in both.
        shared: String,
        /// Its trips.
        trips: u64,
        /// The other file's name.
        other: String,
    },
    /// The columns are not those of a trip file.
    #[error("its columns are unknown")]
    Columns(#[from] domain::csv::FileError),
}

impl From<ZipError> for RefusedFile {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => Self::Read(error),
            error => Self::Zip(error),
        }
    }
}

impl RefusedFile {
    /// The error that ends the run, if nothing is wrong with the file itself.
    pub(crate) fn into_transient(self) -> Result<TripFilesError, Self> {
        let is_transient = |error: &std::io::Error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            cause.is_some_and(S3Error::is_transient)
        };
        match self {
            Self::Read(error) if is_transient(&error) => Ok(TripFilesError::Unreachable(error)),
            refused => Err(refused),
        }
    }
}

/// Why there is no table.
#[derive(Debug)]
pub(crate) enum NotRead {
    /// Reading was stopped.
    Stopped,
    /// The file cannot be used; others may.
    Refused(RefusedFile),
    /// The run cannot go on.
    Failed(TripFilesError),
}

impl From<TripFilesError> for NotRead {
    fn from(error: TripFilesError) -> Self {
        Self::Failed(error)
    }
}

impl From<RefusedFile> for NotRead {
    /// What may pass is no reason to refuse a file: a later run can read it.
    fn from(reason: RefusedFile) -> Self {
        match reason.into_transient() {
            Ok(error) => Self::Failed(error),
            Err(reason) => Self::Refused(reason),
        }
    }
}

impl From<std::io::Error> for NotRead {
    fn from(error: std::io::Error) -> Self {
        RefusedFile::from(error).into()
    }
}
