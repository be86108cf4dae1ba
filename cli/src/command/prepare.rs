//! `bikeshare prepare`: trip files made ready to be read often.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use producer::{Progress, Source};
use serde::Serialize;
use tokio::sync::watch;
use trip_files::{PrepareSummary, Target, TripFilesError};

use crate::command::produce::BucketFlags;
use crate::output::say;
use crate::{progress, shutdown};

/// Write trip files by month as Parquet, cleaned and ordered, to load them again faster.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare prepare --source trips/ --to prepared/
  bikeshare prepare --source s3://tripdata/JC-2020 --s3-anonymous --to prepared/
  bikeshare prepare --source trips/ --to s3://my-trips/prepared --s3-endpoint http://s3.example
  bikeshare prepare --source trips/                 write nothing, count what would be rejected
  bikeshare up --source s3://my-trips/prepared/     load what was prepared

Each month of each kind of file becomes one file, such as 202003-citibike-tripdata.parquet, whose
rows are ordered by departure, times in UTC. Trips of another month than their file's name says go
to a file of that month, such as 202002-from-202003-citibike-tripdata.parquet. What cannot be used
is listed in rejected.csv beside them. A file that is there already, made of the same files, is left
as it is. The last line has the counts as JSON; rows_read is always written + rejected.")]
pub(crate) struct Arguments {
    /// A trip file (.csv, .csv.gz, .zip), a folder of such files, `s3://BUCKET/PREFIX`, or
    /// `simulate:trips=300000`.
    #[arg(long, value_name = "SOURCE", env = "BIKESHARE_SOURCE")]
    source: Source,
    /// Where to write: a folder, or `s3://BUCKET/PREFIX`. Without it nothing is written.
    #[arg(long, value_name = "PLACE")]
    to: Option<Target>,
    #[command(flatten)]
    bucket: BucketFlags,
}

/// Counts, as one line of JSON.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Rows of the source: `written + rejected`.
    rows_read: u64,
    /// Trips in prepared files.
    written: u64,
    /// Rows that could not become trips; they are in the report.
    rejected: u64,
    /// Prepared files.
    files: u64,
    /// Of these, files that were there already.
    unchanged: u64,
    /// Files left out because their trips are in another one.
    duplicate_files: u64,
    /// Files that could not be used; each is one of `rejected`.
    refused_files: u64,
    wall_s: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// If the source cannot be read or the files not be written.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { source, to, bucket } = arguments;
    let stop = shutdown::on_signal()?;
    let started = Instant::now();
    let name = source.to_string();
    let (progress, watched) = watch::channel(Progress::default());
    let shown = progress::show(watched);
    let prepared = match source {
        Source::Trips(source) => {
            trip_files::prepare(source, to, bucket.config(), progress, stop).await
        }
        Source::Gbfs(_) => Err(TripFilesError::Endless(name.clone())),
    };
    shown.await.context("the progress display panicked")?;
    let summary = prepared.with_context(|| format!("could not prepare {name}"))?;
    if summary.stopped {
        bail!("stopped before everything was prepared: start again, files that are there stay");
    }
    let wall_s = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    let outcome = serde_json::to_string(&Outcome::new(&summary, wall_s));
    say!("{}", outcome.context("could not write the counts as JSON")?);
    Ok(())
}

impl Outcome {
    fn new(summary: &PrepareSummary, wall_s: f64) -> Self {
        Self {
            rows_read: summary.rows_read,
            written: summary.written,
            rejected: summary.rejected,
            files: summary.files,
            unchanged: summary.unchanged,
            duplicate_files: summary.duplicate_files,
            refused_files: summary.refused_files,
            wall_s,
        }
    }
}
