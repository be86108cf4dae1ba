//! From the source to the topic, in one flow.
//!
//! ```text
//!  load ─▶ merge ─▶ skip what is there ─▶ wait for its time ─▶ encode ─▶ queue ─▶ topic
//!                                               └─ ticks to every partition ─┘
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use domain::window::window_start;
use fluvio::Fluvio;
use fluvio::dataplane::record::RecordData;
use fluvio::metadata::topic::TopicSpec;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::clock::{self, ReplayClock};
use crate::compact::instant;
use crate::config::ProducerConfig;
use crate::encode::Encoder;
use crate::error::{ClusterError, ProducerError};
use crate::gbfs;
use crate::order::{Content, Merged, Row};
use crate::partition::Partitions;
use crate::progress::{Progress, Reporter, Summary};
use crate::resume::{self, Held};
use crate::send::{self, Closed, Outgoing, Queues};
use crate::source::{Loaded, Source};

/// Ticks are sent at least this often while rows wait for their time.
const TICK_EVERY: Duration = Duration::from_millis(200);

/// At full speed a tick is sent after so many rows.
const TICK_ROWS: u64 = 2_000;

/// Departures are counted in windows of this width; the last tick closes the last one.
const WINDOW: TimeDelta = TimeDelta::seconds(5);

/// Rows an earlier run had sent are passed over this many at a time before others get their turn.
const SKIP_ROWS: u64 = 4_096;

/// How long to wait for a topic that was created just now.
const TOPIC_WITHIN: Duration = Duration::from_secs(10);

/// How often to look for it.
const TOPIC_LOOK_EVERY: Duration = Duration::from_millis(100);

/// Sends the source's rows to the topic, in order of departure, until its end or `stop`; a live feed
/// has no end.
///
/// Returns when the topic has confirmed everything that was sent. Rows that an earlier run has sent
/// are not sent again.
///
/// # Errors
/// [`ProducerError`] if the source cannot be read, or the topic takes no records for too long. A
/// new run goes on where this one stopped.
pub async fn run(
    fluvio: &Fluvio,
    source: Source,
    config: ProducerConfig,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<Summary, ProducerError> {
    if let Source::Gbfs(url) = source {
        return Box::pin(gbfs::run(fluvio, url, config, progress, stop)).await;
    }
    let loaded = load(source, stop.clone()).await?;
    if loaded.stopped {
        return Ok(Summary {
            stopped: true,
            ..Summary::default()
        });
    }
    let partitions = find_partitions(fluvio, &config.topic).await?;
    let sources: Vec<_> = loaded
        .feeds
        .iter()
        .map(|feed| feed.source.clone())
        .collect();
    let held = resume::find(fluvio, &config, partitions, &sources).await?;

    let confirmed = AtomicU64::new(0);
    let (queues, waiting) = send::queues(partitions);
    let replay = Replay::new(
        loaded, &config, partitions, &held, &confirmed, progress, &stop,
    );
    let delivery = send::deliver(fluvio, &config, waiting, &held, &confirmed, &stop);
    let (mut replay, ()) = tokio::try_join!(replay.run(queues), delivery)?;
    replay.report_end();
    info!(
        rows = replay.summary.rows_read,
        produced = replay.summary.produced,
        rejected = replay.summary.rejected,
        already_produced = replay.summary.already_produced,
        "the topic has confirmed all rows",
    );
    Ok(replay.summary)
}

/// Reads the files on a thread that may block.
async fn load(source: Source, stop: CancellationToken) -> Result<Loaded, ProducerError> {
    tokio::task::spawn_blocking(move || source.load(&stop)).await?
}

/// Asks for the topic until it is there: one that was created just now may take a moment.
pub(crate) async fn find_partitions(
    fluvio: &Fluvio,
    topic: &str,
) -> Result<Partitions, ProducerError> {
    let error = |source| ProducerError::Topic {
        topic: topic.to_owned(),
        source,
    };
    let started = clock::now();
    let admin = fluvio.admin().await;
    loop {
        let asked = admin
            .list::<TopicSpec, String>(vec![topic.to_owned()])
            .await;
        let found = asked.map_err(|e| error(e.into()))?;
        let exact = found.into_iter().find(|found| found.name == topic);
        let partitions = exact.and_then(|found| Partitions::new(found.spec.partitions()));
        // The client's own knowledge of topics comes by another way, and later.
        let is_known = fluvio.topic_producer(topic).await.is_ok();
        match partitions {
            Some(partitions) if is_known => return Ok(partitions),
            _ if started.elapsed() >= TOPIC_WITHIN => return Err(error(ClusterError::NoTopic)),
            _ => tokio::time::sleep(TOPIC_LOOK_EVERY).await,
        }
    }
}

/// Takes rows in order and puts them, and ticks, into the queues.
struct Replay<'a> {
    rows: Merged,
    encoders: Vec<Encoder>,
    /// The partition of each source's rejects.
    reject_partitions: Vec<u32>,
    partitions: Partitions,
    held: &'a [Held],
    clock: ReplayClock,
    last_tick: Instant,
    /// Rows sent since the last tick.
    rows_since_tick: u64,
    /// The source of the last row taken, how many of its rows were, and its departure.
    reached: Option<Reached>,
    summary: Summary,
    reporter: Reporter,
    confirmed: &'a AtomicU64,
    stop: &'a CancellationToken,
}

