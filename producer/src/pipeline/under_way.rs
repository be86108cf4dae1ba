//! Units whose rows are being sent: what is kept of one is let go when the topic has all of it.

use std::ops::Range;

use trip_files::{Kept, Merged, Spill};

use crate::error::ProducerError;
use crate::send::Confirmed;

/// The units of all months that were taken and are not confirmed to their end.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Vec<Unit>);

#[derive(Debug)]
struct Unit {
    kept: Kept,
    /// Numbers of its feeds.
    feeds: Range<usize>,
    /// How many rows each partition must have confirmed; known when all rows were taken.
    until: Option<Vec<u64>>,
}

impl UnderWay {
    /// Adds units, whose feeds begin with this number.
    pub(super) fn add(&mut self, kept: Vec<(Kept, usize)>, mut feed: usize) {
        for (kept, feeds) in kept {
            self.0.push(Unit {
                kept,
                feeds: feed..feed + feeds,
                until: None,
            });
            feed += feeds;
        }
    }

    /// Lets go of what the topic has confirmed; `queued` counts the rows put into each queue.
    ///
    /// # Errors
    /// If what is kept cannot be changed.
    pub(super) fn look(
        &mut self,
        rows: &Merged,
        queued: &[u64],
        confirmed: &Confirmed,
        spill: &Spill,
    ) -> Result<(), ProducerError> {
        for unit in &mut self.0 {
            let feeds = &rows.feeds[unit.feeds.clone()];
            if unit.until.is_none() && feeds.iter().all(|feed| feed.is_used_up()) {
                unit.until = Some(queued.to_vec());
            }
        }
        let has_all = |unit: &mut Unit| {
            let until = unit.until.as_ref()?;
            let mut counts = until.iter().enumerate();
            counts
                .all(|(partition, count)| confirmed.of(partition) >= *count)
                .then_some(())
        };
        for unit in self.0.extract_if(.., |unit| has_all(unit).is_some()) {
            unit.kept.finish().map_err(|source| spill.error(source))?;
        }
        Ok(())
    }
}
