//! Events that this process has just committed, so that they need not be read back.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::availability::BikeEvent;

use crate::split::SplitChunk;

/// Events kept in all (chosen: two steps of three partitions, about 16 MB).
const EVENTS_MAX: usize = 1 << 18;

/// The newest events of each partition, from the streams that commit them to the availability task.
///
/// What is not here is in `records`: whoever finds a gap reads there. So events may be left out at any
/// time, but none is here that is not committed.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Option<Kept>>);

/// By partition, ordered and without overlaps.
#[derive(Debug, Default)]
struct Kept {
    partitions: BTreeMap<u32, VecDeque<Committed>>,
    events: usize,
}

/// What one transaction wrote of one partition, inferred events left out.
#[derive(Debug)]
pub struct Committed {
    /// As offsets stand in ids.
    pub offsets: Range<i64>,
    /// Ordered by id.
    pub events: Vec<BikeEvent>,
}

impl Committed {
    /// The events of chunks, whose stations have these numbers in `location`.
    ///
    /// All or none: a time that no calendar has is an error when the row is read back.
    pub fn of(
        chunks: &[SplitChunk],
        offsets: Range<i64>,
        location: impl Fn(u32) -> i32 + Copy,
    ) -> Option<Self> {
        let events = chunks.iter().flat_map(|chunk| {
            let of_trips = chunk.events.iter().filter(|event| !event.inferred);
            of_trips.map(move |event| {
                Some(BikeEvent {
                    at: event.at.to_utc()?,
                    id: event.id.0,
                    bike_id: chunk.bike_id(event).map(Box::from),
                    location_id: location(event.station),
                    docked: event.docked,
                })
            })
        });
        let events = events.collect::<Option<_>>()?;
        Some(Self { offsets, events })
    }
}

impl Recent {
    /// Begins to keep events, none of them from before.
    pub fn open(&self) {
        *self.lock() = Some(Kept::default());
    }

    /// Keeps no events any longer.
    pub fn close(&self) {
        *self.lock() = None;
    }

    /// Whether somebody takes the events.
    pub fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Keeps what was committed, if there is room.
    pub fn offer(&self, partition: u32, committed: Committed) {
        if let Some(kept) = &mut *self.lock() {
            kept.offer(partition, committed);
        }
    }

