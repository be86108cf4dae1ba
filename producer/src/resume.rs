//! Where an earlier run stopped: read from the ends of the partitions.
//!
//! A partition holds the rows of a source in increasing `seq`, and a tick only after the rows
//! before it. So the last record of a source tells which of its rows are there. Partitions are read
//! backwards in growing steps until every source was seen; a source that was never sent is known
//! only at the log's start. Only what is replicated counts: a row seen too early is sent once more
//! and dropped by its readers, a row believed in too early would be lost.

mod log;
mod search;

use futures_util::future::try_join_all;
use partition_client::{ClientError, Cluster, TailReader, TopicPartition};
use tracing::info;

pub(crate) use self::log::Log;
pub use self::search::{Held, Seen, TailSearch};
use crate::error::ProducerError;
use crate::partition::Partitions;

/// Records in the first step back (chosen: a few batches).
const FIRST_STEP: i64 = 4_096;

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
    search: TailSearch,
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
        let range = log.offset_range().await.map_err(|e| failed(&log, 0, e))?;
        let (mut search, last) = TailSearch::of(range.start..range.end, FIRST_STEP);
        let low = last.start;
        let mut on_value = |value: &[u8]| search.note(value);
        let read = log.read_range(last, &mut on_value).await;
        read.map_err(|e| failed(&log, low, e))?;
        Ok(Self {
            log,
            reader: None,
            end: range.end,
            search,
        })
    }

    /// Reads on backwards until all sources were seen.
    async fn find(&mut self, sources: &[&str]) -> Result<Vec<Seen>, ProducerError> {
        while self.search.is_to_go_on(sources) {
            let from = self.search.low();
            let stepped = self.step_back().await;
            stepped.map_err(|e| failed(&self.log, from, e))?;
        }
        Ok(sources.iter().map(|source| self.seen(source)).collect())
    }

    fn seen(&self, source: &str) -> Seen {
        self.search.seen(source)
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
        let search = &mut self.search;
        let read = reader.read_arrived(&mut |value| search.note(value)).await;
        self.end = reader.next_offset();
        // After an error another one is opened the next time.
        self.reader = read.is_ok().then_some(reader);
        read
    }

    async fn step_back(&mut self) -> Result<(), ClientError> {
        // The oldest records may have been deleted meanwhile.
        let first = self.log.offset_range().await?.start;
        let step = self.search.step(first);
        let (log, search) = (&self.log, &mut self.search);
        log.read_range(step.clone(), &mut |value| search.note(value))
            .await?;
        info!(
            topic = log.partition.topic,
            partition = log.partition.partition,
            offset = step.start,
            "looked for an earlier run in {} back to offset {} of {}",
            log.partition,
            step.start,
            self.end,
        );
        search.stepped(step.start, first);
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
