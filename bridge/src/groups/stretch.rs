//! Which offset of the mirror an offset of the source is.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Records that stand one by one in the source and, in the same order, in the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stretch {
    /// The first one's offset in the source.
    pub(crate) source: i64,
    /// The first one's offset in the mirror.
    pub(crate) target: i64,
    pub(crate) records: i64,
}

/// A stretch, and the offsets that it takes in the log it was found in.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) stretch: Stretch,
    pub(crate) at: Range<i64>,
}

/// How far back from the end the newest stretch is looked for first: a transaction's marker stands
/// behind it.
const FIRST_STEP: i64 = 2;

impl Stretch {
    /// Where a consumer goes on in the mirror that goes on at `source`, not before this stretch.
    ///
    /// What comes behind the stretch may be its next record, so a consumer is never put beyond its
    /// end: it would miss records.
    pub(crate) fn place(self, source: i64) -> i64 {
        self.target + (source - self.source).min(self.records)
    }

    /// Whether the place stays the same whatever is copied later.
    pub(crate) fn holds(self, source: i64) -> bool {
        (self.source..self.source + self.records).contains(&source)
    }

    /// Adds the place of one record; sources must rise. A repeated one is the same record's second
    /// part: its first part is the place.
    pub(crate) fn add(stretches: &mut Vec<Self>, source: i64, target: i64) {
        if let Some(last) = stretches.last_mut() {
            let next = (last.source + last.records, last.target + last.records);
            if (source, target) == next {
                last.records += 1;
                return;
            }
            if source < next.0 {
                return;
            }
        }
        stretches.push(Self {
            source,
            target,
            records: 1,
        });
    }
}

/// Looks for the last stretch of a log that does not begin after an offset of the source.
///
/// It takes some 2 log₂ reads of the distance from the log's end, because most consumers are near
/// it.
///
/// ```text
/// while let Some(offset) = search.next_offset() {
///     search.tell(offset, /* the stretch around this offset, or the first after it */);
/// }
/// ```
#[derive(Debug)]
pub(crate) struct Search {
    source: i64,
    /// What is not known yet.
    low: i64,
    high: i64,
    /// How far back from `high` to look next, until there is a stretch.
    step: i64,
    last: Option<Stretch>,
}

impl Search {
    /// `log` is the range of offsets where stretches may be.
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
        let is_over = self.last.is_some_and(|last| last.holds(self.source));
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

    /// Takes what was read at `offset`: none if no stretch stands there or after it.
    pub(crate) fn tell(&mut self, offset: i64, found: Option<Found>) {
        match found {
            Some(found) if found.stretch.source <= self.source => {
                self.last = Some(found.stretch);
                self.low = found.at.end;
            }
            Some(found) => self.high = offset.min(found.at.start),
            None => self.high = offset,
        }
    }

    /// What was found; none if all stretches begin after the offset.
    pub(crate) fn found(self) -> Option<Stretch> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A mirror that was filled batch by batch, with gaps in the source and in the mirror.
    fn mirror() -> impl Strategy<Value = Vec<Stretch>> {
        let batch = (0_i64..4, 0_i64..4, 0_i64..9);
        prop::collection::vec(batch, 0..60).prop_map(|batches| {
            let (mut source, mut target) = (0, 0);
            let stretches = batches.into_iter().map(|(passed_over, marker, records)| {
                (source, target) = (source + passed_over, target + marker);
                let stretch = Stretch {
                    source,
                    target,
                    records,
                };
                (source, target) = (source + records, target + records);
                stretch
            });
            stretches.collect()
        })
    }

    fn find(
        log: Range<i64>,
        source: i64,
        read: impl Fn(i64) -> Option<Found>,
    ) -> (Option<Stretch>, u32) {
        let mut search = Search::new(log, source);
        let mut reads = 0;
        while let Some(offset) = search.next_offset() {
            search.tell(offset, read(offset));
            reads += 1;
        }
        (search.found(), reads)
    }

    /// Nothing before the place is to be read, and everything after it.
    fn check(mirror: &[Stretch], source: i64, place: i64) -> Result<(), TestCaseError> {
        for stretch in mirror {
            for number in 0..stretch.records {
                let is_read = stretch.target + number < place;
                prop_assert_eq!(is_read, stretch.source + number < source);
            }
        }
        Ok(())
    }

    proptest! {
        /// As in Fluvio, where the mirror itself is searched and offsets have no gaps.
        #[test]
        fn a_place_found_by_batches_is_right(mirror in mirror(), source in 0_i64..600) {
            let mut end = 0;
            let mut batches = Vec::new();
            for stretch in mirror.into_iter().filter(|stretch| stretch.records > 0) {
                let stretch = Stretch { target: end, ..stretch };
                end += stretch.records;
                batches.push(stretch);
            }
            let (found, _) = find(0..end, source, |offset| {
                let at = |batch: &Stretch| batch.target..batch.target + batch.records;
                let batch = batches.iter().find(|batch| at(batch).contains(&offset)).unwrap();
                Some(Found { stretch: *batch, at: at(batch) })
            });
            check(&batches, source, found.map_or(0, |stretch| stretch.place(source)))?;
        }

        /// As in Kafka, where a topic beside the mirror is searched and markers stand between.
        #[test]
        fn a_place_found_by_written_stretches_is_right(
            mirror in mirror(),
            source in 0_i64..600,
            spacing in 1_i64..4,
        ) {
            let end = mirror.len() as i64 * spacing;
            let (found, reads) = find(0..end, source, |offset| {
                let number = offset.div_euclid(spacing) + i64::from(offset % spacing != 0);
                let stretch = mirror.get(usize::try_from(number).unwrap())?;
                let offset = number * spacing;
                Some(Found { stretch: *stretch, at: offset..offset + 1 })
            });
            let first = mirror.first().map_or(i64::MAX, |stretch| stretch.source);
            prop_assert_eq!(found.is_some(), first <= source);
            if let Some(stretch) = found {
                check(&mirror, source, stretch.place(source))?;
            }
            prop_assert!(reads <= 20, "{reads} reads for {end} offsets");
        }

        /// Where stretches are missing, records are read again, and none is missed.
        #[test]
        fn without_all_stretches_a_place_is_never_too_far(
            mirror in mirror(),
            source in 0_i64..600,
            kept in any::<u64>(),
        ) {
            let known: Vec<_> = (0..64)
                .zip(&mirror)
                .filter_map(|(number, stretch)| (kept >> number & 1 == 1).then_some(*stretch))
                .collect();
            let (found, _) = find(0..known.len() as i64, source, |offset| {
                let stretch = known[usize::try_from(offset).unwrap()];
                Some(Found { stretch, at: offset..offset + 1 })
            });
            let place = found.map_or(0, |stretch| stretch.place(source));
            for stretch in mirror {
                for number in 0..stretch.records {
                    let is_read = stretch.target + number < place;
                    prop_assert!(!is_read || stretch.source + number < source);
                }
            }
        }
    }

    #[test]
    fn places_that_follow_each_other_are_one_stretch() {
        let mut stretches = Vec::new();
        // Another writer's record between, one that was passed over, one that became two.
        for (source, target) in [(4, 9), (5, 10), (6, 12), (8, 13), (8, 14), (9, 15)] {
            Stretch::add(&mut stretches, source, target);
        }
        let parts = stretches.iter().map(|s| (s.source, s.target, s.records));
        assert_eq!(
            parts.collect::<Vec<_>>(),
            [(4, 9, 2), (6, 12, 1), (8, 13, 1), (9, 15, 1)]
        );
    }
}
