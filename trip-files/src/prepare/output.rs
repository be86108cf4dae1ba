//! Prepared files on their way to their place.

use std::fs::File;
use std::io;

use tempfile::NamedTempFile;
use tracing::info;

use super::report::Report;
use super::target::Target;
use crate::compact::{CompactTrip, Names};
use crate::config::S3Config;
use crate::error::TripFilesError;
use crate::months::Month;
use crate::prepared::{ENDING, Origin, PreparedRows, TripTexts, TripWriter};
use crate::progress::Reading;
use crate::source::Source;
use crate::spill::Spill;
use crate::store::{Entry, Listing, REPORT, Store};

/// The place of all files of a run.
#[derive(Debug)]
pub(super) struct Outputs {
    store: Box<dyn Store>,
    /// What was there before.
    found: Vec<Entry>,
}

/// One file.
pub(super) struct Output {
    name: String,
    /// Where its month ends, in microseconds.
    ends_at: i64,
    trips: u64,
    /// None if it need not be written.
    file: Option<Unfinished>,
}

struct Unfinished {
    writer: TripWriter<File>,
    file: NamedTempFile,
}

impl Outputs {
    /// Makes the place ready and looks what is there.
    ///
    /// # Errors
    /// If it cannot be listed or written.
    pub(super) async fn open(
        target: Target,
        source: &Source,
        s3: &S3Config,
        reading: &Reading,
    ) -> Result<Self, TripFilesError> {
        let store = target.open_beside(source, s3, reading).await?;
        let listed = tokio::task::spawn_blocking(move || match store.list() {
            Ok(Listing::Files(found)) => Ok((store, found)),
            Ok(Listing::File(found)) => Ok((store, vec![found])),
            Err(error) if error.is_empty_place() => Ok((store, Vec::new())),
            Err(error) => Err(error),
        });
        let (store, found) = listed.await??;
        Ok(Self { store, found })
    }

    /// Begins the file of a month, or finds it there, made of the same sources.
    ///
    /// # Errors
    /// If there is no room for it on this machine.
    pub(super) fn begin(
        &self,
        name: &str,
        month: Month,
        sources: &[&str],
        spill: &Spill,
    ) -> Result<Output, TripFilesError> {
        let name = format!("{name}{ENDING}");
        let origin = Origin::new(sources);
        let file = match self.holds(&name, &origin) {
            true => None,
            false => {
                let file = Unfinished::begin(&origin, spill);
                Some(file.map_err(|source| spill.error(source))?)
            }
        };
        Ok(Output {
            name,
            ends_at: month.ends_at(),
            trips: 0,
            file,
        })
    }

    fn holds(&self, name: &str, origin: &Origin) -> bool {
        let mut found = self.found.iter().filter(|entry| entry.name == name);
        // One that cannot be read is replaced.
        let origin_of = |entry| PreparedRows::origin(self.store.open(entry).ok()?).ok();
        found.any(|entry| origin_of(entry).as_ref() == Some(origin))
    }

    /// Ends a file and puts it into its place.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn finish(&self, output: Output, spill: &Spill) -> Result<(), TripFilesError> {
        let Output { name, trips, .. } = output;
        let Some(Unfinished { writer, file }) = output.file else {
            info!(
                file = name,
                "\"{name}\" is there already, made of the same files"
            );
            return Ok(());
        };
        writer.finish().map_err(|source| spill.error(source))?;
        self.store.put(&name, file.path())?;
        info!(file = name, trips, "wrote \"{name}\": {trips} trips");
        Ok(())
    }

    /// Puts the report beside the files.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn put_report(&self, report: Report, spill: &Spill) -> Result<(), TripFilesError> {
        let file = report.finish().map_err(|source| spill.error(source))?;
        self.store.put(REPORT, file.path())
    }
}

impl Unfinished {
    fn begin(origin: &Origin, spill: &Spill) -> io::Result<Self> {
        let file = NamedTempFile::new_in(spill.folder())?;
        Ok(Self {
            writer: TripWriter::new(file.reopen()?, origin)?,
            file,
        })
    }
}

impl Output {
    /// Whether a trip that departed then belongs into it; none has departed before its month.
    pub(super) fn takes(&self, at: i64) -> bool {
        at < self.ends_at
    }

    /// Whether it was there already.
    pub(super) fn is_unchanged(&self) -> bool {
        self.file.is_none()
    }

    /// Takes the next trip.
    ///
    /// # Errors
    /// If it cannot be written onto this machine's disk.
    pub(super) fn push(
        &mut self,
        trip: &CompactTrip,
        names: &Names,
        texts: &mut TripTexts,
    ) -> io::Result<()> {
        self.trips += 1;
        match &mut self.file {
            Some(file) => file.writer.push(trip, names, texts),
            None => Ok(()),
        }
    }
}
