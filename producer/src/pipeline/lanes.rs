//! The sources and partitions of a run: which row goes where, which are there, and ticks.

use bytes::Bytes;
use domain::window::{WIDTH, window_start};
use trip_files::{Content, Encoder, Row, RowStream, instant};

use crate::error::ProducerError;
use crate::partition::Partitions;
use crate::resume::{Held, Tails};
use crate::send::{Closed, Outgoing, Queues};

/// How far the rows were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// The source of the last row.
    pub(super) source: usize,
    /// How many rows of it were taken.
    pub(super) next_seq: u64,
    /// The newest departure of all rows, in microseconds; none before the first row that has one.
    pub(super) at: Option<i64>,
}

/// All lanes of a run.
#[derive(Debug)]
pub(super) struct Lanes {
    partitions: Partitions,
    /// One for each partition.
    lanes: Vec<Lane>,
    sources: Vec<SourceRecords>,
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
    pub(super) fn new(partitions: Partitions) -> Self {
        Self {
            partitions,
            lanes: partitions.iter().map(|_| Lane::default()).collect(),
            sources: Vec::new(),
        }
    }

    /// Adds sources, whose numbers follow those there are.
    ///
    /// # Errors
    /// If a partition cannot be read.
    pub(super) async fn add(
        &mut self,
        sources: &[&str],
        tails: &mut Tails<'_>,
    ) -> Result<(), ProducerError> {
        for (lane, seen) in self.lanes.iter_mut().zip(tails.find(sources).await?) {
            lane.held.add(&seen);
        }
        let partitions = self.partitions;
        self.sources
            .extend(sources.iter().map(|source| SourceRecords {
                encoder: Encoder::new(source),
                reject_partition: partitions.of_key(source.as_bytes()),
            }));
        Ok(())
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
    pub(super) fn has(&self, partition: u32, source: usize, seq: u64) -> bool {
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
    pub(super) fn count_queued(&mut self, partition: u32) {
        self.lanes[partition as usize].queued += 1;
    }

    /// Rows put into each queue.
    pub(super) fn queued(&self) -> impl Iterator<Item = u64> + Clone {
        self.lanes.iter().map(|lane| lane.queued)
    }

    /// Sends a tick at an instant, in microseconds, to every partition.
    pub(super) async fn tick(
        &self,
        at: i64,
        reached: Reached,
        queues: &Queues,
    ) -> Result<(), Closed> {
        for partition in self.partitions.iter() {
            self.tick_to(partition, at, reached, queues).await?;
        }
        Ok(())
    }

    async fn tick_to(
        &self,
        partition: u32,
        at: i64,
        reached: Reached,
        queues: &Queues,
    ) -> Result<(), Closed> {
        // An earlier run was further here: later rows have told the time already, and a tick's
        // `seq` must not go back.
        let held = &self.lanes[partition as usize].held;
        if held.is_past(reached.source, reached.next_seq) {
            return Ok(());
        }
        let encoder = &self.sources[reached.source].encoder;
        let value = encoder.tick(reached.next_seq, at).into();
        queues.send(partition, Outgoing { key: None, value }).await
    }

    /// Sends the end of the last departure's window to the partitions that do not hold it yet, and to
    /// those that were sent a row: what a run leaves ends in a tick. Gives that end, in microseconds,
    /// and whether there was such a partition.
    pub(super) async fn last_tick(
        &self,
        departed_at: i64,
        reached: Reached,
        queues: &Queues,
    ) -> Result<(i64, bool), Closed> {
        let end = window_start(instant(departed_at), WIDTH) + WIDTH;
        let at = end.timestamp_micros();
        let mut was_due = false;
        for (partition, lane) in (0..).zip(&self.lanes) {
            if lane.held.ticked < Some(at) || lane.queued > 0 {
                was_due = true;
                self.tick_to(partition, at, reached, queues).await?;
            }
        }
        Ok((at, was_due))
    }
}