#[derive(Debug, Clone, Copy)]
struct Reached {
    source: usize,
    next_seq: u64,
    /// Microseconds; the newest of all rows taken.
    at: i64,
}

/// Why no more rows are taken.
enum End {
    /// There are no more.
    Source,
    /// The run was told to stop.
    Stopped,
    /// A partition has failed.
    Closed,
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl<'a> Replay<'a> {
    fn new(
        loaded: Loaded,
        config: &ProducerConfig,
        partitions: Partitions,
        held: &'a [Held],
        confirmed: &'a AtomicU64,
        progress: watch::Sender<Progress>,
        stop: &'a CancellationToken,
    ) -> Self {
        let rows = Merged::new(loaded.feeds);
        let sources = || rows.feeds.iter().map(|feed| feed.source.as_str());
        Self {
            encoders: sources().map(Encoder::new).collect(),
            reject_partitions: sources()
                .map(|source| partitions.of_key(source.as_bytes()))
                .collect(),
            partitions,
            held,
            clock: ReplayClock::new(config.speed),
            last_tick: clock::now(),
            rows_since_tick: 0,
            reached: None,
            summary: Summary {
                duplicate_files: loaded.duplicate_files,
                refused_files: loaded.refused_files,
                ..Summary::default()
            },
            reporter: Reporter::new(progress, rows.total()),
            rows,
            confirmed,
            stop,
        }
    }

    /// Takes all rows; drops the queues at the end, so that the tasks end.
    async fn run(mut self, queues: Queues) -> Result<Self, ProducerError> {
        let end = match self.take_rows(&queues).await {
            Ok(()) => End::Source,
            Err(end) => end,
        };
        match end {
            // An error here is the partition's own: its task gives it.
            End::Source => self.last_tick(&queues).await.unwrap_or(()),
            End::Stopped => self.summary.stopped = true,
            End::Closed => {}
        }
        Ok(self)
    }

    async fn take_rows(&mut self, queues: &Queues) -> Result<(), End> {
        while let Some((source, seq, row)) = self.rows.next() {
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
                () = self.stop.cancelled() => return Err(End::Stopped),
            }
            self.count(source, seq, &row);
            self.rows_since_tick += 1;
            self.tick_if_due(queues).await?;
            self.report();
        }
        Ok(())
    }

    fn partition_of(&self, source: usize, row: &Row) -> u32 {
        match &row.content {
            Content::Reject(_) => self.reject_partitions[source],
            Content::Trip(trip) => {
                let names = self.rows.feeds[source].names();
                self.partitions
                    .of_hash(names.station_key(trip.from.station).hash)
            }
        }
    }

