//! A period read back: any second of it, and what changes between two of them.

use std::collections::BTreeMap;

use super::FORMAT;
use super::bytes::{read, read_signed};
use super::count::read_count;
use crate::availability::DockCount;

/// Bytes before those of the period, where it is sent: its start and its end.
const HEAD: usize = 16;

/// A period as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackedPeriod {
    /// The second of the keyframe.
    pub start: i64,
    /// The first second that is not of the period, or the last one known of the one that goes on.
    pub end: i64,
    /// Events settled by its end, since the past began.
    pub events: u64,
    /// Keyframe and changes, as [`super`] says.
    pub bytes: Vec<u8>,
}

/// A period's docks at its start, and its changes in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    start: i64,
    end: i64,
    keyframe: Vec<(i32, DockCount)>,
    keyframe_bytes: usize,
    changes: Vec<Change>,
}

/// What a dock shows from a second on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// From when on.
    pub second: i64,
    /// Where.
    pub location_id: i32,
    /// What is there then.
    pub count: DockCount,
}

/// A period's bytes are cut off, or of another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed period")]
pub struct MalformedPeriod;

impl PackedPeriod {
    /// Reads keyframe and changes.
    ///
    /// # Errors
    /// [`MalformedPeriod`], whatever the bytes are.
    pub fn decode(&self) -> Result<Period, MalformedPeriod> {
        Period::decode(self.start, self.end, &self.bytes).ok_or(MalformedPeriod)
    }

    /// The period as browsers get it: start and end, 8 bytes each, the least significant first, then
    /// the bytes that are stored.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        let head = [self.start.to_le_bytes(), self.end.to_le_bytes()];
        [head.as_flattened(), &self.bytes].concat()
    }
}

impl Period {
    /// Reads what [`PackedPeriod::to_wire`] writes.
    ///
    /// # Errors
    /// [`MalformedPeriod`], whatever the bytes are.
    pub fn from_wire(wire: &[u8]) -> Result<Self, MalformedPeriod> {
        let (head, bytes) = wire.split_at_checked(HEAD).ok_or(MalformedPeriod)?;
        let (start, end) = head.split_at(HEAD / 2);
        let second = |bytes: &[u8]| bytes.try_into().map(i64::from_le_bytes);
        let (start, end) = second(start)
            .and_then(|start| Ok((start, second(end)?)))
            .map_err(|_| MalformedPeriod)?;
        Self::decode(start, end, bytes).ok_or(MalformedPeriod)
    }

    fn decode(start: i64, end: i64, bytes: &[u8]) -> Option<Self> {
        let rest = &mut &*bytes;
        if read(rest)? != FORMAT {
            return None;
        }
        let docks = usize::try_from(read(rest)?).ok()?;
        let mut keyframe = Vec::new();
        let mut id = 0_i32;
        for _ in 0..docks {
            id = id.checked_add(i32::try_from(read_signed(rest)?).ok()?)?;
            keyframe.push((id, read_count(rest, start)?));
        }
        let mut period = Self {
            start,
            end,
            keyframe,
            keyframe_bytes: bytes.len() - rest.len(),
            changes: Vec::new(),
        };
        let mut shown = period.keyframe.clone();
        let mut second = start;
        while !rest.is_empty() {
            let change = read_change(rest, &mut second, &mut shown)?;
            period.changes.push(change);
        }
        Some(period)
    }

    /// The second of the keyframe.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The first second that is not of the period, or the last one known of the one that goes on.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.end
    }

    /// What each dock shows at the start, by its place; one that comes later is not among them.
    #[must_use]
    pub fn keyframe(&self) -> &[(i32, DockCount)] {
        &self.keyframe
    }

    /// What each dock that is known by then shows at a second; before the start, at the start.
    #[must_use]
    pub fn at(&self, second: i64) -> BTreeMap<i32, DockCount> {
        let mut docks: BTreeMap<_, _> = self.keyframe.iter().copied().collect();
        let changes = self.changes(self.start, second);
        docks.extend(
            changes
                .iter()
                .map(|change| (change.location_id, change.count)),
        );
        docks
    }

    /// What one dock shows at a second, as [`Period::at`]; none before it is known.
    #[must_use]
    pub fn count(&self, location_id: i32, second: i64) -> Option<DockCount> {
        let mut changes = self.changes(self.start, second).iter();
        let last = changes.rfind(|change| change.location_id == location_id);
        let first = || self.keyframe.iter().find(|(id, _)| *id == location_id);
        last.map(|change| change.count).or_else(|| Some(first()?.1))
    }

    /// The changes later than `after` and no later than `until`, in order.
    #[must_use]
    pub fn changes(&self, after: i64, until: i64) -> &[Change] {
        let count = |second| {
            self.changes
                .partition_point(|change| change.second <= second)
        };
        self.changes
            .get(count(after)..count(until))
            .unwrap_or_default()
    }

    /// The docks in the order of their places, as the last change left them.
    pub(super) fn last_counts(&self) -> Vec<(i32, DockCount)> {
        let mut docks = self.keyframe.clone();
        let mut places: BTreeMap<_, _> = (0..)
            .zip(&docks)
            .map(|(place, (id, _))| (*id, place))
            .collect();
        for change in &self.changes {
            let place = *places.entry(change.location_id).or_insert(docks.len());
            match docks.get_mut(place) {
                Some(dock) => dock.1 = change.count,
                None => docks.push((change.location_id, change.count)),
            }
        }
        docks
    }

    pub(super) fn last_second(&self) -> i64 {
        self.changes.last().map_or(self.start, |last| last.second)
    }

    pub(super) fn keyframe_bytes(&self) -> usize {
        self.keyframe_bytes
    }
}

/// Takes a change off the front; `shown` are the docks by their places, before it and then after it.
fn read_change(
    bytes: &mut &[u8],
    second: &mut i64,
    shown: &mut Vec<(i32, DockCount)>,
) -> Option<Change> {
    let head = read(bytes)?;
    *second = second.checked_add(i64::try_from(head >> 2).ok()?)?;
    let place = usize::try_from(read(bytes)?).ok()?;
    if place == shown.len() {
        let id = i32::try_from(read_signed(bytes)?).ok()?;
        shown.push((id, DockCount::default()));
    }
    let (location_id, count) = shown.get_mut(place)?;
    let more = match head & 3 {
        0 => -1,
        1 => 1,
        2 => i32::try_from(read_signed(bytes)?).ok()?,
        _ => {
            *count = read_count(bytes, *second)?;
            0
        }
    };
    count.bikes = count.bikes.checked_add(more)?;
    Some(Change {
        second: *second,
        location_id: *location_id,
        count: *count,
    })
}
