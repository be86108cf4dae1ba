//! Units whose rows are being sent: once the topic has all rows of one, its runs are removed.

use std::ops::Range;

use trip_files::{Kept, Merged, RowStream, Spill};

use crate::error::ProducerError;
use crate::send::Confirmed;

/// The units of all months that were taken and are not confirmed to their end.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Vec<Unit>);

#[derive(Debug)]
struct Unit {
    kept: Kept,
    /// Numbers of its streams.
    streams: Range<usize>,
    /// How many rows each partition must have confirmed; known when all rows were taken.
    until: Option<Vec<u64>>,
}

impl UnderWay {
    /// Adds units, whose streams begin with this number.
    pub(super) fn add(&mut self, kept: Vec<(Kept, usize)>, mut stream: usize) {
        for (kept, streams) in kept {
            self.0.push(Unit {
                kept,
                streams: stream..stream + streams,
                until: None,
            });
            stream += streams;
        }
    }

    /// Finishes the units all of whose rows the topic has confirmed; `queued` counts the rows put
    /// into each queue.
    ///
    /// # Errors
    /// If what is kept cannot be changed.
    pub(super) fn finish_confirmed(
        &mut self,
        rows: &Merged,
        queued: impl Iterator<Item = u64> + Clone,
        confirmed: &Confirmed,
        spill: &Spill,
    ) -> Result<(), ProducerError> {
        for unit in &mut self.0 {
            let streams = &rows.streams[unit.streams.clone()];
            if unit.until.is_none() && streams.iter().all(RowStream::is_used_up) {
                unit.until = Some(queued.clone().collect());
            }
        }
        let is_confirmed = |unit: &mut Unit| {
            let until = unit.until.iter().flatten().enumerate();
            let mut counts = until.map(|(partition, count)| confirmed.of(partition) >= *count);
            unit.until.is_some() && counts.all(|is_confirmed| is_confirmed)
        };
        for unit in self.0.extract_if(.., is_confirmed) {
            unit.kept.finish().map_err(|source| spill.error(source))?;
        }
        Ok(())
    }
}
