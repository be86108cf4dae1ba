//! All docks in memory, kept up with what is committed: which rows to take next, and when. No I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::availability::{BikeEvent, DockStatus};
use domain::{Availability, Ordinal, RecordId};

use super::committed::CommittedOffsets;
use crate::recent::Recent;

/// Offsets read in one step: two events each, in every partition that takes part.
pub(super) const STEP_OFFSETS: i64 = 16_384;

/// The docks, and which rows they are made of.
#[derive(Debug)]
pub struct Docks {
    availability: Availability,
    /// By partition: every row before `next_offset` is in.
    partitions: BTreeMap<u32, AppliedPartition>,
    /// Events ahead of the clock wait in memory: at most this much of event time.
    ahead_max: TimeDelta,
    events: u64,
    /// From when on the past that is stored is not right: the availability records none meanwhile.
    past_stale_from: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct AppliedPartition {
    next_offset: i64,
    /// Newest departure or status applied.
    watermark: Option<DateTime<Utc>>,
}

/// By partition the offsets that are committed and not applied: the first, and the one after the last.
type Ranges = BTreeMap<u32, (i64, i64)>;

/// The rows to be applied next.
#[derive(Debug)]
pub struct Step {
    start: i64,
    end: i64,
    active: Ranges,
    /// Ranges whose events are still to be read.
    missing: Ranges,
    events: Vec<BikeEvent>,
    statuses: Vec<DockStatus>,
}

impl Docks {
    /// Goes on from a checkpoint.
    #[must_use]
    pub fn resume(
        availability: Availability,
        next_offsets: BTreeMap<u32, i64>,
        past_stale_from: Option<DateTime<Utc>>,
        ahead_max: Duration,
    ) -> Self {
        let watermark = availability.clock();
        let applied = |next_offset| AppliedPartition {
            next_offset,
            watermark,
        };
        let partitions = next_offsets.into_iter();
        Self {
            availability,
            partitions: partitions
                .map(|(partition, next_offset)| (partition, applied(next_offset)))
                .collect(),
            ahead_max: TimeDelta::from_std(ahead_max).unwrap_or(TimeDelta::MAX),
            events: 0,
            past_stale_from,
        }
    }

    /// By partition: every row before it is in.
    #[must_use]
    pub fn next_offsets(&self) -> BTreeMap<u32, i64> {
        let partitions = self.partitions.iter();
        partitions
            .map(|(partition, applied)| (*partition, applied.next_offset))
            .collect()
    }

    /// The instant that the counts hold for.
    #[must_use]
    pub fn clock(&self) -> Option<DateTime<Utc>> {
        self.availability.clock()
    }

    /// The counts.
    #[must_use]
    pub fn availability(&self) -> &Availability {
        &self.availability
    }

    /// The counts, to be told what was published or saved of them.
    pub fn availability_mut(&mut self) -> &mut Availability {
        &mut self.availability
    }

    /// Rows applied since the start.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// From when on the past has to be made anew, if it has.
    #[must_use]
    pub fn past_stale_from(&self) -> Option<DateTime<Utc>> {
        self.past_stale_from
    }

    /// The past has been made anew.
    pub fn past_is_right(&mut self) {
        self.past_stale_from = None;
    }

    /// The rows to be applied next; none if all are.
    ///
    /// The partition with the least watermark is read first, and with it those that are little
    /// ahead: like a merge by time, so that few events wait in memory for the clock.
    #[must_use]
    pub fn next_step(&self, committed: &CommittedOffsets) -> Option<Step> {
        let active = self.active(committed);
        let start = active.values().map(|range| range.0).min()?;
        let end = start + STEP_OFFSETS;
        let active: Ranges = active
            .into_iter()
            .filter(|(_, range)| range.0 < end)
            .collect();
        Some(Step {
            start,
            end,
            missing: active.clone(),
            active,
            events: Vec::new(),
            statuses: Vec::new(),
        })
    }

    /// Applies the rows of a step, all of which were read, and moves the clock.
    pub fn apply(&mut self, step: Step, committed: &CommittedOffsets) {
        let Step {
            end,
            active,
            events,
            statuses,
            ..
        } = step;
        for (partition, range) in &active {
            self.partitions.entry(*partition).or_default().next_offset = range.1.min(end);
        }
        self.events += (events.len() + statuses.len()) as u64;
        for event in events {
            let id = event.record_id();
            if id.ordinal() == Ordinal::Departure {
                self.raise_watermark(id, event.at);
            }
            self.availability.apply(event);
        }
        for status in statuses {
            self.raise_watermark(RecordId(status.id), status.at);
            self.availability.apply_status(status);
        }
        if let Some(late) = self.availability.take_late() {
            let stale_from = self.past_stale_from.map_or(late, |from| from.min(late));
            self.past_stale_from = Some(stale_from);
        }
        self.advance(committed);
    }

