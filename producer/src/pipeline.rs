//! From the source to the topic, in one flow.
//!
//! ```text
//!  months ─▶ merge ─▶ skip what is there ─▶ wait for its time ─▶ encode ─▶ queue ─▶ topic
//!                                                 └─ ticks to every partition ─┘
//! ```
//!
//! A month is added to the merge when the one before has nearly ended; files without a month are in
//! it from the beginning. So any number of years takes the memory and the disk of a few months.

mod lanes;
mod replay;
mod ticks;
mod under_way;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use partition_client::{Cause, ClientError, Cluster};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;
use trip_files::{HeldFiles, Progress, Reading, SentUnit, Spill};

pub use self::lanes::{Lanes, LastTicks, Reached};
use self::replay::{Links, Replay};
pub use self::ticks::Ticks;
use crate::clock::{self, ReplayClock};
use crate::config::ProducerConfig;
use crate::error::ProducerError;
use crate::gbfs;
use crate::partition::Partitions;
use crate::resume::Tails;
use crate::send::{self, Confirmed};
use crate::source::Source;
use crate::summary::Summary;

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
// Boxed: a future's code is compiled where it is polled, and is to be optimized as this crate is.
pub fn run(
    cluster: &Cluster,
    source: Source,
    config: ProducerConfig,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> BoxFuture<'_, Result<Summary, ProducerError>> {
    Box::pin(async move {
        let source = match source {
            Source::Gbfs(url) => {
                return Box::pin(gbfs::run(cluster, url, config, progress, stop)).await;
            }
            Source::Trips(source) => source,
        };
        let spill = Arc::new(Spill::new(&config.files)?);
        // Whatever ends the run ends reading: its thread is not waited for.
        let reading_stop = stop.child_token();
        let reading = Reading::new(progress.clone(), reading_stop.clone());
        let _stop_reading = reading_stop.drop_guard();
        let Some(source) = Box::pin(source.open(&config.files.s3, &spill, &reading)).await? else {
            return Ok(Summary {
                stopped: true,
                ..Summary::default()
            });
        };
        let partitions = Box::pin(find_partitions(cluster, &config.topic)).await?;
        // Out of the run's own future: what is needed once must not make it large for good.
        let mut tails = Box::pin(Tails::read(cluster, &config.topic, partitions)).await?;
        let held = HeldFiles {
            sent: units_on_topic(source.sent(), &mut tails).await?,
            taken: begun_files(&source.taken(), &mut tails).await?,
        };
        let ends = tails.ends();

        let confirmed = Confirmed::new(partitions);
        let (queues, waiting) = send::queues(partitions);
        let links = Links {
            partitions,
            confirmed: &confirmed,
            stop: &stop,
            spill: &spill,
        };
        let clock = ReplayClock::new(config.speed, config.paced_from);
        let mut replay = Replay::new(links, clock, progress);
        replay.count_sent(&held.sent);
        let months = source.start(held);
        let delivery = send::deliver(cluster, &config, waiting, &ends, &confirmed, &stop);
        let (replay, ()) = tokio::try_join!(replay.run(months, tails, queues), delivery)?;
        let summary = replay.end()?;
        info!(
            rows = summary.rows_read,
            produced = summary.produced,
            rejected = summary.rejected,
            already_produced = summary.already_produced,
            "the topic has confirmed all rows",
        );
        Ok(summary)
    })
}

/// Of the units that were noted as sent, those that this topic holds: it may be a new one.
async fn units_on_topic(
    sent: Vec<SentUnit>,
    tails: &mut Tails<'_>,
) -> Result<Vec<SentUnit>, ProducerError> {
    let files = || sent.iter().flat_map(|unit| &unit.files);
    let hashes: Vec<_> = files().map(|file| file.hash).collect();
    let next_seqs = next_seqs(&hashes, tails).await?;
    // The last row is on some partition; the note says that those before it were confirmed.
    let is_there: Vec<_> = files()
        .zip(next_seqs)
        .map(|(file, next_seq)| next_seq >= file.counts.rows)
        .collect();
    let mut is_there = is_there.into_iter();
    let is_unit_there = |unit: &SentUnit| {
        let files: Vec<_> = is_there.by_ref().take(unit.files.len()).collect();
        files.into_iter().all(|is_there| is_there)
    };
    Ok(sent.into_iter().filter(is_unit_there).collect())
}

/// Of the files with these hashes, those of which this topic holds rows, and how many.
async fn begun_files(
    hashes: &[u64],
    tails: &mut Tails<'_>,
) -> Result<HashMap<u64, u64>, ProducerError> {
    let next_seqs = next_seqs(hashes, tails).await?;
    let files = hashes.iter().copied().zip(next_seqs);
    Ok(files.filter(|(_, next_seq)| *next_seq > 0).collect())
}

/// For each file the first `seq` that is on no partition.
async fn next_seqs(
    hashes: &[u64],
    tails: &mut Tails<'_>,
) -> Result<impl Iterator<Item = u64>, ProducerError> {
    let identities: Vec<_> = hashes.iter().map(|hash| format!("{hash:016x}")).collect();
    let identities: Vec<_> = identities.iter().map(String::as_str).collect();
    let partitions = tails.find(&identities).await?;
    let next_seq = move |file: usize| partitions.iter().map(|seen| seen[file].next_seq).max();
    Ok((0..hashes.len()).map(move |file| next_seq(file).unwrap_or(0)))
}

/// Waits for the topic: one that was created just now may take a moment until it can be written.
pub(crate) async fn find_partitions(
    cluster: &Cluster,
    topic: &str,
) -> Result<Partitions, ProducerError> {
    let error = |source| ProducerError::Topic {
        topic: topic.to_owned(),
        source: Box::new(source),
    };
    let started = clock::now();
    loop {
        let shape = cluster.topic_shape(topic).await.map_err(error)?;
        let count = shape.map_or(0, |shape| shape.partitions);
        let partitions = Partitions::of_topic(topic, count)?;
        let missing = match partitions {
            None => ClientError {
                doing: format!("find topic \"{topic}\" in Fluvio"),
                cause: Cause::NoTopic,
            },
            // Each partition's leader must know of it.
            Some(partitions) => match cluster.log_ends(topic).await {
                Ok(_) => return Ok(partitions),
                Err(error) => error,
            },
        };
        if started.elapsed() >= TOPIC_WITHIN {
            return Err(error(missing));
        }
        tokio::time::sleep(TOPIC_LOOK_EVERY).await;
    }
}