    fn encode(&self, source: usize, seq: u64, row: &Row) -> Outgoing {
        let encoder = &self.encoders[source];
        let feed = &self.rows.feeds[source];
        match &row.content {
            Content::Reject(reject) => Outgoing {
                key: Some(RecordData::from(feed.source.as_str())),
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
            if self.stop.is_cancelled() {
                return Err(End::Stopped);
            }
        }
        Ok(())
    }

    /// Waits until a row that departed `at` is due, and sends ticks meanwhile.
    async fn wait_for(&mut self, at: i64, queues: &Queues) -> Result<(), End> {
        if self.stop.is_cancelled() {
            return Err(End::Stopped);
        }
        // A reject before the first good row has no time to wait for.
        if at == i64::MIN {
            return Ok(());
        }
        let Some(due) = self.clock.due(at) else {
            return Ok(());
        };
        while clock::now() < due {
            let wake = due.min(self.last_tick + TICK_EVERY);
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                () = self.stop.cancelled() => return Err(End::Stopped),
            }
            self.tick_while_waiting(at, queues).await?;
        }
        Ok(())
    }

    /// Sends the replay clock's time, which is before the next row's departure.
    async fn tick_while_waiting(&mut self, next_at: i64, queues: &Queues) -> Result<(), End> {
        if self.last_tick.elapsed() < TICK_EVERY {
            return Ok(());
        }
        self.last_tick = clock::now();
        if let (Some(now), Some(reached)) = (self.clock.event_time(), self.reached) {
            let at = now.min(next_at).max(reached.at);
            self.tick(at, reached, queues).await?;
            self.report_at(at);
        }
        Ok(())
    }

    /// Sends the departure reached, if the last tick was long ago.
    async fn tick_if_due(&mut self, queues: &Queues) -> Result<(), End> {
        let is_due = if self.clock.is_paced() {
            self.last_tick.elapsed() >= TICK_EVERY
        } else {
            self.rows_since_tick >= TICK_ROWS
        };
        if let (true, Some(reached)) = (is_due, self.reached) {
            self.last_tick = clock::now();
            self.rows_since_tick = 0;
            self.tick(reached.at, reached, queues).await?;
        }
        Ok(())
    }

    /// Sends a tick to every partition.
    async fn tick(&mut self, at: i64, reached: Reached, queues: &Queues) -> Result<(), Closed> {
        if at == i64::MIN {
            return Ok(());
        }
        self.summary.ticks += 1;
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
        if self.held[partition as usize].is_past(reached.source, reached.next_seq) {
            return Ok(());
        }
        let value = self.encoders[reached.source].tick(reached.next_seq, at);
        let value = value.into();
        queues.send(partition, Outgoing { key: None, value }).await
    }

    /// Sends the end of the last departure's window to the partitions that do not hold it yet.
    async fn last_tick(&mut self, queues: &Queues) -> Result<(), Closed> {
        let Some(reached) = self.reached.filter(|reached| reached.at != i64::MIN) else {
            return Ok(());
        };
        let end = window_start(instant(reached.at), WINDOW) + WINDOW;
        let at = end.timestamp_micros();
        let lacking = |partition: &u32| self.held[*partition as usize].ticked < at;
        let partitions: Vec<_> = self.partitions.iter().filter(lacking).collect();
        for &partition in &partitions {
            self.tick_to(partition, at, reached, queues).await?;
        }
        self.summary.ticks += u64::from(!partitions.is_empty());
        self.reached = Some(Reached { at, ..reached });
        Ok(())
    }

    fn report(&mut self) {
        if let Some(reached) = self.reached {
            self.report_at(reached.at);
        }
    }

    fn report_at(&mut self, at: i64) {
        let confirmed = self.confirmed.load(Ordering::Relaxed);
        let at = Some(at).filter(|at| *at != i64::MIN);
        self.reporter.report(&self.summary, confirmed, at);
    }

    fn report_end(&mut self) {
        let confirmed = self.confirmed.load(Ordering::Relaxed);
        let at = self.reached.map(|reached| reached.at);
        let at = at.filter(|at| *at != i64::MIN);
        self.reporter.publish(&self.summary, confirmed, at);
    }
}
