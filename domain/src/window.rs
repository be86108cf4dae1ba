//! Departures per tumbling window of event time.
//!
//! A window is half-open, `[start, start + width)`, aligned to the epoch, and closes when the
//! watermark reaches its end. The state lives only as long as one stream of one partition lives,
//! so each output carries the state after its record: whoever commits the output commits the state
//! with it and hands both back when the stream is opened again.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::record::{PlainTrip, source_and_seq};
use crate::{Body, EventTime, Record, Sources};

/// Width of a window unless configured otherwise.
pub const WIDTH: TimeDelta = TimeDelta::seconds(5);

/// At least one output every this many records, so that a reopened stream repeats little work.
pub const RECORDS_BETWEEN_OUTPUTS_MAX: u64 = 1_024;

/// Outputs kept to be given again (chosen: the records of a batch of 1 MiB, twice).
const OUTPUTS_KEPT_MAX: usize = 8_192;

/// A departure count of one window: its start and how many.
pub type WindowCount = (DateTime<Utc>, u64);

/// What a counter has to know to go on after a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowState {
    /// Newest departure, status or tick seen; nothing before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<DateTime<Utc>>,
    /// Windows that start before this instant are closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_until: Option<DateTime<Utc>>,
    /// Windows still open, by start.
    #[serde(default)]
    pub open: Vec<WindowCount>,
}

/// One output of the SmartModule `dock-window`.
///
/// Shape: one where a window closed, a late departure, a tick or a reject came, and at least one
/// every [`RECORDS_BETWEEN_OUTPUTS_MAX`] records. What a producer sends ends in a tick, or in a reject
/// where no row had a time: so the last record always gives one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WindowOutput {
    /// All records from the output before up to this one are counted.
    Counted(Counted),
    /// The broker skipped records: counting cannot go on.
    Gap {
        /// Offset of the record that came.
        offset: i64,
        /// What should have come.
        gap: Gap,
    },
}

impl WindowOutput {
    fn offset(&self) -> i64 {
        match self {
            Self::Counted(Counted { offset, .. }) | Self::Gap { offset, .. } => *offset,
        }
    }
}

/// What changed since the output before, and the state after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Offset of the last record counted.
    pub offset: i64,
    /// Offset of the first one: behind the output before. An output that got lost shows here.
    pub from: i64,
    /// Source of the record at `offset`; empty for one that could not be read.
    pub source: String,
    /// Rank of the record at `offset` in its source; 0 for one that could not be read.
    pub seq: u64,
    /// Windows that closed: absolute counts of this partition, by start.
    pub closed: Vec<WindowCount>,
    /// Departures that came for windows already closed: increments, by start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<WindowCount>,
    /// Sources that advanced: the last `seq` counted of each; of a live feed that of its newest run.
    pub seen: Vec<(String, u64)>,
    /// The state after `offset`.
    pub state: WindowState,
}

/// Where the broker skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Offset of the first record that is missing.
    pub expected: i64,
}

/// How to count; the SmartModule's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// Width of a window.
    pub width: TimeDelta,
    /// How far a departure may lie behind the newest one and still count as in time.
    pub lateness: TimeDelta,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self {
            width: WIDTH,
            lateness: TimeDelta::zero(),
        }
    }
}

/// Counts the departures of one partition.
///
/// A broker that has run a batch may find that its outputs do not fit into the answer, drop them
/// and run the batch again. So the last outputs are kept and given again.
#[derive(Debug)]
pub struct Windows {
    config: WindowConfig,
    next_offset: i64,
    given: VecDeque<WindowOutput>,
    watermark: Option<DateTime<Utc>>,
    closed_until: Option<DateTime<Utc>>,
    open: BTreeMap<DateTime<Utc>, u64>,
    sources: Sources,
    // Since the last output:
    from: i64,
    late: BTreeMap<DateTime<Utc>, u64>,
    records: u64,
}

impl Windows {
    /// Goes on at `next_offset` from a committed state and the `seq`s already counted.
    #[must_use]
    pub fn resume(
        config: WindowConfig,
        next_offset: i64,
        state: WindowState,
        seen: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        Self {
            config,
            next_offset,
            given: VecDeque::new(),
            watermark: state.watermark,
            closed_until: state.closed_until,
            open: state.open.into_iter().collect(),
            sources: Sources::resume(seen),
            from: next_offset,
            late: BTreeMap::new(),
            records: 0,
        }
    }

