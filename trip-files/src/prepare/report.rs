//! The list of what was rejected.

use std::fs::File;
use std::io;

use domain::Reject;
use tempfile::NamedTempFile;

use crate::error::TripFilesError;
use crate::spill::Spill;

/// A CSV file: `file,line,reason,row`, in the order in which rows are read.
#[derive(Debug)]
pub(super) struct Report {
    writer: csv::Writer<File>,
    file: NamedTempFile,
}

impl Report {
    /// Begins it, with its header.
    ///
    /// # Errors
    /// If there is no room for it on this machine.
    pub(super) fn new(spill: &Spill) -> Result<Self, TripFilesError> {
        let begin = || {
            let file = NamedTempFile::new_in(spill.folder())?;
            let mut writer = csv::Writer::from_writer(file.reopen()?);
            writer.write_record(["file", "line", "reason", "row"])?;
            Ok(Self { writer, file })
        };
        begin().map_err(|source| spill.error(source))
    }

    /// Adds a row that is no trip.
    ///
    /// # Errors
    /// If it cannot be written onto this machine's disk.
    pub(super) fn push(&mut self, reject: &Reject, spill: &Spill) -> Result<(), TripFilesError> {
        let line = reject.line.to_string();
        let row = [&reject.file, &line, &reject.reason, &reject.row];
        let pushed = self.writer.write_record(row).map_err(io::Error::from);
        pushed.map_err(|source| spill.error(source))
    }

    /// The whole list.
    pub(super) fn finish(mut self) -> io::Result<NamedTempFile> {
        self.writer.flush()?;
        Ok(self.file)
    }
}
