//! Trip files made ready to be read often: cleaned, ordered, by month, as Parquet.
//!
//! ```text
//!  months ─▶ merge ─┬─ trips ───▶ 202003-citibike-tripdata.parquet ─▶ a folder or a bucket
//!                   └─ rejects ─▶ rejected.csv ─────────────────────▶ the same
//! ```
//!
//! Files of one kind and month become one file. Trips that departed in another month than the name
//! says go to a file of that month with a name of its own, so that a run never replaces a month by
//! some stray trips of it. Without a target nothing is written: the counts tell what would be.

mod output;
mod report;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::output::{Output, Outputs};
use self::report::Report;
pub use self::target::Target;
use crate::compact::{CompactTrip, instant};
use crate::config::{FilesConfig, S3Config};
use crate::error::TripFilesError;
use crate::loader::{HeldFiles, Loaded};
use crate::months::{Family, Month};
use crate::order::{Merged, RowStream};
use crate::prepared::TripTexts;
use crate::progress::{Progress, Reading, Reporter, RowCounts};
use crate::row::Content;
use crate::source::Source;
use crate::spill::Spill;

/// A stop is looked for once in so many rows (chosen: a few milliseconds' work).
const STOP_ROWS: u64 = 4_096;

/// What was prepared. `rows_read` is always `written + rejected`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrepareSummary {
    /// Rows of the source, a refused file counting as one.
    pub rows_read: u64,
    /// Trips that are in prepared files now, or would be.
    pub written: u64,
    /// Rows that are in the report now, or would be.
    pub rejected: u64,
    /// Prepared files of this source.
    pub files: u64,
    /// Of these, files that were there already, made of the same sources.
    pub unchanged: u64,
    /// Files left out because their trips are in another file.
    pub duplicate_files: u64,
    /// Files that could not be used; each is one of `rejected`.
    pub refused_files: u64,
    /// Whether the run was stopped before the source's end.
    pub stopped: bool,
}

