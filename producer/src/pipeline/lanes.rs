//! The sources and partitions of a run: which row goes where, which are there, and ticks. No I/O.

use bytes::Bytes;
use domain::window::{WIDTH, window_start};
use trip_files::{Content, Encoder, Row, RowStream, instant};

use crate::partition::Partitions;
use crate::resume::{Held, Seen};
use crate::send::Outgoing;

/// How far the rows were taken.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// The source of the last row.
    pub source: usize,
    /// How many rows of it were taken.
    pub next_seq: u64,
    /// The newest departure of all rows, in microseconds; none before the first row that has one.
    pub at: Option<i64>,
}

impl Reached {
    /// A row was taken, which departed `at`.
    #[must_use]
    pub fn after(before: Option<Self>, source: usize, seq: u64, at: Option<i64>) -> Self {
        Self {
            source,
            next_seq: seq + 1,
            at: before.and_then(|before| before.at).max(at),
        }
    }

    /// What a tick says when the replay clock is at `now` and the next row departs at `next_at`.
    #[must_use]
    pub fn tick_before(self, next_at: i64, now: i64) -> i64 {
        let now = now.min(next_at);
        self.at.map_or(now, |at| at.max(now))
    }
}

/// All lanes of a run.
#[derive(Debug)]
pub struct Lanes {
    partitions: Partitions,
    /// One for each partition.
    lanes: Vec<Lane>,
    sources: Vec<SourceRecords>,
}

/// The ticks that end a run.
#[derive(Debug)]
pub struct LastTicks {
    /// What they say, in microseconds.
    pub at: i64,
    /// Whether a partition needed one.
    pub was_due: bool,
    /// Each with its partition.
    pub ticks: Vec<(u32, Outgoing)>,
}

/// A partition of the topic.
#[derive(Debug, Default)]
struct Lane {
    /// What it held of the sources when the run began.
    held: Held,
    /// Rows put into its queue.
    queued: u64,
}

/// How the records of a source are written.
#[derive(Debug)]
struct SourceRecords {
    encoder: Encoder,
    /// Where its rejects go.
    reject_partition: u32,
}

impl Lanes {
    /// Of a topic, without sources.
    #[must_use]
    pub fn new(partitions: Partitions) -> Self {
        Self {
            partitions,
            lanes: partitions.iter().map(|_| Lane::default()).collect(),
            sources: Vec::new(),
        }
    }

    /// Adds sources, whose numbers follow those there are, with what each partition held of them.
    pub fn add(&mut self, sources: &[&str], seen: &[Vec<Seen>]) {
        for (lane, seen) in self.lanes.iter_mut().zip(seen) {
            lane.held.add(seen);
        }
        let partitions = self.partitions;
        self.sources
            .extend(sources.iter().map(|source| SourceRecords {
                encoder: Encoder::new(source),
                reject_partition: partitions.of_key(source.as_bytes()),
            }));
    }

    /// The partition of a source's row.
    pub(super) fn partition_of(&self, source: usize, row: &Row, stream: &RowStream) -> u32 {
        match &row.content {
            Content::Reject(_) => self.sources[source].reject_partition,
            Content::Trip(trip) => {
                let station = stream.names().station_key(trip.from.station);
                self.partitions.of_hash(station.hash)
            }
        }
    }

    /// Whether an earlier run has sent a row, which belongs to this partition.
    #[must_use]
    pub fn has(&self, partition: u32, source: usize, seq: u64) -> bool {
        self.lanes[partition as usize].held.has(source, seq)
    }

    /// A row's record.
    pub(super) fn record(
        &self,
        source: usize,
        seq: u64,
        row: &Row,
        stream: &RowStream,
    ) -> Outgoing {
        let encoder = &self.sources[source].encoder;
        match &row.content {
            Content::Reject(reject) => Outgoing {
                key: Some(Bytes::copy_from_slice(stream.source.as_bytes())),
                value: encoder.reject(seq, reject).into(),
            },
            Content::Trip(trip) => Outgoing {
                key: Some(stream.names().station_key(trip.from.station).key.clone()),
                value: encoder.trip(seq, trip, stream.names()).into(),
            },
        }
    }

    /// Counts a row that was put into the partition's queue.
    pub fn count_queued(&mut self, partition: u32) {
        self.lanes[partition as usize].queued += 1;
    }

    /// Rows put into each queue.
    pub(super) fn queued(&self) -> impl Iterator<Item = u64> + Clone {
        self.lanes.iter().map(|lane| lane.queued)
    }

    /// A tick at an instant, in microseconds, for each partition that is to be told it.
    #[must_use]
    pub fn ticks(&self, at: i64, reached: Reached) -> Vec<(u32, Outgoing)> {
        let partitions = self.partitions.iter();
        let ticks = partitions.filter_map(|partition| self.tick_to(partition, at, reached));
        ticks.collect()
    }

    fn tick_to(&self, partition: u32, at: i64, reached: Reached) -> Option<(u32, Outgoing)> {
        // An earlier run was further here: later rows have told the time already, and a tick's
        // `seq` must not go back.
        let held = &self.lanes[partition as usize].held;
        if held.is_past(reached.source, reached.next_seq) {
            return None;
        }
        let encoder = &self.sources[reached.source].encoder;
        let value = encoder.tick(reached.next_seq, at).into();
        Some((partition, Outgoing { key: None, value }))
    }

    /// The end of the last departure's window, in microseconds, and a tick at it for each partition that
    /// does not hold it yet, or was sent a row: what a run leaves ends in a tick.
    #[must_use]
    pub fn last_ticks(&self, departed_at: i64, reached: Reached) -> LastTicks {
        let end = window_start(instant(departed_at), WIDTH) + WIDTH;
        let at = end.timestamp_micros();
        let lanes = (0..).zip(&self.lanes);
        let due = lanes.filter(|(_, lane)| lane.held.ticked < Some(at) || lane.queued > 0);
        let due: Vec<_> = due.map(|(partition, _)| partition).collect();
        let ticks = due.iter();
        LastTicks {
            at,
            was_due: !due.is_empty(),
            ticks: ticks
                .filter_map(|partition| self.tick_to(*partition, at, reached))
                .collect(),
        }
    }
}
