//! Where an earlier run stopped: read from the ends of the partitions.
//!
//! A partition holds the rows of a source in increasing `seq`, and a tick only after the rows
//! before it. So the last record of a source tells which of its rows are there. Partitions are read
//! backwards in growing steps until every source was seen; a source that was never sent is known
//! only at the log's start. Only what is replicated counts: a row seen too early is sent once more
//! and dropped by its readers, a row believed in too early would be lost.

mod log;

use std::collections::HashMap;

use domain::record::RecordHead;
use domain::source::{FEED_PREFIX, Run, SourceName};
use domain::{EventTime, Record};
use futures_util::future::try_join_all;
use partition_client::{ClientError, Cluster, TailReader, TopicPartition};
use tracing::info;

pub(crate) use self::log::Log;
use crate::error::ProducerError;
use crate::partition::Partitions;

/// Records in the first step back (chosen: a few batches).
const FIRST_STEP: i64 = 4_096;

/// Each step goes so many times as far as the one before.
const STEP_GROWTH: i64 = 4;

/// Most records in one step (chosen: a few seconds' reading between two log lines).
const STEP_MAX: i64 = 1_000_000;

/// What one partition holds of the sources of this run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// For each source the first `seq` that is not there.
    next_seqs: Vec<u64>,
    /// The newest tick of any of the sources, in microseconds.
    pub(crate) ticked: Option<i64>,
}

impl Held {
    /// Adds sources to the run.
    pub(crate) fn add(&mut self, sources: &[Seen]) {
        for seen in sources {
            self.next_seqs.push(seen.next_seq);
            self.ticked = self.ticked.max(seen.ticked);
        }
    }

    /// Whether the partition holds this row, which belongs to it.
    pub(crate) fn has(&self, source: usize, seq: u64) -> bool {
        seq < self.next_seqs[source]
    }

    /// Whether the partition's last record of this source is later than this place.
    pub(crate) fn is_past(&self, source: usize, next_seq: u64) -> bool {
        next_seq < self.next_seqs[source]
    }
}

/// The partitions as they were when the run began, read as far back as was needed.
#[derive(Debug)]
pub(crate) struct Tails<'a>(Vec<Tail<'a>>);

/// One partition, read from its end backwards.
#[derive(Debug)]
struct Tail<'a> {
    log: Log<'a>,
    /// Open since the tail was read on for the first time; none after an error.
    reader: Option<TailReader>,
    /// Offset of the next record.
    end: i64,
    /// Offset of the first record that was read.
    low: i64,
    /// Whether there is nothing before it.
    is_start: bool,
    /// Records in the last step.
    width: i64,
    /// By the identity of the source; others' sources are among them.
    seen: HashMap<String, Seen>,
}

/// What a partition holds of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The first `seq` that is not there.
    pub(crate) next_seq: u64,
    /// Its newest tick, in microseconds; none if it has none.
    pub(crate) ticked: Option<i64>,
    /// Of a live feed the newest run.
    pub(crate) run: Option<Run>,
    /// Of a live feed the newest count or tick that readers take, in microseconds.
    pub(crate) reached: Option<i64>,
}

impl Seen {
    const NOTHING: Self = Self {
        next_seq: 0,
        ticked: None,
        run: None,
        reached: None,
    };
}

impl<'a> Tails<'a> {
    /// Reads the last records of each partition.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(crate) async fn read(
        cluster: &'a Cluster,
        topic: &str,
        partitions: Partitions,
    ) -> Result<Self, ProducerError> {
        let each = partitions.iter().map(async |partition| {
            let topic = topic.to_owned();
            Tail::read(Log::new(cluster, TopicPartition { topic, partition })).await
        });
        Ok(Self(try_join_all(each).await?))
    }

    /// Offset of each partition's next record when the run began.
    pub(crate) fn ends(&self) -> Vec<i64> {
        self.0.iter().map(|tail| tail.end).collect()
    }

    /// Finds what each partition held of `sources` when the run began.
    ///
    /// Cost: a source that was never sent has the whole log read, once in a run.
    ///
    /// # Errors
    /// If a partition cannot be read.
    pub(crate) async fn find(&mut self, sources: &[&str]) -> Result<Vec<Vec<Seen>>, ProducerError> {
        let each = self.0.iter_mut().map(|tail| tail.find(sources));
        try_join_all(each).await
    }

    /// Reads what came in since the partitions were read last, as far as it has arrived here: for
    /// those who poll.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(crate) async fn read_on(&mut self) -> Result<(), ProducerError> {
        let each = self.0.iter_mut().map(Tail::read_on);
        try_join_all(each).await?;
        Ok(())
    }

    /// What is known of a source on each partition.
    pub(crate) fn seen(&self, source: &str) -> impl Iterator<Item = Seen> {
        self.0.iter().map(|tail| tail.seen(source))
    }
}

impl<'a> Tail<'a> {
    /// Reads the last records.
    async fn read(log: Log<'a>) -> Result<Self, ProducerError> {
        let mut seen = HashMap::new();
        let range = log.offset_range().await.map_err(|e| failed(&log, 0, e))?;
        let low = range.start.max(range.end - FIRST_STEP);
        let mut on_value = |value: &[u8]| note(&mut seen, value);
        let read = log.read_range(low..range.end, &mut on_value).await;
        read.map_err(|e| failed(&log, low, e))?;
        Ok(Self {
            log,
            reader: None,
            end: range.end,
            low,
            is_start: low == range.start,
            width: FIRST_STEP,
            seen,
        })
    }

