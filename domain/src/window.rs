//! Departures per tumbling window of event time.
//!
//! A window is half-open, `[start, start + width)`, aligned to the epoch, and closes when the
//! watermark reaches its end. The state lives only as long as one stream of one partition lives,
//! so each output carries the state after its record: whoever commits the output commits the state
//! with it and hands both back when the stream is opened again.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::record::{
    Counted, Gap, TripPieces, WindowCount, WindowOutput, WindowState, source_and_seq,
};
use crate::{Body, EventTime, Record, Sources};

/// Width of a window unless configured otherwise.
pub const WIDTH: TimeDelta = TimeDelta::seconds(5);

/// At least one output every this many records, so that a reopened stream repeats little work.
pub const RECORDS_BETWEEN_OUTPUTS_MAX: u64 = 1_024;

/// Outputs kept for a batch that is run once more (chosen: the records of a batch of 1 MiB, twice).
const OUTPUTS_KEPT_MAX: usize = 8_192;

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
/// A broker that has run a batch may find that its outputs do not fit into the response, drop them
/// and run the batch once more. So the last outputs are kept, and given for the same record again.
#[derive(Debug)]
pub struct Windows {
    config: WindowConfig,
    next_offset: i64,
    recent: VecDeque<WindowOutput>,
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
            recent: VecDeque::new(),
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
            return self.recent_at(offset);
        }
        if offset > self.next_offset {
            let expected = self.next_offset;
            let gap = Gap { expected };
            return self.keep(WindowOutput::Gap { offset, gap });
        }
        self.next_offset = offset + 1;
        self.records += 1;
        let wants_output = self.count(bytes);
        let closed = self.close();
        let is_due = wants_output
            || !closed.is_empty()
            || !self.late.is_empty()
            || self.records >= RECORDS_BETWEEN_OUTPUTS_MAX;
        if !is_due {
            return None;
        }
        let counted = self.take_output(offset, bytes, closed);
        self.keep(WindowOutput::Counted(counted))
    }

    fn recent_at(&self, offset: i64) -> Option<&WindowOutput> {
        // In the order of their offsets; gaps are all behind what was counted.
        let index = self
            .recent
            .partition_point(|output| output.offset() < offset);
        self.recent
            .get(index)
            .filter(|output| output.offset() == offset)
    }

    fn keep(&mut self, output: WindowOutput) -> Option<&WindowOutput> {
        if self.recent.len() == OUTPUTS_KEPT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(output);
        self.recent.back()
    }

    /// Takes the record in; true if it asks for an output.
    fn count(&mut self, bytes: &[u8]) -> bool {
        if let Some(trip) = TripPieces::read(bytes) {
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
            return true; // Of a fenced run, too: the output shows how far the partition is read.
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
            source: Some(source),
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
