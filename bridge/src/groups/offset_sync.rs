//! Translates an offset of the source into one of the mirror, as Kafka's `MirrorMaker` does by its
//! offset syncs.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Records that stand one by one in the source and, in the same order, in the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffsetSync {
    /// The first one's offset in the source.
    pub(crate) source: i64,
    /// The first one's offset in the mirror.
    pub(crate) target: i64,
    pub(crate) records: i64,
}

/// A sync, and the offsets it takes in the log that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) sync: OffsetSync,
    pub(crate) at: Range<i64>,
}

/// How far back from the end the newest sync is looked for first: a transaction's marker stands
/// behind it.
const FIRST_STEP: i64 = 2;

impl OffsetSync {
    /// Where a consumer goes on in the mirror whose next record in the source is at `source`, which is
    /// not before this sync.
    ///
    /// What comes behind the sync may be its next record, so a consumer is never put beyond its
    /// end: it would miss records.
    pub(crate) fn translate(self, source: i64) -> i64 {
        self.target + (source - self.source).min(self.records)
    }

    /// Whether the translation stays the same whatever is copied later.
    pub(crate) fn covers(self, source: i64) -> bool {
        (self.source..self.source + self.records).contains(&source)
    }

    /// Adds the offsets of one record; sources must rise. A repeated one is the same record's second
    /// part: its first part counts.
    pub(crate) fn add(syncs: &mut Vec<Self>, source: i64, target: i64) {
        if let Some(last) = syncs.last_mut() {
            let next = (last.source + last.records, last.target + last.records);
            if (source, target) == next {
                last.records += 1;
                return;
            }
            if source < next.0 {
                return;
            }
        }
        syncs.push(Self {
            source,
            target,
            records: 1,
        });
    }
}

/// Looks for the last sync of a log that does not begin after an offset of the source.
///
/// It takes some 2 log₂ reads of the distance from the log's end, because most consumers are near
/// it.
///
/// ```text
/// while let Some(offset) = search.next_offset() {
///     search.observe(offset, /* the sync around this offset, or the first after it */);
/// }
/// ```
#[derive(Debug)]
pub(crate) struct Search {
    source: i64,
    /// What is not known yet.
    low: i64,
    high: i64,
    /// How far back from `high` to look next, until there is a sync.
    step: i64,
    last: Option<OffsetSync>,
}

impl Search {
    /// `log` is the range of offsets where syncs may be.
    pub(crate) fn new(log: Range<i64>, source: i64) -> Self {
        Self {
            source,
            low: log.start,
            high: log.end,
            step: FIRST_STEP,
            last: None,
        }
    }

    /// Where to read next; none when the search is over.
    pub(crate) fn next_offset(&mut self) -> Option<i64> {
        let is_over = self.last.is_some_and(|last| last.covers(self.source));
        if is_over || self.low >= self.high {
            return None;
        }
        if self.last.is_some() {
            return Some(self.low + (self.high - self.low) / 2);
        }
        let offset = self.low.max(self.high.saturating_sub(self.step));
        self.step = self.step.saturating_mul(2);
        Some(offset)
    }

    /// Takes what was read at `offset`: none if no sync stands there or after it.
    pub(crate) fn observe(&mut self, offset: i64, found: Option<Found>) {
        match found {
            Some(found) if found.sync.source <= self.source => {
                self.last = Some(found.sync);
                self.low = found.at.end;
            }
            Some(found) => self.high = offset.min(found.at.start),
            None => self.high = offset,
        }
    }

    /// What was found; none if all syncs begin after the offset.
    pub(crate) fn found(self) -> Option<OffsetSync> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A mirror that was filled batch by batch, with gaps in the source and in the mirror.
    fn mirror() -> impl Strategy<Value = Vec<OffsetSync>> {
        let batch = (0_i64..4, 0_i64..4, 0_i64..9);
        prop::collection::vec(batch, 0..60).prop_map(|batches| {
            let (mut source, mut target) = (0, 0);
            let syncs = batches.into_iter().map(|(passed_over, marker, records)| {
                (source, target) = (source + passed_over, target + marker);
                let sync = OffsetSync {
                    source,
                    target,
                    records,
                };
                (source, target) = (source + records, target + records);
                sync
            });
            syncs.collect()
        })
    }