    /// Moves the clock to the least watermark of the partitions.
    pub fn advance(&mut self, committed: &CommittedOffsets) {
        if let Some(clock) = self.least_watermark(committed) {
            self.availability.advance(clock);
        }
    }

    /// The partitions to read now, each with the offset range that is committed and not read yet.
    fn active(&self, committed: &CommittedOffsets) -> Ranges {
        let limit = self.least_watermark(committed).map(|least| {
            least
                .checked_add_signed(self.ahead_max)
                .unwrap_or(DateTime::<Utc>::MAX_UTC)
        });
        let unread = committed
            .partitions
            .iter()
            .filter_map(|(partition, stored)| {
                let applied = self.applied(*partition);
                let unread = applied.next_offset < stored.next_offset;
                // A partition with no watermark yet is the least, so it has no limit.
                let ahead = applied.watermark.is_some() && applied.watermark > limit;
                (unread && !ahead)
                    .then_some((*partition, (applied.next_offset, stored.next_offset)))
            });
        unread.collect()
    }

    fn applied(&self, partition: u32) -> AppliedPartition {
        self.partitions.get(&partition).copied().unwrap_or_default()
    }

    /// The least of the partitions' watermarks, of what has been applied; none if one has none.
    fn least_watermark(&self, committed: &CommittedOffsets) -> Option<DateTime<Utc>> {
        let watermarks = committed.partitions.iter().map(|(partition, stored)| {
            let applied = self.applied(*partition);
            let all = applied.next_offset >= stored.next_offset;
            if all {
                stored.watermark
            } else {
                applied.watermark
            }
        });
        watermarks.min().flatten()
    }

    fn raise_watermark(&mut self, id: RecordId, at: DateTime<Utc>) {
        let applied = self.partitions.entry(id.partition()).or_default();
        applied.watermark = applied.watermark.max(Some(at));
    }
}

impl Step {
    /// The range of offsets that the step is about.
    #[must_use]
    pub fn offsets(&self) -> (i64, i64) {
        (self.start, self.end)
    }

    /// The same as ids of rows.
    #[must_use]
    pub fn ids(&self) -> (i64, i64) {
        (first_id(self.start), first_id(self.end))
    }

    /// Takes the events that are kept in memory.
    pub fn take_recent(&mut self, recent: &Recent) {
        let (end, events) = (self.end, &mut self.events);
        self.missing.retain(|partition, range| {
            let kept = recent.take(*partition, range.0..range.1.min(end));
            let is_missing = kept.is_none();
            events.extend(kept.unwrap_or_default());
            is_missing
        });
    }

    /// Whether events have to be read.
    #[must_use]
    pub fn misses_events(&self) -> bool {
        !self.missing.is_empty()
    }

    /// The partitions whose events have to be read.
    pub fn missing(&self) -> impl Iterator<Item = u32> {
        self.missing.keys().copied()
    }

    /// Adds those of the events that were missing; others may be among them.
    pub fn add_events(&mut self, events: impl IntoIterator<Item = BikeEvent>) {
        let events = events.into_iter();
        let missing = events.filter(|event| is_in(&self.missing, event.record_id()));
        self.events.extend(missing);
    }

    /// Adds those of the statuses that the step is about.
    pub fn add_statuses(&mut self, statuses: impl IntoIterator<Item = DockStatus>) {
        let statuses = statuses.into_iter();
        let wanted = statuses.filter(|status| is_in(&self.active, RecordId(status.id)));
        self.statuses.extend(wanted);
    }

    /// Location, time and id of each row.
    pub(super) fn newest(&self) -> impl Iterator<Item = (i32, (DateTime<Utc>, i64))> {
        let events = self.events.iter();
        let events = events.map(|event| (event.location_id, (event.at, event.id)));
        let statuses = self.statuses.iter();
        events.chain(statuses.map(|status| (status.location_id, (status.at, status.id))))
    }
}

/// Whether a row is one of these offsets.
pub(super) fn is_in(ranges: &Ranges, id: RecordId) -> bool {
    let range = ranges.get(&id.partition());
    range.is_some_and(|(start, end)| (*start..*end).contains(&id.offset()))
}

/// The least id of any row with this offset.
pub(super) fn first_id(offset: i64) -> i64 {
    RecordId::pack(offset, 0, Ordinal::Departure).0
}
