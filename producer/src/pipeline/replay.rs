//! Takes rows in order, month after month, and puts them into the queues.

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use trip_files::{
    Content, Counts, Loaded, Merged, Month, Progress, Reporter, Row, RowCounts, SentUnit, Spill,
    TripFilesError,
};

use super::lanes::{Lanes, Reached};
use super::ticks::Ticks;
use super::under_way::UnderWay;
use crate::clock::{self, ReplayClock};
use crate::error::ProducerError;
use crate::partition::Partitions;
use crate::resume::Tails;
use crate::send::{Closed, Confirmed, Queues};
use crate::summary::Summary;

/// A month is added so long before its first day: some files begin with the last trips of the month
/// before (chosen: far longer than such trips were seen to be early).
const OVERLAP_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// So many rows that an earlier run had sent are skipped before other tasks get their turn.
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
    links: Links<'a>,
    rows: Merged,
    lanes: Lanes,
    next_month: NextMonth,
    under_way: UnderWay,
    /// Rows of all sources so far, where they all know.
    total: Option<u64>,
    ticks: Ticks,
    /// None before the first row.
    reached: Option<Reached>,
    summary: Summary,
    reporter: Reporter,
    /// Why rows were taken no more, if it was no wish.
    failure: Option<ProducerError>,
}

/// When the next month is to be added.
#[derive(Debug, Clone, Copy)]
enum NextMonth {
    /// Before the first row.
    First,
    /// Before a row that departed then, in microseconds, or later.
    At(i64),
    /// There is none.
    None,
}