    fn find(
        log: Range<i64>,
        source: i64,
        read: impl Fn(i64) -> Option<Found>,
    ) -> (Option<OffsetSync>, u32) {
        let mut search = Search::new(log, source);
        let mut reads = 0;
        while let Some(offset) = search.next_offset() {
            search.observe(offset, read(offset));
            reads += 1;
        }
        (search.found(), reads)
    }

    /// What stands before the translated offset is read already, everything else is not.
    fn check(mirror: &[OffsetSync], source: i64, translated: i64) -> Result<(), TestCaseError> {
        for sync in mirror {
            for number in 0..sync.records {
                let is_read = sync.target + number < translated;
                prop_assert_eq!(is_read, sync.source + number < source);
            }
        }
        Ok(())
    }

    proptest! {
        /// As in Fluvio, where the mirror itself is searched and offsets have no gaps.
        #[test]
        fn an_offset_translated_by_batches_is_right(mirror in mirror(), source in 0_i64..600) {
            let mut end = 0;
            let mut batches = Vec::new();
            for sync in mirror.into_iter().filter(|sync| sync.records > 0) {
                let sync = OffsetSync { target: end, ..sync };
                end += sync.records;
                batches.push(sync);
            }
            let (found, _) = find(0..end, source, |offset| {
                let at = |batch: &OffsetSync| batch.target..batch.target + batch.records;
                let batch = batches.iter().find(|batch| at(batch).contains(&offset)).unwrap();
                Some(Found { sync: *batch, at: at(batch) })
            });
            check(&batches, source, found.map_or(0, |sync| sync.translate(source)))?;
        }

        /// As in Kafka, where a topic beside the mirror is searched and markers stand between.
        #[test]
        fn an_offset_translated_by_the_topics_syncs_is_right(
            mirror in mirror(),
            source in 0_i64..600,
            spacing in 1_i64..4,
        ) {
            let end = mirror.len() as i64 * spacing;
            let (found, reads) = find(0..end, source, |offset| {
                let number = offset.div_euclid(spacing) + i64::from(offset % spacing != 0);
                let sync = mirror.get(usize::try_from(number).unwrap())?;
                let offset = number * spacing;
                Some(Found { sync: *sync, at: offset..offset + 1 })
            });
            let first = mirror.first().map_or(i64::MAX, |sync| sync.source);
            prop_assert_eq!(found.is_some(), first <= source);
            if let Some(sync) = found {
                check(&mirror, source, sync.translate(source))?;
            }
            prop_assert!(reads <= 20, "{reads} reads for {end} offsets");
        }

        /// Where syncs are missing, records are read again, and none is missed.
        #[test]
        fn without_all_syncs_an_offset_is_never_translated_too_far(
            mirror in mirror(),
            source in 0_i64..600,
            kept in any::<u64>(),
        ) {
            let known: Vec<_> = (0..64)
                .zip(&mirror)
                .filter_map(|(number, sync)| (kept >> number & 1 == 1).then_some(*sync))
                .collect();
            let (found, _) = find(0..known.len() as i64, source, |offset| {
                let sync = known[usize::try_from(offset).unwrap()];
                Some(Found { sync, at: offset..offset + 1 })
            });
            let translated = found.map_or(0, |sync| sync.translate(source));
            for sync in mirror {
                for number in 0..sync.records {
                    let is_read = sync.target + number < translated;
                    prop_assert!(!is_read || sync.source + number < source);
                }
            }
        }
    }

    #[test]
    fn records_that_follow_each_other_are_one_sync() {
        let mut syncs = Vec::new();
        // Another writer's record between, one that was passed over, one that became two.
        for (source, target) in [(4, 9), (5, 10), (6, 12), (8, 13), (8, 14), (9, 15)] {
            OffsetSync::add(&mut syncs, source, target);
        }
        let parts = syncs.iter().map(|s| (s.source, s.target, s.records));
        assert_eq!(
            parts.collect::<Vec<_>>(),
            [(4, 9, 2), (6, 12, 1), (8, 13, 1), (9, 15, 1)]
        );
    }
}