    /// Counts the record at `offset`.
    ///
    /// An offset counted before gives what it gave then, if it gave anything and that is still
    /// kept; before the start there is nothing, because the broker runs a stored batch from its
    /// start. A record repeated by a resend counts once, one of a fenced run not at all; unreadable
    /// bytes count as no departure.
    pub fn push(&mut self, offset: i64, bytes: &[u8]) -> Option<&WindowOutput> {
        if offset < self.next_offset {
            return self.given_at(offset);
        }
        if offset > self.next_offset {
            let expected = self.next_offset;
            let gap = Gap { expected };
            return self.give(WindowOutput::Gap { offset, gap });
        }
        self.next_offset = offset + 1;
        self.records += 1;
        let due = self.count(bytes);
        let closed = self.close();
        let is_due = due
            || !closed.is_empty()
            || !self.late.is_empty()
            || self.records >= RECORDS_BETWEEN_OUTPUTS_MAX;
        if !is_due {
            return None;
        }
        let counted = self.take_output(offset, bytes, closed);
        self.give(WindowOutput::Counted(counted))
    }

    fn given_at(&self, offset: i64) -> Option<&WindowOutput> {
        // In the order of their offsets; gaps are all behind what was counted.
        let index = self
            .given
            .partition_point(|output| output.offset() < offset);
        self.given
            .get(index)
            .filter(|output| output.offset() == offset)
    }

    fn give(&mut self, output: WindowOutput) -> Option<&WindowOutput> {
        if self.given.len() == OUTPUTS_KEPT_MAX {
            self.given.pop_front();
        }
        self.given.push_back(output);
        self.given.back()
    }

    /// Takes the record in; true if it asks for an output.
    fn count(&mut self, bytes: &[u8]) -> bool {
        if let Some(trip) = PlainTrip::read(bytes) {
            if self.sources.admit(trip.source, trip.seq) {
                self.count_departure(trip.departed_at.at);
            }
            return false;
        }
        let Ok(Record { source, seq, body }) = Record::from_json(bytes) else {
            return true; // `trip-split` makes it a reject.
        };
        if let Body::Tick(at) = body {
            if self.sources.admit_tick(&source, seq) {
                self.raise_watermark(at);
            }
            return true; // Of a fenced run, too: it tells how far the partition is read.
        }
        if matches!(body, Body::System(_)) {
            return false;
        }
        let is_reject = matches!(body, Body::Reject(_));
        if self.sources.admit(&source, seq) {
            match body {
                Body::Trip(trip) => self.count_departure(trip.departed_at),
                Body::Status(status) if status.is_departure() => self.count_departure(status.at),
                Body::Status(status) => self.raise_watermark(status.at),
                Body::System(_) | Body::Tick(_) | Body::Reject(_) => {}
            }
        }
        is_reject
    }

    fn count_departure(&mut self, at: DateTime<Utc>) {
        let start = window_start(at, self.config.width);
        let late = self.closed_until.is_some_and(|until| start < until);
        let windows = if late { &mut self.late } else { &mut self.open };
        *windows.entry(start).or_default() += 1;
        self.raise_watermark(at);
    }

    fn raise_watermark(&mut self, at: DateTime<Utc>) {
        self.watermark = self.watermark.max(Some(at));
    }

    /// Closes the windows whose end the watermark has reached.
    fn close(&mut self) -> Vec<WindowCount> {
        let Some(watermark) = self.watermark else {
            return Vec::new();
        };
        let until = window_start(watermark - self.config.lateness, self.config.width);
        if self.closed_until.is_some_and(|closed| until <= closed) {
            return Vec::new();
        }
        self.closed_until = Some(until);
        let open = self.open.split_off(&until);
        std::mem::replace(&mut self.open, open)
            .into_iter()
            .collect()
    }

    fn take_output(&mut self, offset: i64, bytes: &[u8], closed: Vec<WindowCount>) -> Counted {
        self.records = 0;
        let (source, seq) = source_and_seq(bytes);
        Counted {
            offset,
            source,
            seq,
            from: std::mem::replace(&mut self.from, offset + 1),
            closed,
            late: std::mem::take(&mut self.late).into_iter().collect(),
            seen: self.sources.take_changed(),
            state: WindowState {
                watermark: self.watermark,
                closed_until: self.closed_until,
                open: self
                    .open
                    .iter()
                    .map(|(start, count)| (*start, *count))
                    .collect(),
            },
        }
    }
}

/// Start of the window that holds `at`.
#[must_use]
pub fn window_start(at: DateTime<Utc>, width: TimeDelta) -> DateTime<Utc> {
    let width_micros = width.num_microseconds().unwrap_or(i64::MAX).max(1);
    let since_start = EventTime::from(at).as_micros().rem_euclid(width_micros);
    let start = EventTime::from_micros(EventTime::from(at).as_micros() - since_start);
    start.to_utc().unwrap_or(at)
}