    /// Reads on backwards until all sources were seen.
    async fn find(&mut self, sources: &[&str]) -> Result<Vec<Seen>, ProducerError> {
        let is_unseen = |seen: &HashMap<String, Seen>, source: &&str| {
            !seen.contains_key(SourceName::of(source).identity)
        };
        while !self.is_start && sources.iter().any(|source| is_unseen(&self.seen, source)) {
            let from = self.low;
            let stepped = self.step_back().await;
            stepped.map_err(|e| failed(&self.log, from, e))?;
        }
        Ok(sources.iter().map(|source| self.seen(source)).collect())
    }

    fn seen(&self, source: &str) -> Seen {
        let seen = self.seen.get(SourceName::of(source).identity);
        seen.copied().unwrap_or(Seen::NOTHING)
    }

    async fn read_on(&mut self) -> Result<(), ProducerError> {
        let read = self.read_arrived().await;
        read.map_err(|e| failed(&self.log, self.end, e))
    }

    async fn read_arrived(&mut self) -> Result<(), ClientError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.log.follow(self.end).await?,
        };
        let seen = &mut self.seen;
        let read = reader.read_arrived(&mut |value| note(seen, value)).await;
        self.end = reader.next_offset();
        // After an error another one is opened the next time.
        self.reader = read.is_ok().then_some(reader);
        read
    }

    async fn step_back(&mut self) -> Result<(), ClientError> {
        self.width = (self.width * STEP_GROWTH).min(STEP_MAX);
        // The oldest records may have been deleted meanwhile.
        let first = self.log.offset_range().await?.start;
        let start = first.max(self.low - self.width);
        let (log, seen) = (&self.log, &mut self.seen);
        log.read_range(start..self.low, &mut |value| note(seen, value))
            .await?;
        info!(
            topic = log.partition.topic,
            partition = log.partition.partition,
            offset = start,
            "looked for an earlier run in {} back to offset {start} of {}",
            log.partition,
            self.end,
        );
        self.low = start;
        self.is_start = start == first;
        Ok(())
    }
}

/// The error of a partition that could not be read from an offset on.
fn failed(log: &Log<'_>, offset: i64, source: ClientError) -> ProducerError {
    ProducerError::Tail {
        at: log.partition.at(offset),
        source: Box::new(source),
    }
}

/// Notes what a record tells of its source; the order of the records does not matter, but for those
/// of a live feed, which readers take in the order of their runs.
fn note(seen: &mut HashMap<String, Seen>, value: &[u8]) {
    // Anybody may have written to the topic: bytes that are no record tell nothing of a source.
    let Some(head) = RecordHead::read(value) else {
        return;
    };
    let SourceName { identity, run } = SourceName::of(&head.source);
    if !seen.contains_key(identity) {
        seen.insert(identity.to_owned(), Seen::NOTHING);
    }
    let Some(seen) = seen.get_mut(identity).filter(|seen| run >= seen.run) else {
        return;
    };
    seen.run = run;
    seen.next_seq = seen.next_seq.max(head.next_seq());
    let tick = head.tick.map(EventTime::as_micros);
    seen.ticked = seen.ticked.max(tick);
    if identity.starts_with(FEED_PREFIX) {
        let at = tick.or_else(|| counted_at(value));
        seen.reached = seen.reached.max(at);
    }
}

/// The time of a live feed's count, in microseconds.
fn counted_at(value: &[u8]) -> Option<i64> {
    match Record::from_json(value).ok()?.body {
        domain::Body::Status(status) => Some(status.at.timestamp_micros()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_source_tells_where_to_go_on() {
        let mut seen = HashMap::new();
        for value in [
            r#"{"source":"renamed.csv#aaaa","seq":41,"trip":{}}"#,
            r#"{"source":"x.csv#ffff","seq":99,"trip":{}}"#,
            "not a record",
            r#"{"source":"b.csv#bbbb","seq":6,"trip":{}}"#,
            r#"{"source":"b.csv#bbbb","seq":9,"tick":"1970-01-01T00:00:01Z"}"#,
            r#"{"source":"a.csv#aaaa","seq":40,"reject":{}}"#,
        ] {
            note(&mut seen, value.as_bytes());
        }
        let mut held = Held::default();
        held.add(&[seen["aaaa"], seen["bbbb"], Seen::NOTHING]);
        let expected = Held {
            next_seqs: vec![42, 9, 0],
            ticked: Some(1_000_000),
        };
        assert_eq!(held, expected);
        assert!(held.has(0, 41) && !held.has(0, 42) && !held.has(2, 0));
    }

    #[test]
    fn of_a_live_feed_the_newest_run_and_the_time_it_has_reached_are_known() {
        let tick = |run: &str, second: u32| {
            format!(r#"{{"source":"gbfs:a{run}","seq":1,"tick":"1970-01-01T00:00:0{second}Z"}}"#)
        };
        let count = r#"{"source":"gbfs:a@2-0000000000000007","seq":1,"status":{"station":{"station_id":"1","street":"A St","lat":40.7,"lon":-74.0},"at":"1970-01-01T00:00:05Z","bikes":6}}"#;
        let mut seen = HashMap::new();
        for (value, number, second) in [
            (tick("", 3), None, 3),
            (tick("@2-0000000000000007", 4), Some(2), 4),
            (count.to_owned(), Some(2), 5),
            (tick("@1-0000000000000009", 9), Some(2), 5),
            (tick("@3-0000000000000000", 1), Some(3), 5),
        ] {
            note(&mut seen, value.as_bytes());
            let Seen { run, reached, .. } = seen["gbfs:a"];
            assert_eq!(
                (run.map(|run| run.number), reached),
                (number, Some(second * 1_000_000))
            );
        }
    }
}
