//! One partition's task: gathers batches, delivers them, and after a failure looks at what is there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::record::RecordHead;
use domain::source::SourceName;
use domain::{Position, error_chain};
use fluvio::{
    DeliverySemantic, Fluvio, Isolation, RetryPolicy, TopicProducerConfigBuilder, TopicProducerPool,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Outgoing;
use crate::clock;
use crate::config::ProducerConfig;
use crate::error::{ClusterError, ProducerError};
use crate::resume::Log;

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How much later than the broker the client gives up waiting for an answer.
const ANSWER_GRACE: Duration = Duration::from_secs(2);

/// How long a run that was told to stop still waits for an answer.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The client's own limit of a batch: never reached, so that one delivery is one batch.
const CLIENT_BATCH_BYTES: usize = 1 << 20;

/// The client must not send on its own: a batch is sent when it is complete.
const CLIENT_LINGER: Duration = Duration::from_secs(3_600);

/// Delivers the records of one partition in order.
pub(super) struct Task<'a> {
    fluvio: &'a Fluvio,
    config: &'a ProducerConfig,
    partition: u32,
    /// Where the next record will stand, or later if others write too.
    next_offset: i64,
    producer: Option<TopicProducerPool>,
    confirmed: &'a AtomicU64,
    stop: &'a CancellationToken,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        fluvio: &'a Fluvio,
        config: &'a ProducerConfig,
        partition: u32,
        next_offset: i64,
        confirmed: &'a AtomicU64,
        stop: &'a CancellationToken,
    ) -> Self {
        Self {
            fluvio,
            config,
            partition,
            next_offset,
            producer: None,
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
            if bytes > self.config.batch_bytes.min(CLIENT_BATCH_BYTES / 2) {
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
        let mut pause = FIRST_PAUSE;
        let mut result = self.send(&batch).await;
        while let Err(error) = result {
            self.producer = None;
            if started.elapsed() >= self.config.give_up_after || self.stop.is_cancelled() {
                return Err(ProducerError::Undelivered {
                    records: batch.len(),
                    at: self.position(),
                    waited: started.elapsed(),
                    source: error,
                });
            }
            warn!(
                topic = self.config.topic,
                partition = self.partition,
                offset = self.next_offset,
                error = error_chain(&error),
                "{} records could not be stored at {}, trying again in {} ms: {}",
                batch.len(),
                self.position(),
                pause.as_millis(),
                error_chain(&error),
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
            // It may be there although no answer came.
            result = match self.remove_stored(&mut batch).await {
                Ok(()) => self.send(&batch).await,
                Err(error) => Err(error),
            };
        }
        if pause > FIRST_PAUSE {
            info!(
                topic = self.config.topic,
                partition = self.partition,
                offset = self.next_offset,
                elapsed_ms = started.elapsed().as_millis(),
                "stored after all, before {}",
                self.position(),
            );
        }
        Ok(())
    }

    /// Tries once; gives up early if told to stop.
    async fn send(&mut self, batch: &[Outgoing]) -> Result<(), ClusterError> {
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
            () = stopped => Err(ClusterError::Silent(STOP_GRACE)),
        }
    }

    /// Sends the records as one batch and gives the offset after the last one.
    async fn try_send(&mut self, batch: &[Outgoing]) -> Result<i64, ClusterError> {
        let within = self.config.answer_within + ANSWER_GRACE;
        let silent = |_| ClusterError::Silent(within);
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => timeout(within, self.connect()).await.map_err(silent)??,
        };
        let mut outputs = Vec::with_capacity(batch.len());
        for record in batch {
            let sending = producer.send(record.record_key(), record.value.clone());
            outputs.push(sending.await?);
        }
        timeout(within, producer.flush()).await.map_err(silent)??;
        let mut end = self.next_offset;
        for output in outputs {
            let stored = timeout(within, output.wait()).await.map_err(silent)?;
            end = stored.map_err(anyhow::Error::from)?.offset() + 1;
        }
        self.producer = Some(producer);
        Ok(end)
    }

    async fn connect(&self) -> Result<TopicProducerPool, ClusterError> {
        let never_again = RetryPolicy {
            // The client repeats blindly; we look first.
            max_retries: 0,
            timeout: self.config.answer_within + ANSWER_GRACE,
            ..RetryPolicy::default()
        };
        let config = TopicProducerConfigBuilder::default()
            .set_specific_partitioner(self.partition)
            .batch_size(CLIENT_BATCH_BYTES)
            .linger(CLIENT_LINGER)
            .isolation(Isolation::ReadCommitted)
            .timeout(self.config.answer_within)
            .delivery_semantic(DeliverySemantic::AtLeastOnce(never_again))
            .build()
            .map_err(|error| ClusterError::Fluvio(error.to_string()))?;
        let topic = self.config.topic.as_str();
        Ok(self
            .fluvio
            .topic_producer_with_config(topic, config)
            .await?)
    }

    /// Takes out of `batch` what the partition holds already.
    ///
    /// # Errors
    /// If the partition cannot be read, or holds records that are not yet on every replica: they
    /// must be neither sent again nor taken for safe.
    async fn remove_stored(&mut self, batch: &mut Vec<Outgoing>) -> Result<(), ClusterError> {
        let log = Log::new(self.fluvio, self.config, self.partition).await;
        let log = log.map_err(cluster_error)?;
        let mut stored = 0;
        let mut look = |value: &[u8]| stored += usize::from(is_next(batch, stored, value));
        let looked = log.read_on(self.next_offset, &mut look).await;
        self.next_offset = looked.map_err(cluster_error)?;
        batch.drain(..stored);
        if batch.is_empty() {
            return Ok(());
        }
        let mut waiting = 0;
        let mut look = |value: &[u8]| waiting += usize::from(is_next(batch, waiting, value));
        let looked = log.read_unreplicated(self.next_offset, &mut look).await;
        looked.map_err(cluster_error)?;
        if waiting > 0 {
            return Err(ClusterError::NotReplicated);
        }
        Ok(())
    }

    fn position(&self) -> Position {
        Position {
            topic: self.config.topic.clone(),
            partition: self.partition,
            offset: self.next_offset,
        }
    }
}

/// The next record, if one comes before the deadline.
async fn more(waiting: &mut mpsc::Receiver<Outgoing>, deadline: Instant) -> Option<Outgoing> {
    match waiting.try_recv() {
        Ok(record) => Some(record),
        Err(_) => timeout_at(deadline, waiting.recv()).await.ok().flatten(),
    }
}

/// Whether a stored value is the record of the batch at `index`.
fn is_next(batch: &[Outgoing], index: usize, value: &[u8]) -> bool {
    let Some(record) = batch.get(index) else {
        return false;
    };
    let heads = (RecordHead::read(&record.value), RecordHead::read(value));
    let (Some(ours), Some(theirs)) = heads else {
        return false;
    };
    let same_source = SourceName::of(&ours.source) == SourceName::of(&theirs.source);
    same_source && (ours.seq, ours.tick) == (theirs.seq, theirs.tick)
}

fn cluster_error(error: ProducerError) -> ClusterError {
    match error {
        ProducerError::Tail { source, .. } | ProducerError::Topic { source, .. } => source,
        other => ClusterError::Fluvio(error_chain(&other)),
    }
}