/// Why no more rows are taken.
enum End {
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
        Self {
            lanes: Lanes::new(links.partitions),
            links,
            rows: Merged::default(),
            next_month: NextMonth::First,
            under_way: UnderWay::default(),
            total: Some(0),
            ticks: Ticks::new(clock, clock::now()),
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
        self.finish_confirmed()?;
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
            let stream = &self.rows.streams[source];
            let partition = self.lanes.partition_of(source, &row, stream);
            if self.lanes.has(partition, source, seq) {
                self.count(source, seq, &row);
                self.summary.already_produced += 1;
                self.skip_row().await?;
                continue;
            }
            self.wait_for(row.at, queues).await?;
            let record = self
                .lanes
                .record(source, seq, &row, &self.rows.streams[source]);
            tokio::select! {
                biased;
                sent = queues.send(partition, record) => sent?,
                () = self.links.stop.cancelled() => return Err(End::Stopped),
            }
            self.lanes.count_queued(partition);
            self.count(source, seq, &row);
            if self.ticks.take_after_row(clock::now()) {
                self.tick(queues).await?;
                self.finish_confirmed()?;
            }
            self.report();
        }
    }

    /// Waits until a row that departed `at` is due, and sends ticks meanwhile.
    async fn wait_for(&mut self, at: Option<i64>, queues: &Queues) -> Result<(), End> {
        if self.links.stop.is_cancelled() {
            return Err(End::Stopped);
        }
        // A reject before the first good row has no time to wait for.
        let Some(at) = at else {
            return Ok(());
        };
        let Some(due) = self.ticks.due(at, clock::now()) else {
            return Ok(());
        };
        while clock::now() < due {
            tokio::select! {
                () = self.ticks.sleep(due) => {}
                () = self.links.stop.cancelled() => return Err(End::Stopped),
            }
            if self.ticks.take_while_waiting(clock::now()) {
                self.tick_before(at, queues).await?;
            }
        }
        Ok(())
    }

    /// Sends the replay clock's time, which is before the next row's departure.
    async fn tick_before(&mut self, next_at: i64, queues: &Queues) -> Result<(), End> {
        let now = self.ticks.event_time(clock::now());
        if let (Some(now), Some(reached)) = (now, self.reached) {
            let at = reached.tick_before(next_at, now);
            self.summary.ticks += 1;
            queues.send_all(self.lanes.ticks(at, reached)).await?;
            self.report_at(Some(at));
        }
        Ok(())
    }

    /// Sends the departure reached.
    async fn tick(&mut self, queues: &Queues) -> Result<(), Closed> {
        if let Some(reached) = self.reached
            && let Some(at) = reached.at
        {
            self.summary.ticks += 1;
            queues.send_all(self.lanes.ticks(at, reached)).await?;
        }
        Ok(())
    }

    /// Ends what was sent with a tick, if any row of it had a time.
    async fn last_tick(&mut self, queues: &Queues) -> Result<(), Closed> {
        if let Some(reached) = self.reached
            && let Some(departed_at) = reached.at
        {
            let last = self.lanes.last_ticks(departed_at, reached);
            queues.send_all(last.ticks).await?;
            self.summary.ticks += u64::from(last.was_due);
            let at = Some(last.at);
            self.reached = Some(Reached { at, ..reached });
        }
        Ok(())
    }

    /// Whether the next month has to be added before the next row.
    fn is_month_due(&self) -> bool {
        match self.next_month {
            NextMonth::First => true,
            NextMonth::None => false,
            NextMonth::At(month) => {
                let is_before = |at: Option<i64>| at < Some(month);
                let next = self.rows.peek();
                !self.rows.has_newest() || !next.is_some_and(|row| is_before(row.at))
            }
        }
    }

    /// Adds the next month, as soon as it is ready.
    async fn take_month(&mut self, months: &mut Months, tails: &mut Tails<'_>) -> Result<(), End> {
        let received = tokio::select! {
            received = months.recv() => received,
            () = self.links.stop.cancelled() => return Err(End::Stopped),
        };
        let Some(loaded) = received else {
            self.next_month = NextMonth::None;
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
        let add_at = |month: Month| NextMonth::At(month.starts_at() - OVERLAP_MICROS);
        self.next_month = loaded.next_month.map_or(NextMonth::None, add_at);
        self.summary.duplicate_files += loaded.duplicate_files;
        self.summary.refused_files += loaded.refused_files;
        let sources: Vec<_> = loaded
            .streams
            .iter()
            .map(|stream| stream.source.as_str())
            .collect();
        self.lanes.add(&sources, &tails.find(&sources).await?);
        for stream in &loaded.streams {
            self.total = self
                .total
                .zip(stream.total())
                .map(|(sum, total)| sum + total);
        }
        if matches!(self.next_month, NextMonth::None) {
            self.reporter.total = self.total;
        }
        self.under_way.add(loaded.kept, self.rows.streams.len());
        self.rows.add(loaded.streams);
        Ok(())
    }

    /// Finishes units all of whose rows the topic has confirmed.
    fn finish_confirmed(&mut self) -> Result<(), ProducerError> {
        let Links {
            confirmed, spill, ..
        } = self.links;
        self.under_way
            .finish_confirmed(&self.rows, self.lanes.queued(), confirmed, spill)
    }

    fn next_row(&mut self) -> Result<Option<(usize, u64, Row)>, End> {
        let spill = self.links.spill;
        let row = self.rows.next_row();
        let row = row.map_err(|source| ProducerError::from(spill.error(source)))?;
        Ok(row)
    }

    fn count(&mut self, source: usize, seq: u64, row: &Row) {
        self.summary.rows_read += 1;
        match row.content {
            Content::Trip(_) => self.summary.produced += 1,
            Content::Reject(_) => self.summary.rejected += 1,
        }
        self.reached = Some(Reached::after(self.reached, source, seq, row.at));
    }

    /// Lets other tasks have their turn while many rows are skipped.
    async fn skip_row(&mut self) -> Result<(), End> {
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

    fn report_at(&mut self, at: Option<i64>) {
        let counts = self.counts();
        self.reporter.report(counts, at);
    }

    fn report_end(&mut self) {
        let at = self.reached.and_then(|reached| reached.at);
        let counts = self.counts();
        self.reporter.publish(counts, at);
    }

    fn counts(&self) -> RowCounts {
        self.summary.counts(self.links.confirmed.sum())
    }
}
