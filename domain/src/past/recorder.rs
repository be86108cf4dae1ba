//! Writes periods while the availability settles events in order of time.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::FORMAT;
use super::bytes::{write, write_signed};
use super::count::{kept, write_count};
use super::period::{MalformedPeriod, PackedPeriod};
use crate::availability::DockCount;

/// Bytes at which a period ends (chosen: some 8,000 changes, in New York about an hour).
pub const BYTES_MAX: usize = 24 << 10;

/// A period is as large as so many keyframes before it ends, so that they stay a small part.
const KEYFRAMES_MIN: usize = 8;

/// A period that has changes lasts no longer than this, so that a small city's past can be kept and
/// corrected in parts.
const SECONDS_MAX: i64 = 24 * 60 * 60;

/// Takes what docks show, in order of time, and gives periods.
#[derive(Debug, Clone)]
pub struct Recorder {
    bytes_max: usize,
    /// What each dock shows, and its place in the open period.
    docks: HashMap<i32, (usize, DockCount)>,
    open: Option<Open>,
    closed: Vec<PackedPeriod>,
    events: u64,
}

/// The period that goes on.
#[derive(Debug, Clone)]
struct Open {
    start: i64,
    /// Of the last change.
    second: i64,
    /// Bytes of the keyframe.
    keyframe: usize,
    bytes: Vec<u8>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

impl Recorder {
    /// Begins with no docks; a period ends at about `bytes_max` bytes, or when it is as large as eight
    /// keyframes if that is more.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            docks: HashMap::new(),
            open: None,
            closed: Vec::new(),
            events: 0,
        }
    }

    /// Begins with what docks show at `clock`, after `events` events.
    #[must_use]
    pub fn beginning_at(
        clock: DateTime<Utc>,
        docks: impl IntoIterator<Item = (i32, DockCount)>,
        events: u64,
    ) -> Self {
        let docks = docks.into_iter().map(|(id, count)| (id, (0, kept(count))));
        let mut recorder = Self {
            docks: docks.collect(),
            events,
            ..Self::default()
        };
        recorder.open(second_of(clock));
        recorder
    }

    /// Goes on with the last period that was stored.
    ///
    /// # Errors
    /// [`MalformedPeriod`] if it cannot be read.
    pub fn resume(last: PackedPeriod) -> Result<Self, MalformedPeriod> {
        let period = last.decode()?;
        let docks = (0..).zip(period.last_counts());
        Ok(Self {
            docks: docks
                .map(|(place, (id, count))| (id, (place, count)))
                .collect(),
            open: Some(Open {
                start: last.start,
                second: period.last_second(),
                keyframe: period.keyframe_bytes(),
                bytes: last.bytes,
            }),
            events: last.events,
            ..Self::default()
        })
    }

    /// Whether these are the docks, with these counts.
    pub fn shows(&self, docks: impl IntoIterator<Item = (i32, DockCount)>) -> bool {
        let mut others = 0;
        let is_same = |(id, count)| {
            others += 1;
            matches!(self.docks.get(&id), Some((_, known)) if *known == kept(count))
        };
        docks.into_iter().all(is_same) && others == self.docks.len()
    }

    /// Events settled since the past began.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Counts an event, after [`Self::push`] of each dock that it may have changed.
    pub(crate) fn count_event(&mut self) {
        self.events += 1;
    }

    /// Notes what a dock shows from an instant on, which is none before the last one.
    pub(crate) fn push(&mut self, at: DateTime<Utc>, location_id: i32, count: DockCount) {
        let count = kept(count);
        let known = self.docks.get(&location_id).map(|(_, known)| *known);
        if known == Some(count) {
            return;
        }
        let second = second_of(at);
        if self.is_full(second) {
            self.close(second - 1);
            self.open(second - 1);
        } else if self.open.is_none() {
            self.open(second - 1);
        }
        let Some(open) = &mut self.open else { return };
        let next_place = self.docks.len();
        let (place, shown) = self.docks.entry(location_id).or_insert((next_place, count));
        *shown = count;
        open.write(second, known, (location_id, *place), &count);
    }

    /// Takes the periods that are complete, and a copy of the one that goes on, known up to `clock`.
    pub fn take(&mut self, clock: DateTime<Utc>) -> Vec<PackedPeriod> {
        let open = self.open.as_ref().map(|open| PackedPeriod {
            start: open.start,
            end: clock.timestamp(),
            events: self.events,
            bytes: open.bytes.clone(),
        });
        let mut periods = std::mem::take(&mut self.closed);
        periods.extend(open);
        periods
    }

    /// Takes the periods that are complete.
    pub fn take_closed(&mut self) -> Vec<PackedPeriod> {
        std::mem::take(&mut self.closed)
    }

    fn is_full(&self, second: i64) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let bytes_max = self.bytes_max.max(KEYFRAMES_MIN * open.keyframe);
            let is_full = open.bytes.len() >= bytes_max && second > open.second;
            is_full || second - open.start > SECONDS_MAX
        })
    }

    fn close(&mut self, end: i64) {
        self.closed
            .extend(self.open.take().map(|open| PackedPeriod {
                start: open.start,
                end,
                events: self.events,
                bytes: open.bytes,
            }));
    }

    /// Writes the keyframe: docks by their ids, which gives them their places.
    fn open(&mut self, start: i64) {
        let mut docks: Vec<_> = self.docks.iter_mut().collect();
        docks.sort_unstable_by_key(|(id, _)| **id);
        let mut bytes = Vec::new();
        write(&mut bytes, FORMAT);
        write(&mut bytes, docks.len() as u64);
        let mut before = 0;
        for (place, (id, (at, count))) in docks.into_iter().enumerate() {
            *at = place;
            write_signed(&mut bytes, i64::from(*id) - before);
            before = i64::from(*id);
            write_count(&mut bytes, count, start);
        }
        self.open = Some(Open {
            start,
            second: start,
            keyframe: bytes.len(),
            bytes,
        });
    }
}

impl Open {
    fn write(
        &mut self,
        second: i64,
        known: Option<DockCount>,
        (location_id, place): (i32, usize),
        count: &DockCount,
    ) {
        let bikes = |known: DockCount| i64::from(count.bikes) - i64::from(known.bikes);
        let is_bikes_only = |known: &DockCount| {
            let bikes = count.bikes;
            DockCount { bikes, ..*known } == *count
        };
        let more = known.filter(is_bikes_only).map(bikes);
        let kind = match more {
            Some(-1) => 0,
            Some(1) => 1,
            Some(_) => 2,
            None => 3,
        };
        let seconds = u64::try_from(second - self.second).unwrap_or(0);
        write(&mut self.bytes, seconds << 2 | kind);
        write(&mut self.bytes, place as u64);
        if known.is_none() {
            write_signed(&mut self.bytes, location_id.into());
        }
        match more {
            Some(-1 | 1) => {}
            Some(more) => write_signed(&mut self.bytes, more),
            None => write_count(&mut self.bytes, count, second),
        }
        self.second = self.second.max(second);
    }
}

/// The first whole second at which something that happened at `at` has happened.
fn second_of(at: DateTime<Utc>) -> i64 {
    at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0)
}
