//! Polls a feed until told to stop, and sends what each poll says.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use domain::{Body, Record, Reject};
use fluvio::Fluvio;
use fluvio::dataplane::record::RecordData;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::changes::Changes;
use super::client::{Answer, FeedClient};
use super::error::FeedError;
use super::feed::{self, Discovery};
use super::url::FeedUrl;
use crate::clock;
use crate::compact::instant;
use crate::config::ProducerConfig;
use crate::error::{ProducerError, chain};
use crate::partition::Partitions;
use crate::pipeline::find_partitions;
use crate::progress::{Progress, Reporter, Summary};
use crate::resume::{Seen, Tails};
use crate::send::{self, Closed, Confirmed, Outgoing, Queues};

/// The longest pause after failures, unless the server asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Polls the feed and sends its statuses until `stop`, or for as many polls as the settings say.
///
/// # Errors
/// [`ProducerError::Feed`] if the feed cannot be used at all; [`ProducerError`] if the topic takes
/// no records for too long. A poll that fails later is a warning, is counted, and the next one is
/// made.
pub(crate) async fn run(
    fluvio: &Fluvio,
    url: FeedUrl,
    config: ProducerConfig,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<Summary, ProducerError> {
    let Some(feed) = stop.run_until_cancelled(Feed::find(&url, &config)).await else {
        return Ok(Summary {
            stopped: true,
            ..Summary::default()
        });
    };
    let feed = feed?;
    let partitions = find_partitions(fluvio, &config.topic).await?;
    let mut tails = Tails::read(fluvio, &config, partitions).await?;
    let held = tails.find(&[&feed.source]).await?.concat();
    info!(source = feed.source, "polls {}", feed.files.station_status);

    let confirmed = Confirmed::new(partitions);
    let (queues, waiting) = send::queues(partitions);
    let polling = Polling::new(
        feed, &config, partitions, &held, &confirmed, progress, &stop,
    );
    let ends = tails.ends();
    let delivery = send::deliver(fluvio, &config, waiting, &ends, &confirmed, &stop);
    let (polling, ()) = tokio::try_join!(polling.run(queues), delivery)?;
    Ok(polling.end())
}

/// A feed whose files are known.
struct Feed {
    client: FeedClient,
    files: Discovery,
    /// `gbfs:<system id>`
    source: String,
}

impl Feed {
    /// Reads the discovery file; waits for a server that is away, unless there is to be one poll
    /// only.
    async fn find(url: &FeedUrl, config: &ProducerConfig) -> Result<Self, ProducerError> {
        let mut client = FeedClient::new(url).map_err(ProducerError::Feed)?;
        let mut pause = config.poll_min;
        loop {
            match Self::discover(&mut client, url).await {
                Ok((files, source)) => {
                    return Ok(Self {
                        client,
                        files,
                        source,
                    });
                }
                Err(error) if error.is_transient() && config.polls_max.is_none() => {
                    let wait = error.retry_after().unwrap_or(pause);
                    warn!(
                        error = chain(&error),
                        pause_ms = wait.as_millis(),
                        "the feed cannot be found yet, asking again: {}",
                        chain(&error)
                    );
                    tokio::time::sleep(wait).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => return Err(ProducerError::Feed(error)),
            }
        }
    }

    async fn discover(
        client: &mut FeedClient,
        url: &FeedUrl,
    ) -> Result<(Discovery, String), FeedError> {
        let files = feed::discovery(&url.to_string(), &client.get(url).await?)?;
        let system = &files.system_information;
        let id = feed::system_id(&system.to_string(), &client.get(system).await?)?;
        Ok((files, format!("gbfs:{id}")))
    }
}

/// Makes polls and puts what they say into the queues.
struct Polling<'a> {
    feed: Feed,
    changes: Changes,
    next_seq: u64,
    /// When the list of stations is to be asked for again; none before the first time.
    stations_due: Option<Instant>,
    /// How long that list is good for.
    stations_ttl: Duration,
    /// How long the last counts are good for.
    ttl: Duration,
    pause: Duration,
    /// The kind of failure that was rejected last, until a poll succeeds.
    failure: Option<Discriminant<FeedError>>,
    /// Bad entries of the list of stations, for the next poll that succeeds.
    station_rejects: Vec<Reject>,
    missing: usize,
    partitions: Partitions,
    config: &'a ProducerConfig,
    summary: Summary,
    reporter: Reporter,
    confirmed: &'a Confirmed,
    stop: &'a CancellationToken,
}

/// Why polling ends.
enum End {
    /// As many polls were made as were asked for.
    Polls,
    /// The run was told to stop.
    Stopped,
    /// A partition has failed; its task gives the error.
    Closed,
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl<'a> Polling<'a> {
    fn new(
        feed: Feed,
        config: &'a ProducerConfig,
        partitions: Partitions,
        held: &[Seen],
        confirmed: &'a Confirmed,
        progress: watch::Sender<Progress>,
        stop: &'a CancellationToken,
    ) -> Self {
        let ticked = held.iter().map(|held| held.ticked).max();
        let clock = ticked.filter(|at| *at != i64::MIN).map(instant);
        Self {
            feed,
            changes: Changes::resume(clock),
            // Each partition's `seq` must grow, so all go on after the greatest.
            next_seq: held.iter().map(|held| held.next_seq).max().unwrap_or(0),
            stations_due: None,
            stations_ttl: config.poll_min,
            ttl: config.poll_min,
            pause: config.poll_min,
            failure: None,
            station_rejects: Vec::new(),
            missing: 0,
            partitions,
            config,
            summary: Summary::default(),
            reporter: Reporter::new(progress),
            confirmed,
            stop,
        }
    }

    /// Polls until there is a reason to end; drops the queues then, so that the tasks end.
    async fn run(mut self, queues: Queues) -> Result<Self, ProducerError> {
        loop {
            let wait = match self.poll(&queues).await {
                Ok(()) => self.ttl.max(self.config.poll_min),
                Err(Failed::Feed(error)) if self.config.polls_max.is_some() => {
                    return Err(ProducerError::Feed(error));
                }
                Err(Failed::Feed(error)) => match self.fail(error, &queues).await {
                    Ok(pause) => pause,
                    Err(end) => return Ok(self.ended(end)),
                },
                Err(Failed::End(end)) => return Ok(self.ended(end)),
            };
            if Some(self.summary.feed.polls) == self.config.polls_max {
                return Ok(self.ended(End::Polls));
            }
            let sleep = tokio::time::sleep(wait);
            if self.stop.run_until_cancelled(sleep).await.is_none() {
                return Ok(self.ended(End::Stopped));
            }
        }
    }

    fn ended(mut self, end: End) -> Self {
        self.summary.stopped = matches!(end, End::Stopped);
        self
    }

    fn end(mut self) -> Summary {
        let at = self.changes.clock().map(|at| at.timestamp_micros());
        let confirmed = self.confirmed.sum();
        self.reporter.publish(&self.summary, confirmed, at);
        let Summary { feed, .. } = self.summary;
        info!(
            polls = feed.polls,
            failed = feed.polls_failed,
            rows = self.summary.rows_read,
            produced = self.summary.produced,
            rejected = self.summary.rejected,
            "polling has ended",
        );
        self.summary
    }

    /// Asks the feed once and sends what is new.
    async fn poll(&mut self, queues: &Queues) -> Result<(), Failed> {
        let stop = self.stop;
        let asked = self.ask();
        let found = stop
            .run_until_cancelled(asked)
            .await
            .ok_or(End::Stopped)
            .map_err(Failed::End)??;
        self.summary.feed.polls += 1;
        (self.pause, self.failure) = (self.config.poll_min, None);
        let Some(Asked { records, missing }) = found else {
            return Ok(());
        };
        self.warn_of_missing(missing);
        for body in records {
            self.send(body, queues).await.map_err(Failed::End)?;
        }
        self.tick(queues)
            .await
            .map_err(|end| Failed::End(end.into()))?;
        let at = self.changes.clock().map(|at| at.timestamp_micros());
        let confirmed = self.confirmed.sum();
        self.reporter.report(&self.summary, confirmed, at);
        Ok(())
    }

    /// What the feed says that was not known; none if it has not changed.
    async fn ask(&mut self) -> Result<Option<Asked>, FeedError> {
        if self.stations_due.is_none_or(|due| due <= clock::now()) {
            self.ask_for_stations().await?;
        }
        let url = self.feed.files.station_status.clone();
        let Answer::File(bytes) = self.feed.client.get_if_changed(&url).await? else {
            return Ok(None);
        };
        // Until it has been taken in, the file must be given again.
        let taken = self.take_counts(&url, &bytes).await;
        if taken.is_err() {
            self.feed.client.forget(&url);
        }
        taken.map(Some)
    }

    async fn take_counts(&mut self, url: &FeedUrl, bytes: &[u8]) -> Result<Asked, FeedError> {
        let name = url.to_string();
        let counts = feed::counts(&name, bytes)?;
        self.ttl = counts.ttl;
        if self.changes.lacks_station(&counts) {
            self.ask_for_stations().await?;
        }
        let found = self.changes.take(&name, counts)?;
        let mut rejects = std::mem::take(&mut self.station_rejects);
        rejects.extend(found.rejects);
        let rejects = rejects.into_iter().map(Body::Reject);
        let statuses = found.statuses.into_iter().map(Body::Status);
        Ok(Asked {
            records: rejects.chain(statuses).collect(),
            missing: found.missing,
        })
    }

    async fn ask_for_stations(&mut self) -> Result<(), FeedError> {
        let url = self.feed.files.station_information.clone();
        let answer = self.feed.client.get_if_changed(&url).await?;
        if let Answer::File(bytes) = answer {
            let name = url.to_string();
            let stations = feed::stations(&name, &bytes);
            let stations = stations.inspect_err(|_| self.feed.client.forget(&url))?;
            self.stations_ttl = stations.ttl.max(self.config.poll_min);
            let rejects = self.changes.take_stations(&name, stations);
            self.station_rejects.extend(rejects);
        }
        self.stations_due = Some(clock::now() + self.stations_ttl);
        Ok(())
    }

    /// Warns, counts and rejects what could not be used; gives the pause before the next poll.
    async fn fail(&mut self, error: FeedError, queues: &Queues) -> Result<Duration, End> {
        let pause = error.retry_after().unwrap_or(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.summary.feed.polls_failed += 1;
        let text = chain(&error);
        warn!(
            source = self.feed.source,
            error = text,
            pause_ms = pause.as_millis(),
            "a poll failed, the docks stay as they were: {text}",
        );
        // What the server said is kept once, however long it goes on saying so.
        if let Some((url, start)) = error.content()
            && self.failure != Some(discriminant(&error))
        {
            let reason = text.strip_prefix(&format!("{url}: ")).unwrap_or(&text);
            let reject = Reject::new(url, 1, reason, start);
            self.send(Body::Reject(reject), queues).await?;
            self.failure = Some(discriminant(&error));
        }
        Ok(pause)
    }

    fn warn_of_missing(&mut self, missing: usize) {
        if missing > self.missing {
            warn!(
                source = self.feed.source,
                "{} of {} stations are missing in {}: they stay as they were",
                missing,
                self.changes.counted(),
                self.feed.files.station_status,
            );
        }
        self.summary.feed.stations_missing = self.summary.feed.stations_missing.max(missing as u64);
        self.missing = missing;
    }

    async fn send(&mut self, body: Body, queues: &Queues) -> Result<(), End> {
        let source = self.feed.source.clone();
        let key = match &body {
            Body::Status(status) => status.station.station_id.clone(),
            _ => source.clone(),
        };
        let is_reject = matches!(body, Body::Reject(_));
        let seq = self.next_seq;
        let record = Record { source, seq, body };
        let outgoing = Outgoing {
            key: Some(RecordData::from(key.as_str())),
            value: record.to_json().into(),
        };
        tokio::select! {
            biased;
            sent = queues.send(self.partitions.of_key(key.as_bytes()), outgoing) => sent?,
            () = self.stop.cancelled() => return Err(End::Stopped),
        }
        self.next_seq += 1;
        self.summary.rows_read += 1;
        if is_reject {
            self.summary.rejected += 1;
        } else {
            self.summary.produced += 1;
        }
        Ok(())
    }

    /// Tells every partition the feed's time.
    async fn tick(&mut self, queues: &Queues) -> Result<(), Closed> {
        let Some(at) = self.changes.clock() else {
            return Ok(());
        };
        let record = Record {
            source: self.feed.source.clone(),
            seq: self.next_seq,
            body: Body::Tick(at),
        };
        let value = RecordData::from(record.to_json());
        for partition in self.partitions.iter() {
            let value = value.clone();
            queues
                .send(partition, Outgoing { key: None, value })
                .await?;
        }
        self.summary.ticks += 1;
        Ok(())
    }
}

/// What a poll gave.
struct Asked {
    records: Vec<Body>,
    missing: usize,
}

/// Why a poll gave nothing.
enum Failed {
    Feed(FeedError),
    End(End),
}

impl From<FeedError> for Failed {
    fn from(error: FeedError) -> Self {
        Self::Feed(error)
    }
}
