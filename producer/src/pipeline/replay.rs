//! Takes rows in order, month after month, and puts them into the queues.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trip_files::{
    Content, Counts, Encoder, Loaded, Merged, Month, Progress, Reporter, Row, RowCounts, SentUnit,
    Spill, TripFilesError,
};

use super::under_way::UnderWay;
use crate::clock::{self, ReplayClock};
use crate::error::ProducerError;
use crate::partition::Partitions;
use crate::resume::{Held, Tails};
use crate::send::{Closed, Confirmed, Outgoing, Queues};
use crate::summary::Summary;

/// A month is added so long before its first day: some files begin with the last trips of the month
/// before (chosen: far longer than such trips were seen to be early).
const OVERLAP_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Rows an earlier run had sent are passed over this many at a time before others get their turn.
const SKIP_ROWS: u64 = 4_096;

/// What a run shares with its other tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links<'a> {
    pub(super) partitions: Partitions,
    pub(super) confirmed: &'a Confirmed,
    pub(super) stop: &'a CancellationToken,
    pub(super) spill: &'a Spill,
}

/// Months that are ready, and an error that ends them.
pub(super) type Months = mpsc::Receiver<Result<Loaded, TripFilesError>>;

/// Takes rows in order and puts them, and ticks, into the queues.
pub(super) struct Replay<'a> {
    pub(super) links: Links<'a>,
    rows: Merged,
    pub(super) encoders: Vec<Encoder>,
    /// The partition of each source's rejects.
    reject_partitions: Vec<u32>,
    /// What each partition holds of the sources.
    pub(super) held: Vec<Held>,
    /// When to add the next month, in microseconds; none if there is none.
    next_month: Option<i64>,
    under_way: UnderWay,
    /// Rows put into each queue.
    pub(super) queued: Vec<u64>,
    /// Rows of all sources so far, where they all know.
    total: Option<u64>,
    pub(super) clock: ReplayClock,
    pub(super) last_tick: Instant,
    /// Rows sent since the last tick.
    pub(super) rows_since_tick: u64,
    /// The source of the last row taken, how many of its rows were, and its departure.
    pub(super) reached: Option<Reached>,
    pub(super) summary: Summary,
    reporter: Reporter,
    /// Why rows were taken no more, if it was no wish.
    failure: Option<ProducerError>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    pub(super) source: usize,
    pub(super) next_seq: u64,
    /// Microseconds; the newest of all rows taken.
    pub(super) at: i64,
}

/// Why no more rows are taken.
pub(super) enum End {
    /// There are no more.
    Source,
    /// The run was told to stop.
    Stopped,
    /// A partition has failed.
    Closed,
    /// Rows cannot be read.
    Failed(ProducerError),
}