/// Reads a source to its end and writes prepared files and a report into `target`.
///
/// # Errors
/// [`TripFilesError`] if the source has no end or cannot be read, or the target cannot be written.
pub async fn prepare(
    source: Source,
    target: Option<Target>,
    s3: S3Config,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<PrepareSummary, TripFilesError> {
    if source.is_endless() {
        return Err(TripFilesError::Endless(source.to_string()));
    }
    let config = FilesConfig {
        s3,
        ..FilesConfig::default()
    };
    let spill = Arc::new(Spill::new(&config)?);
    // Whatever ends the run ends reading.
    let reading_stop = stop.child_token();
    let reading = Reading::new(progress.clone(), reading_stop.clone());
    let _stop_reading = reading_stop.drop_guard();
    let outputs = match target {
        Some(target) => Some(Box::pin(Outputs::open(target, &source, &config.s3, &reading)).await?),
        None => None,
    };
    let Some(opened) = Box::pin(source.open(&config.s3, &spill, &reading)).await? else {
        return Ok(PrepareSummary {
            stopped: true,
            ..PrepareSummary::default()
        });
    };
    let job = Job {
        report: Report::new(&spill)?,
        spill,
        outputs,
        summary: PrepareSummary::default(),
        reporter: Reporter::new(progress),
        stop,
    };
    let months = opened.start(HeldFiles::default());
    tokio::task::spawn_blocking(move || job.run(months)).await?
}

/// A run, on a thread that may block.
struct Job {
    spill: Arc<Spill>,
    /// None if nothing is to be written.
    outputs: Option<Outputs>,
    report: Report,
    summary: PrepareSummary,
    reporter: Reporter,
    stop: CancellationToken,
}

/// Files that become one file for each month: of one kind, and with the same month in their names.
struct Group {
    family: Family,
    month: Option<Month>,
    streams: Vec<RowStream>,
}

/// The file that a group's trips are written into.
struct Writing {
    family: Family,
    month: Option<Month>,
    /// For each of the group's streams.
    texts: Vec<TripTexts>,
    /// None before the first trip, and if nothing is to be written.
    output: Option<Output>,
}

impl Writing {
    /// The name of a month's file, without ending.
    fn name(&self, month: Month) -> String {
        match self.month {
            Some(named) if named != month => {
                format!("{}-from-{}", month.digits(), self.family.name(named))
            }
            _ => self.family.name(month),
        }
    }
}

impl Job {
    fn run(
        mut self,
        mut months: mpsc::Receiver<Result<Loaded, TripFilesError>>,
    ) -> Result<PrepareSummary, TripFilesError> {
        while let Some(loaded) = months.blocking_recv() {
            self.month(loaded?)?;
        }
        self.summary.stopped = self.stop.is_cancelled();
        self.report_progress(None);
        if let Some(outputs) = self.outputs.as_ref().filter(|_| !self.summary.stopped) {
            outputs.put_report(self.report, &self.spill)?;
        }
        Ok(self.summary)
    }

    fn month(&mut self, loaded: Loaded) -> Result<(), TripFilesError> {
        self.summary.duplicate_files += loaded.duplicate_files;
        self.summary.refused_files += loaded.refused_files;
        if loaded.next_month.is_none() {
            let totals = loaded
                .streams
                .iter()
                .map(RowStream::total)
                .sum::<Option<u64>>();
            self.reporter.total = totals.map(|rows| self.summary.rows_read + rows);
        }
        for group in groups(loaded.streams) {
            self.group(group)?;
        }
        for (kept, _) in loaded.kept {
            kept.clear().map_err(|source| self.spill.error(source))?;
        }
        Ok(())
    }

    fn group(&mut self, group: Group) -> Result<(), TripFilesError> {
        let mut rows = Merged::default();
        rows.add(group.streams);
        let mut writing = Writing {
            family: group.family,
            month: group.month,
            texts: rows.streams.iter().map(|_| TripTexts::default()).collect(),
            output: None,
        };
        loop {
            let next = rows.next_row().map_err(|source| self.spill.error(source))?;
            let Some((source, _, row)) = next else { break };
            if self.summary.rows_read.is_multiple_of(STOP_ROWS) {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                self.report_progress(row.at);
            }
            self.summary.rows_read += 1;
            match row.content {
                Content::Trip(trip) => {
                    self.summary.written += 1;
                    self.trip(&trip, source, &rows, &mut writing)?;
                }
                Content::Reject(reject) => {
                    self.summary.rejected += 1;
                    self.report.push(&reject, &self.spill)?;
                }
            }
        }
        self.finish(writing.output)
    }

    /// Puts a trip into the file of its month; the one before is complete then, as trips come in
    /// order.
    fn trip(
        &mut self,
        trip: &CompactTrip,
        source: usize,
        rows: &Merged,
        writing: &mut Writing,
    ) -> Result<(), TripFilesError> {
        let at = trip.departed_at;
        let has_begun = |output: &Output| output.takes(at);
        if !writing.output.as_ref().is_some_and(has_begun) {
            self.finish(writing.output.take())?;
            let Some(outputs) = &self.outputs else {
                return Ok(());
            };
            let sources: Vec<_> = rows
                .streams
                .iter()
                .map(|stream| stream.source.as_str())
                .collect();
            let month = Month::of(instant(at));
            let name = writing.name(month);
            writing.output = Some(outputs.begin(&name, month, &sources, &self.spill)?);
        }
        let Some(output) = &mut writing.output else {
            return Ok(());
        };
        let names = rows.streams[source].names();
        let pushed = output.push(trip, names, &mut writing.texts[source]);
        pushed.map_err(|source| self.spill.error(source))
    }

    fn finish(&mut self, output: Option<Output>) -> Result<(), TripFilesError> {
        let (Some(output), Some(outputs)) = (output, &self.outputs) else {
            return Ok(());
        };
        self.summary.files += 1;
        self.summary.unchanged += u64::from(output.is_unchanged());
        outputs.finish(output, &self.spill)
    }

    fn report_progress(&mut self, at: Option<i64>) {
        let counts = RowCounts {
            rows: self.summary.rows_read,
            confirmed: self.summary.written,
            rejected: self.summary.rejected,
            already_produced: 0,
        };
        self.reporter.report(counts, at);
    }
}

/// Groups files by kind and month, in the order of their names.
fn groups(streams: Vec<RowStream>) -> impl Iterator<Item = Group> {
    let mut groups = BTreeMap::new();
    for stream in streams {
        let name = match stream.source.rsplit_once('#') {
            Some((file, _)) => file,
            // A simulated city, whose parameters are in its files' footers.
            None => stream.source.split([':', ',']).next().unwrap_or_default(),
        };
        let (family, month) = Family::of(name);
        let group = groups
            .entry((family.key(), month))
            .or_insert_with(|| Group {
                family,
                month,
                streams: Vec::new(),
            });
        group.streams.push(stream);
    }
    groups.into_values()
}
