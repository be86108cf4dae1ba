//! What can go wrong on the way from a file to the topic.

use std::path::PathBuf;
use std::time::Duration;

use domain::reject::{REASON_CHARS_MAX, cut};
use domain::source::Run;
use domain::{Position, error_chain};
use parquet::errors::ParquetError;
use zip::result::ZipError;

use crate::source::S3Error;

/// A run that could not go on. A bad row is no error: it is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
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
    /// The live feed cannot be used.
    #[error("cannot use the feed")]
    Feed(#[source] crate::gbfs::FeedError),
    /// A newer run polls the same feed into the same topic; readers take only what that one sends.
    #[error(
        "another producer of \"{feed}\" has taken over: its run {by} is newer than run {run} here; \
         let one of the two poll the feed"
    )]
    TakenOver {
        /// `gbfs:<system id>`
        feed: String,
        /// The run that ends.
        run: Run,
        /// The newer one.
        by: Run,
    },
    /// The thread that reads the files died.
    #[error("reading the files was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The topic cannot be reached or does not exist.
    #[error("cannot use topic \"{topic}\"")]
    Topic {
        /// The topic's name.
        topic: String,
        /// What the cluster says.
        #[source]
        source: ClusterError,
    },
    /// The end of a partition, where an earlier run stopped, cannot be read.
    #[error("cannot read back partition {at}")]
    Tail {
        /// The first offset that could not be read.
        at: Position,
        /// What the cluster says.
        #[source]
        source: ClusterError,
    },
    /// Records could not be stored for so long that the run gave up.
    ///
    /// Nothing is lost: a new run goes on after the last record that is there.
    #[error("{records} records could not be stored at {at} within {} s", waited.as_secs())]
    Undelivered {
        /// How many records wait for this partition.
        records: usize,
        /// Where the first of them was to stand.
        at: Position,
        /// How long delivery was tried.
        waited: Duration,
        /// The last answer of the cluster.
        #[source]
        source: ClusterError,
    },
}

impl ProducerError {
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

/// What the cluster, or the way to it, answered.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The client's error, with its causes.
    // Fluvio gives `anyhow` errors, which are no `std` errors: the chain is kept as text.
    #[error("{0}")]
    Fluvio(String),
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The topic is not there.
    #[error("the topic does not exist")]
    NoTopic,
    /// The record is stored but not yet on every replica.
    #[error("stored, but not yet on every replica")]
    NotReplicated,
}

impl From<anyhow::Error> for ClusterError {
    fn from(error: anyhow::Error) -> Self {
        Self::Fluvio(format!("{error:#}"))
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
    pub(crate) fn into_transient(self) -> Result<ProducerError, Self> {
        let is_transient = |error: &std::io::Error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            cause.is_some_and(S3Error::is_transient)
        };
        match self {
            Self::Read(error) if is_transient(&error) => Ok(ProducerError::Unreachable(error)),
            refused => Err(refused),
        }
    }
}

/// The error and its causes in one line, as long as a reject's reason at most.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    cut(&error_chain(error), REASON_CHARS_MAX)
}
