#![doc = include_str!("../README.md")]

// What can be read, and the settings.
mod config;
mod error;
mod s3_error;
mod s3_location;
mod source;

// Where files are.
mod bucket;
mod folder;
mod store;

// Which files there are, and in which order they are read.
mod catalog;
mod months;

// A file becomes rows.
mod compact;
mod encode;
mod row;
mod rows;
mod strays;
mod table;
mod unpack;

// A file is known again by its trips.
mod sample;
mod taken;

// Rows are put in order, in memory and on the disk.
mod sort;
mod spill;

// What is read lasts over restarts.
mod kept;
mod note;

// Months, one after the other, become one sequence of rows.
mod loader;
mod order;

// Months as Parquet.
mod prepare;
mod prepared;

// What a database keeps no longer, as Parquet.
mod archive;

// A city without files.
pub mod simulate;

mod progress;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;

pub use archive::{ArchiveFile, ColumnKind, ColumnSpec, Value};
pub use compact::{CompactTrip, NameIndex, Names, Place, StationKey, instant};
pub use config::{FilesConfig, S3Config};
pub use encode::Encoder;
pub use error::{RefusedFile, TripFilesError};
pub use kept::{Kept, SentFile};
pub use loader::{HeldFiles, Loaded, SentUnit};
pub use months::Month;
pub use order::{Merged, RowStream};
pub use prepare::{PrepareSummary, Target, prepare};
pub use progress::{FileProgress, Progress, Reading, Reporter, RowCounts};
pub use row::{Content, Row};
pub use s3_error::S3Error;
pub use s3_location::{NoBucketName, S3Location};
pub use simulate::{SimulateConfig, SimulateError};
pub use sort::Counts;
pub use source::{Opened, Source, SourceError};
pub use spill::Spill;
