//! Polls a feed until told to stop, and sends what each poll says.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::source::FEED_PREFIX;
use domain::{Body, Record, Reject, System, error_chain};
use partition_client::{Backoff, Cluster};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use trip_files::{Progress, Reporter};

use super::changes::Changes;
use super::client::{FeedClient, FileResponse};
use super::error::FeedError;
use super::feed::{self, Counted, Discovery, Listing, SystemInformation};
use super::owner::Owner;
use super::types_file::TypesFile;
use super::url::FeedUrl;
use crate::clock;
use crate::config::ProducerConfig;
use crate::error::ProducerError;
use crate::partition::Partitions;
use crate::pipeline::find_partitions;
use crate::resume::Tails;
use crate::send::{self, Closed, Confirmed, Outgoing, Queues};
use crate::summary::Summary;

/// The longest pause after failures, unless the server asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// The first row of a run: the claims before it say that none was sent.
const FIRST_SEQ: u64 = 1;

/// Rejects that wait until there are counts (chosen: those of a list in which every entry is bad).
const REJECTS_WAITING_MAX: usize = feed::STATIONS_MAX;

/// Polls the feed and sends its statuses until `stop`, or for as many polls as the settings say.
///
/// # Errors
/// [`ProducerError::Feed`] if the feed cannot be used at all; [`ProducerError::TakenOver`] if
/// another run polls it now; [`ProducerError`] if the topic takes no records for too long. A poll that fails later is a warning, is counted, and the next one is
/// made.
pub(crate) async fn run(
    cluster: &Cluster,
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
    let partitions = find_partitions(cluster, &config.topic).await?;
    let tails = Tails::read(cluster, &config.topic, partitions).await?;
    let ends = tails.ends();
    let owner = Owner::new(&config, tails, feed.name.clone()).await?;
    info!(
        source = owner.source(),
        "polls {}", feed.files.station_status
    );

    let confirmed = Confirmed::new(partitions);
    let (queues, waiting) = send::queues(partitions);
    let polling = Polling::new(
        (feed, owner),
        &config,
        partitions,
        &confirmed,
        progress,
        &stop,
    );
    let delivery = send::deliver(cluster, &config, waiting, &ends, &confirmed, &stop);
    let (polling, ()) = tokio::try_join!(polling.run(queues), delivery)?;
    Ok(polling.end())
}

/// Pauses after failures, the first of which is about as long as between two polls.
fn backoff(config: &ProducerConfig) -> Backoff {
    Backoff::new(config.poll_min, config.poll_min.max(PAUSE_MAX))
}

/// A feed whose files are known.
struct Feed {
    client: FeedClient,
    files: Discovery,
    /// `gbfs:<system id>`
    name: String,
    system: System,
}

