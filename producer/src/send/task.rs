//! One partition's task: gathers batches, delivers them, and after a failure looks at what is there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::{Position, error_chain};
use fluvio_compression::Compression;
use partition_client::{Backoff, Cause, ClientError, Cluster, PartitionClient, TopicPartition};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Outgoing, StoredPrefix, batch};
use crate::clock;
use crate::config::ProducerConfig;
use crate::error::ProducerError;
use crate::resume::Log;

/// About the first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Most bytes of a batch, whatever is configured: a broker takes 2 MiB.
const BATCH_BYTES_MAX: usize = 512 << 10;

/// How long a run that was told to stop still waits for a response.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Delivers the records of one partition in order.
pub(super) struct Task<'a> {
    log: Log<'a>,
    cluster: &'a Cluster,
    config: &'a ProducerConfig,
    /// Where the next record will stand, or later if others write too.
    next_offset: i64,
    /// None before the first batch and after an error.
    leader: Option<Leader>,
    confirmed: &'a AtomicU64,
    stop: &'a CancellationToken,
}

/// The partition's leader, and what it takes.
struct Leader {
    client: PartitionClient,
    compression: Compression,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        config: &'a ProducerConfig,
        partition: u32,
        next_offset: i64,
        confirmed: &'a AtomicU64,
        stop: &'a CancellationToken,
    ) -> Self {
        let topic = config.topic.clone();
        Self {
            log: Log::new(cluster, TopicPartition { topic, partition }),
            cluster,
            config,
            next_offset,
            leader: None,
            confirmed,
            stop,
        }
    }

    /// Delivers what comes through the queue until its other end is dropped.
    pub(super) async fn run(
        mut self,
        mut waiting: mpsc::Receiver<Outgoing>,
    ) -> Result<(), ProducerError> {
        let mut next = None;
        while let Some(batch) = self.gather(&mut next, &mut waiting).await {
            let rows = batch.iter().filter(|record| record.key.is_some()).count();
            self.deliver(batch).await?;
            self.confirmed.fetch_add(rows as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes records until the batch is full or has waited long enough.
    ///
    /// `next` holds the record that did not fit into the batch before.
    async fn gather(
        &self,
        next: &mut Option<Outgoing>,
        waiting: &mut mpsc::Receiver<Outgoing>,
    ) -> Option<Vec<Outgoing>> {
        let first = match next.take() {
            Some(record) => record,
            None => waiting.recv().await?,
        };
        let deadline = clock::now() + self.config.linger;
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        while let Some(record) = more(waiting, deadline).await {
            bytes += record.bytes();
            if bytes > self.config.batch_bytes.min(BATCH_BYTES_MAX) {
                *next = Some(record);
                break;
            }
            batch.push(record);
        }
        Some(batch)
    }

    /// Delivers a batch, however often it takes, until it is there or time is up.
    async fn deliver(&mut self, mut batch: Vec<Outgoing>) -> Result<(), ProducerError> {
        let started = clock::now();
        let mut backoff = Backoff::new(FIRST_PAUSE, PAUSE_MAX);
        let mut result = self.send(&batch).await;
        let has_failed = result.is_err();
        while let Err(error) = result {
            self.leader = None;
            if started.elapsed() >= self.config.give_up_after || self.stop.is_cancelled() {
                return Err(ProducerError::Undelivered {
                    records: batch.len(),
                    at: self.position(),
                    waited: started.elapsed(),
                    source: Box::new(error),
                });
            }
            let pause = backoff.next_pause();
            warn!(
                topic = self.config.topic,
                partition = self.log.partition.partition,
                offset = self.next_offset,
                error = error_chain(&error),
                "{} records could not be stored at {}, retrying in {} ms: {}",
                batch.len(),
                self.position(),
                pause.as_millis(),
                error_chain(&error),
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
            // It may be there although no response came.
            result = match self.remove_stored(&mut batch).await {
                Ok(()) => self.send(&batch).await,
                Err(error) => Err(error),
            };
        }
        if has_failed {
            info!(
                topic = self.config.topic,
                partition = self.log.partition.partition,
                offset = self.next_offset,
                elapsed_ms = started.elapsed().as_millis(),
                "stored after all, before {}",
                self.position(),
            );
        }
        Ok(())
    }

    /// Tries once; gives up early if told to stop.
    async fn send(&mut self, batch: &[Outgoing]) -> Result<(), ClientError> {
        if batch.is_empty() {
            return Ok(());
        }
        let stop = self.stop;
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            biased;
            sent = self.try_send(batch) => {
                self.next_offset = sent?;
                Ok(())
            }
            () = stopped => Err(self.not_stored(Cause::Timeout(STOP_GRACE))),
        }
    }

    /// Sends the records as one batch and gives the offset after the last one.
    async fn try_send(&mut self, batch: &[Outgoing]) -> Result<i64, ClientError> {
        let mut leader = match self.leader.take() {
            Some(leader) => leader,
            None => self.find_leader().await?,
        };
        let at_ms = clock::wall_clock_ms();
        let encoded = batch::encode(batch, at_ms, leader.compression)
            .map_err(|error| self.not_stored(error.into()))?;
        let base_offset = leader.client.append(vec![encoded]).await?;
        self.leader = Some(leader);
        Ok(base_offset + i64::try_from(batch.len()).unwrap_or(i64::MAX))
    }

    async fn find_leader(&self) -> Result<Leader, ClientError> {
        let partition = self.log.partition.clone();
        let compression = self.cluster.topic_compression(&partition.topic).await?;
        let Some(compression) = compression else {
            return Err(self.not_stored(Cause::NoTopic));
        };
        let client = PartitionClient::open(self.cluster, partition).await?;
        Ok(Leader {
            client,
            compression,
        })
    }

    /// Takes out of `batch` what the partition holds already.
    ///
    /// # Errors
    /// If the partition cannot be read, or holds records that are not yet on every replica: they
    /// must be neither sent again nor taken for safe.
    async fn remove_stored(&mut self, batch: &mut Vec<Outgoing>) -> Result<(), ClientError> {
        let mut stored = StoredPrefix::of(batch);
        let mut see = |value: &[u8]| stored.see(value);
        self.next_offset = self.log.read_on(self.next_offset, &mut see).await?;
        let stored = stored.count();
        batch.drain(..stored);
        if batch.is_empty() {
            return Ok(());
        }
        let mut waiting = StoredPrefix::of(batch);
        let mut see = |value: &[u8]| waiting.see(value);
        let unreplicated = self.log.read_unreplicated(self.next_offset, &mut see);
        unreplicated.await?;
        match waiting.count() {
            0 => Ok(()),
            _ => Err(self.not_stored(Cause::NotReplicated)),
        }
    }

    fn not_stored(&self, cause: Cause) -> ClientError {
        ClientError {
            doing: format!("write to {} in Fluvio", self.log.partition),
            cause,
        }
    }

    fn position(&self) -> Position {
        self.log.partition.at(self.next_offset)
    }
}

/// The next record, if one comes before the deadline.
async fn more(waiting: &mut mpsc::Receiver<Outgoing>, deadline: Instant) -> Option<Outgoing> {
    match waiting.try_recv() {
        Ok(record) => Some(record),
        Err(_) => timeout_at(deadline, waiting.recv()).await.ok().flatten(),
    }
}