impl From<ProducerError> for End {
    fn from(error: ProducerError) -> Self {
        Self::Failed(error)
    }
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        links: Links<'a>,
        clock: ReplayClock,
        progress: watch::Sender<Progress>,
    ) -> Self {
        let partitions = links.partitions.iter().map(|_| ());
        Self {
            links,
            rows: Merged::default(),
            encoders: Vec::new(),
            reject_partitions: Vec::new(),
            held: partitions.clone().map(|()| Held::new()).collect(),
            next_month: Some(i64::MIN),
            under_way: UnderWay::default(),
            queued: partitions.map(|()| 0).collect(),
            total: Some(0),
            clock,
            last_tick: clock::now(),
            rows_since_tick: 0,
            reached: None,
            summary: Summary::default(),
            reporter: Reporter::new(progress),
            failure: None,
        }
    }

    /// Counts units that an earlier run has sent and that are not read.
    pub(super) fn count_sent(&mut self, sent: &[SentUnit]) {
        for file in sent.iter().flat_map(|unit| &unit.files) {
            let Counts { rows, rejected } = file.counts;
            self.summary.rows_read += rows;
            self.summary.produced += rows - rejected;
            self.summary.rejected += rejected;
            self.summary.already_produced += rows;
        }
        self.total = Some(self.summary.rows_read);
    }

    /// Takes all rows; drops the queues at the end, so that the tasks end.
    pub(super) async fn run(
        mut self,
        mut months: Months,
        mut tails: Tails<'_>,
        queues: Queues,
    ) -> Result<Self, ProducerError> {
        let end = match self.take_rows(&mut months, &mut tails, &queues).await {
            Ok(()) => End::Source,
            Err(end) => end,
        };
        match end {
            // An error here is the partition's own: its task gives it.
            End::Source => self.last_tick(&queues).await.unwrap_or(()),
            End::Stopped => self.summary.stopped = true,
            End::Closed => {}
            // What was taken is delivered first.
            End::Failed(error) => self.failure = Some(error),
        }
        Ok(self)
    }

    /// Ends the run when all queues are empty.
    pub(super) fn end(mut self) -> Result<Summary, ProducerError> {
        self.let_go()?;
        self.report_end();
        match self.failure {
            Some(error) => Err(error),
            None => Ok(self.summary),
        }
    }

    async fn take_rows(
        &mut self,
        months: &mut Months,
        tails: &mut Tails<'_>,
        queues: &Queues,
    ) -> Result<(), End> {
        loop {
            while self.is_month_due() {
                self.take_month(months, tails).await?;
            }
            let Some((source, seq, row)) = self.next_row()? else {
                return Ok(());
            };
            let partition = self.partition_of(source, &row);
            if self.held[partition as usize].has(source, seq) {
                self.count(source, seq, &row);
                self.summary.already_produced += 1;
                self.pass_over().await?;
                continue;
            }
            self.wait_for(row.at, queues).await?;
            let record = self.encode(source, seq, &row);
            tokio::select! {
                biased;
                sent = queues.send(partition, record) => sent?,
                () = self.links.stop.cancelled() => return Err(End::Stopped),
            }
            self.queued[partition as usize] += 1;
            self.count(source, seq, &row);
            self.rows_since_tick += 1;
            self.tick_if_due(queues).await?;
            self.report();
        }
    }

    /// Whether the next month has to be added before the next row.
    fn is_month_due(&self) -> bool {
        let is_near = |month: i64| {
            let next_at = self.rows.next_at();
            !self.rows.has_newest() || next_at.is_none_or(|at| at >= month)
        };
        self.next_month.is_some_and(is_near)
    }

    /// Adds the next month, as soon as it is ready.
    async fn take_month(&mut self, months: &mut Months, tails: &mut Tails<'_>) -> Result<(), End> {
        let received = tokio::select! {
            received = months.recv() => received,
            () = self.links.stop.cancelled() => return Err(End::Stopped),
        };
        let Some(loaded) = received else {
            self.next_month = None;
            let is_stopped = self.links.stop.is_cancelled();
            return if is_stopped {
                Err(End::Stopped)
            } else {
                Ok(())
            };
        };
        let loaded = loaded.map_err(ProducerError::from)?;
        self.add(loaded, tails).await?;
        Ok(())
    }

    async fn add(&mut self, loaded: Loaded, tails: &mut Tails<'_>) -> Result<(), ProducerError> {
        let starts_at = |month: Month| month.starts_at() - OVERLAP_MICROS;
        self.next_month = loaded.next_month.map(starts_at);
        self.summary.duplicate_files += loaded.duplicate_files;
        self.summary.refused_files += loaded.refused_files;
        let sources: Vec<_> = loaded
            .feeds
            .iter()
            .map(|feed| feed.source.as_str())
            .collect();
        for (held, seen) in self.held.iter_mut().zip(tails.find(&sources).await?) {
            held.add(&seen);
        }
        for source in sources {
            let partition = self.links.partitions.of_key(source.as_bytes());
            self.encoders.push(Encoder::new(source));
            self.reject_partitions.push(partition);
        }
        for feed in &loaded.feeds {
            self.total = self.total.zip(feed.total()).map(|(sum, total)| sum + total);
        }
        if self.next_month.is_none() {
            self.reporter.total = self.total;
        }
        self.under_way.add(loaded.kept, self.rows.feeds.len());
        self.rows.add(loaded.feeds);
        Ok(())
    }

    /// Lets go of what the topic has confirmed.
    pub(super) fn let_go(&mut self) -> Result<(), ProducerError> {
        let Links {
            confirmed, spill, ..
        } = self.links;
        self.under_way
            .look(&self.rows, &self.queued, confirmed, spill)
    }

    fn next_row(&mut self) -> Result<Option<(usize, u64, Row)>, End> {
        let spill = self.links.spill;
        let row = self.rows.next_row();
        let row = row.map_err(|source| ProducerError::from(spill.error(source)))?;
        Ok(row)
    }

    fn partition_of(&self, source: usize, row: &Row) -> u32 {
        match &row.content {
            Content::Reject(_) => self.reject_partitions[source],
            Content::Trip(trip) => {
                let names = self.rows.feeds[source].names();
                self.links
                    .partitions
                    .of_hash(names.station_key(trip.from.station).hash)
            }
        }
    }

    fn encode(&self, source: usize, seq: u64, row: &Row) -> Outgoing {
        let encoder = &self.encoders[source];
        let feed = &self.rows.feeds[source];
        match &row.content {
            Content::Reject(reject) => Outgoing {
                key: Some(Bytes::copy_from_slice(feed.source.as_bytes())),
                value: encoder.reject(seq, reject).into(),
            },
            Content::Trip(trip) => Outgoing {
                key: Some(feed.names().station_key(trip.from.station).key.clone()),
                value: encoder.trip(seq, trip, feed.names()).into(),
            },
        }
    }

    fn count(&mut self, source: usize, seq: u64, row: &Row) {
        self.summary.rows_read += 1;
        match row.content {
            Content::Trip(_) => self.summary.produced += 1,
            Content::Reject(_) => self.summary.rejected += 1,
        }
        let at = self
            .reached
            .map_or(row.at, |reached| reached.at.max(row.at));
        self.reached = Some(Reached {
            source,
            next_seq: seq + 1,
            at,
        });
    }

    /// Lets others have their turn while many rows are passed over.
    async fn pass_over(&mut self) -> Result<(), End> {
        if self.summary.already_produced.is_multiple_of(SKIP_ROWS) {
            tokio::task::yield_now().await;
            self.report();
            if self.links.stop.is_cancelled() {
                return Err(End::Stopped);
            }
        }
        Ok(())
    }

    fn report(&mut self) {
        if let Some(reached) = self.reached {
            self.report_at(reached.at);
        }
    }

    pub(super) fn report_at(&mut self, at: i64) {
        let counts = self.counts();
        self.reporter.report(counts, Some(at));
    }

    fn report_end(&mut self) {
        let at = self.reached.map(|reached| reached.at);
        let counts = self.counts();
        self.reporter.publish(counts, at);
    }

    fn counts(&self) -> RowCounts {
        self.summary.counts(self.links.confirmed.sum())
    }
}