impl Feed {
    /// Reads the discovery file; waits for a server that is away, unless there is to be one poll
    /// only.
    async fn find(url: &FeedUrl, config: &ProducerConfig) -> Result<Self, ProducerError> {
        let mut client = FeedClient::new(url).map_err(ProducerError::Feed)?;
        let mut backoff = backoff(config);
        loop {
            match Self::discover(&mut client, url).await {
                Ok((files, SystemInformation { id, system })) => {
                    return Ok(Self {
                        client,
                        files,
                        name: format!("{FEED_PREFIX}{id}"),
                        system,
                    });
                }
                Err(error) if error.is_transient() && config.polls_max.is_none() => {
                    let wait = error.retry_after().unwrap_or_else(|| backoff.next_pause());
                    warn!(
                        error = error_chain(&error),
                        pause_ms = wait.as_millis(),
                        "the feed cannot be found yet, retrying: {}",
                        error_chain(&error)
                    );
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(ProducerError::Feed(error)),
            }
        }
    }

    async fn discover(
        client: &mut FeedClient,
        url: &FeedUrl,
    ) -> Result<(Discovery, SystemInformation), FeedError> {
        let files = feed::discovery(&url.to_string(), &client.get(url).await?)?;
        let url = &files.system_information;
        let information = feed::system(&url.to_string(), &client.get(url).await?)?;
        Ok((files, information))
    }
}

/// Makes polls and puts what they say into the queues.
struct Polling<'a> {
    feed: Feed,
    owner: Owner<'a>,
    /// The source of all records.
    source: String,
    /// Whether the record about the feed's system was sent.
    has_sent_system: bool,
    changes: Changes,
    types: TypesFile,
    next_seq: u64,
    /// When the list of stations is to be requested next; none before the first time.
    stations_due: Option<Instant>,
    /// How long that list is good for.
    stations_ttl: Duration,
    /// How long the last counts are good for.
    ttl: Duration,
    backoff: Backoff,
    /// The kind of failure that was rejected last, until a poll succeeds.
    failure: Option<Discriminant<FeedError>>,
    /// For the next poll that succeeds: bad entries of the list of stations, and failures before the
    /// feed was claimed.
    rejects_waiting: Vec<Reject>,
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
        (feed, owner): (Feed, Owner<'a>),
        config: &'a ProducerConfig,
        partitions: Partitions,
        confirmed: &'a Confirmed,
        progress: watch::Sender<Progress>,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            types: TypesFile::new(feed.files.vehicle_types.clone()),
            feed,
            source: owner.source(),
            has_sent_system: false,
            changes: Changes::resume(owner.clock()),
            owner,
            next_seq: FIRST_SEQ,
            stations_due: None,
            stations_ttl: config.poll_min,
            ttl: config.poll_min,
            backoff: backoff(config),
            failure: None,
            rejects_waiting: Vec::new(),
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
                Err(Failed::TakenOver(error)) => return Err(error),
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
        self.reporter.publish(self.summary.counts(confirmed), at);
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

    /// Reads the feed once and sends what is new.
    async fn poll(&mut self, queues: &Queues) -> Result<(), Failed> {
        let stop = self.stop;
        let requesting = self.request();
        let listing = stop
            .run_until_cancelled(requesting)
            .await
            .ok_or(Failed::End(End::Stopped))??;
        let owning = self.own(listing.as_ref(), queues);
        stop.run_until_cancelled(owning)
            .await
            .ok_or(Failed::End(End::Stopped))??;
        let found = listing.map(|listing| self.compare(listing)).transpose()?;
        self.summary.feed.polls += 1;
        self.backoff.reset();
        self.failure = None;
        let Some(Polled { records, missing }) = found else {
            return Ok(());
        };
        self.warn_of_missing(missing);
        if !std::mem::replace(&mut self.has_sent_system, true) {
            let system = Body::System(self.feed.system.clone());
            self.put(system, queues).await.map_err(Failed::End)?;
        }
        for body in records {
            self.send(body, queues).await.map_err(Failed::End)?;
        }
        self.tick(self.changes.clock(), queues)
            .await
            .map_err(|end| Failed::End(end.into()))?;
        let at = self.changes.clock().map(|at| at.timestamp_micros());
        let confirmed = self.confirmed.sum();
        self.reporter.report(self.summary.counts(confirmed), at);
        Ok(())
    }

    /// What the feed says; none if it has not changed.
    async fn request(&mut self) -> Result<Option<Listing<Counted>>, FeedError> {
        if self.stations_due.is_none_or(|due| due <= clock::now()) {
            self.request_stations().await?;
        }
        let url = self.feed.files.station_status.clone();
        let FileResponse::File(bytes) = self.feed.client.get_if_changed(&url).await? else {
            return Ok(None);
        };
        // Until it has been used, the file must be sent again.
        let counts = self.read_counts(&url, &bytes).await;
        let counts = counts.inspect_err(|_| self.feed.client.forget(&url))?;
        Ok(Some(counts))
    }

    async fn read_counts(
        &mut self,
        url: &FeedUrl,
        bytes: &[u8],
    ) -> Result<Listing<Counted>, FeedError> {
        let counts = feed::counts(&url.to_string(), bytes, &self.types.types())?;
        feed::check_time(&url.to_string(), &counts, clock::time_of_day())?;
        self.ttl = counts.ttl;
        if self.changes.lacks_station(&counts) {
            self.request_stations().await?;
        }
        Ok(counts)
    }

    /// Claims the feed at the first counts, and later looks whether it is still this run's.
    async fn own(
        &mut self,
        listing: Option<&Listing<Counted>>,
        queues: &Queues,
    ) -> Result<(), Failed> {
        if self.owner.has_claimed() {
            return self.owner.look().await.map_err(Failed::TakenOver);
        }
        let Some(listing) = listing else {
            return Ok(());
        };
        let at = self.changes.clock().max(Some(listing.last_updated));
        let claimed = self.tick(at, queues).await;
        claimed.map_err(|closed| Failed::End(closed.into()))?;
        let waited = self.owner.wait_for_claims().await;
        waited.map_err(Failed::TakenOver)?;
        // An older run may have sent something before it was claimed.
        self.changes = std::mem::take(&mut self.changes).reach(self.owner.clock());
        Ok(())
    }

    /// What the counts say that was not known.
    fn compare(&mut self, counts: Listing<Counted>) -> Result<Polled, FeedError> {
        let url = self.feed.files.station_status.clone();
        let found = self.changes.take(&url.to_string(), counts);
        let found = found.inspect_err(|_| self.feed.client.forget(&url))?;
        let mut rejects = std::mem::take(&mut self.rejects_waiting);
        rejects.extend(found.rejects);
        let rejects = rejects.into_iter().map(Body::Reject);
        let statuses = found.statuses.into_iter().map(Body::Status);
        Ok(Polled {
            records: rejects.chain(statuses).collect(),
            missing: found.missing,
        })
    }

    async fn request_stations(&mut self) -> Result<(), FeedError> {
        let types_before = self.types.types();
        let rejects = self.types.request(&mut self.feed.client).await?;
        self.wait_with(rejects);
        if self.types.types() != types_before {
            self.feed.client.forget(&self.feed.files.station_status);
        }
        let url = self.feed.files.station_information.clone();
        let response = self.feed.client.get_if_changed(&url).await?;
        if let FileResponse::File(bytes) = response {
            let name = url.to_string();
            let stations = feed::stations(&name, &bytes);
            let stations = stations.inspect_err(|_| self.feed.client.forget(&url))?;
            self.stations_ttl = stations.ttl.max(self.config.poll_min);
            let altered_before = self.changes.altered();
            let rejects = self.changes.take_stations(&name, stations);
            if self.changes.altered() > altered_before {
                // The counts are needed again, also if they have not changed.
                self.feed.client.forget(&self.feed.files.station_status);
            }
            self.wait_with(rejects);
        }
        self.stations_due = Some(clock::now() + self.stations_ttl);
        Ok(())
    }

    fn wait_with(&mut self, rejects: impl IntoIterator<Item = Reject>) {
        self.rejects_waiting.extend(rejects);
        self.rejects_waiting.truncate(REJECTS_WAITING_MAX);
    }

    /// Warns, counts and rejects what could not be used; gives the pause before the next poll.
    async fn fail(&mut self, error: FeedError, queues: &Queues) -> Result<Duration, End> {
        let pause = error.retry_after();
        let pause = pause.unwrap_or_else(|| self.backoff.next_pause());
        self.summary.feed.polls_failed += 1;
        let text = error_chain(&error);
        warn!(
            source = self.source,
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
            match self.owner.has_claimed() {
                true => self.send(Body::Reject(reject), queues).await?,
                false => self.wait_with([reject]),
            }
            self.failure = Some(discriminant(&error));
        }
        Ok(pause)
    }

    fn warn_of_missing(&mut self, missing: usize) {
        if missing > self.missing {
            warn!(
                source = self.source,
                "{} of {} stations are missing in {}: they stay as they were",
                missing,
                self.changes.counted(),
                self.feed.files.station_status,
            );
        }
        self.summary.feed.stations_missing = self.summary.feed.stations_missing.max(missing as u64);
        self.missing = missing;
    }

    /// Sends a row.
    async fn send(&mut self, body: Body, queues: &Queues) -> Result<(), End> {
        let is_reject = matches!(body, Body::Reject(_));
        self.put(body, queues).await?;
        self.next_seq += 1;
        self.summary.rows_read += 1;
        if is_reject {
            self.summary.rejected += 1;
        } else {
            self.summary.produced += 1;
        }
        Ok(())
    }

    async fn put(&self, body: Body, queues: &Queues) -> Result<(), End> {
        let source = self.source.clone();
        let key = match &body {
            Body::Status(status) => status.station.station_id.clone(),
            _ => self.owner.feed().to_owned(),
        };
        let seq = self.next_seq;
        let record = Record { source, seq, body };
        let outgoing = Outgoing {
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: record.to_json().into(),
        };
        tokio::select! {
            biased;
            sent = queues.send(self.partitions.of_key(key.as_bytes()), outgoing) => sent?,
            () = self.stop.cancelled() => return Err(End::Stopped),
        }
        Ok(())
    }

    /// Tells every partition the time.
    async fn tick(&mut self, at: Option<DateTime<Utc>>, queues: &Queues) -> Result<(), Closed> {
        let Some(at) = at else {
            return Ok(());
        };
        let record = Record {
            source: self.source.clone(),
            seq: self.next_seq,
            body: Body::Tick(at),
        };
        let value = Bytes::from(record.to_json());
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
struct Polled {
    records: Vec<Body>,
    missing: usize,
}

/// Why a poll gave nothing.
enum Failed {
    Feed(FeedError),
    End(End),
    /// By another run, or the topic cannot be read.
    TakenOver(ProducerError),
}

impl From<FeedError> for Failed {
    fn from(error: FeedError) -> Self {
        Self::Feed(error)
    }
}