    /// Takes a partition's events with these offsets, and forgets those before; none if some were not
    /// kept.
    pub fn take(&self, partition: u32, offsets: Range<i64>) -> Option<Vec<BikeEvent>> {
        self.lock().as_mut()?.take(partition, offsets)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn offer(&mut self, partition: u32, committed: Committed) {
        let events = committed.events.len();
        if self.events + events > EVENTS_MAX {
            return;
        }
        let queue = self.partitions.entry(partition).or_default();
        // A stream that was opened again may have lost the answer to a commit, never gone back.
        if queue
            .back()
            .is_none_or(|last| last.offsets.end <= committed.offsets.start)
        {
            queue.push_back(committed);
            self.events += events;
        }
    }

    fn take(&mut self, partition: u32, offsets: Range<i64>) -> Option<Vec<BikeEvent>> {
        let queue = self.partitions.get_mut(&partition)?;
        let mut taken = Vec::new();
        let mut next = offsets.start;
        while let Some(first) = queue
            .front_mut()
            .filter(|first| first.offsets.start < offsets.end)
        {
            let is_gap = first.offsets.start > next;
            let end = first.offsets.end.min(offsets.end);
            let count = first
                .events
                .partition_point(|event| event.record_id().offset() < end);
            let rest = first.events.split_off(count);
            let events = std::mem::replace(&mut first.events, rest);
            self.events -= events.len();
            if !is_gap && next < end {
                let wanted = |event: &BikeEvent| event.record_id().offset() >= next;
                taken.extend(events.into_iter().filter(wanted));
                next = end;
            }
            first.offsets.start = end;
            if first.offsets.is_empty() {
                queue.pop_front();
            }
        }
        (next == offsets.end).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::{Ordinal, RecordId};
    use proptest::prelude::*;

    use super::*;

    fn committed(offsets: Range<i64>) -> Committed {
        let events = offsets.clone().map(|offset| BikeEvent {
            at: DateTime::UNIX_EPOCH,
            id: RecordId::pack(offset, 0, Ordinal::Departure).0,
            bike_id: None,
            location_id: 1,
            docked: false,
        });
        Committed {
            events: events.collect(),
            offsets,
        }
    }

    /// Offsets of what is taken, or `-`.
    fn take(recent: &Recent, offsets: Range<i64>) -> String {
        match recent.take(0, offsets) {
            None => "-".to_owned(),
            Some(events) => {
                let offsets = events.iter().map(|event| event.record_id().offset());
                format!("{:?}", offsets.collect::<Vec<_>>())
            }
        }
    }

    fn open() -> Recent {
        let recent = Recent::default();
        recent.open();
        recent
    }

    #[test]
    fn what_was_committed_is_taken_once_in_any_portions() {
        let recent = open();
        recent.offer(0, committed(0..3));
        recent.offer(0, committed(3..6));
        assert_eq!(take(&recent, 0..2), "[0, 1]");
        assert_eq!(take(&recent, 2..5), "[2, 3, 4]");
        assert_eq!(take(&recent, 2..5), "-");
        assert_eq!(take(&recent, 5..6), "[5]");
        assert_eq!(take(&recent, 6..7), "-");
    }

    #[test]
    fn a_range_with_a_gap_is_not_given_at_all() {
        let recent = open();
        recent.offer(0, committed(0..2));
        recent.offer(0, committed(3..5));
        recent.offer(0, committed(5..7));
        assert_eq!(take(&recent, 0..4), "-");
        assert_eq!(take(&recent, 4..7), "[4, 5, 6]");
    }

    #[test]
    fn nothing_is_kept_for_nobody_and_nothing_from_before() {
        let recent = Recent::default();
        recent.offer(0, committed(0..2));
        recent.open();
        assert_eq!(take(&recent, 0..2), "-");
        recent.offer(0, committed(2..4));
        recent.close();
        recent.open();
        assert_eq!(take(&recent, 2..4), "-");
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let recent = open();
        let max = i64::try_from(EVENTS_MAX).unwrap();
        recent.offer(0, committed(0..max));
        recent.offer(1, committed(0..1));
        assert_eq!(recent.take(1, 0..1), None);
        assert_eq!(
            recent.take(0, 0..max).map(|events| events.len()),
            Some(EVENTS_MAX)
        );
        recent.offer(1, committed(1..2));
        assert_eq!(recent.take(1, 1..2).map(|events| events.len()), Some(1));
    }

    proptest! {
        /// Whatever was committed, left out, and taken in which portions: what is given is what was
        /// asked for, each event once, and the count of what is kept is right.
        #[test]
        fn what_is_given_is_whole(
            commits in prop::collection::vec((1..6_i64, any::<bool>()), 0..20),
            takes in prop::collection::vec(1..9_i64, 0..20),
        ) {
            let recent = open();
            let mut end = 0;
            for (length, is_offered) in commits {
                if is_offered {
                    recent.offer(0, committed(end..end + length));
                }
                end += length;
            }
            let mut start = 0;
            for length in takes {
                let offsets = start..(start + length).min(end);
                if offsets.is_empty() {
                    break;
                }
                if let Some(events) = recent.take(0, offsets.clone()) {
                    let found = events.iter().map(|event| event.record_id().offset());
                    prop_assert!(found.eq(offsets.clone()));
                }
                start = offsets.end;
            }
            let kept = recent.lock();
            let kept = kept.as_ref().unwrap();
            let counted = kept.partitions.values().flatten().map(|block| block.events.len());
            prop_assert_eq!(kept.events, counted.sum::<usize>());
        }
    }
}
