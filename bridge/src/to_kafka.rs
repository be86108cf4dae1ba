//! Fluvio → Kafka, one partition: records and how far they go in one Kafka transaction.
//!
//! ```text
//! session: fence older bridges ─▶ read the progress ─▶ stream from there
//!        response ─▶ begin ─ records ─ progress ─ commit ─▶ acknowledge
//! ```
//! After any failure the session ends. The next one's producer has the same transactional id, so
//! Kafka ends what was left open before the progress is read.

mod outputs;
mod stored;
mod transaction;

use std::sync::Arc;

use partition_client::{Cluster, OffsetRange, PartitionClient, TopicPartition};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::outputs::ModuleOutputs;
use self::stored::StoredRecords;
use self::transaction::Writer;
use crate::config::BridgeConfig;
use crate::counts::Counts;
use crate::error::BridgeError;
use crate::kafka::{Kafka, blocking};
use crate::progress::{self, Progress};
use crate::record::Record;
use crate::resume::{self, NextOffset};
use crate::retry::Retry;
use crate::route::Route;

/// Copies one partition.
pub(crate) struct ToKafka<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) kafka: &'a Kafka,
    pub(crate) config: &'a BridgeConfig,
    pub(crate) route: &'a Route,
    pub(crate) partition: u32,
    pub(crate) counts: &'a Counts,
    pub(crate) stop: &'a CancellationToken,
}

/// Where a session stands.
struct Session<'a> {
    writer: Arc<Writer>,
    source: Source<'a>,
    next_offset: i64,
    /// The end of the log when the session began.
    end: i64,
}

/// Where a session's records come from.
enum Source<'a> {
    /// As they are stored.
    Stored(Box<StoredRecords<'a>>),
    /// As a SmartModule gives them.
    Outputs(Box<ModuleOutputs<'a>>),
}

/// Records of one response of the broker, for one transaction.
struct Taken {
    records: Vec<Record>,
    progress: Progress,
}

impl Source<'_> {
    /// Waits for the next records; none if nothing more comes before the end.
    async fn next(&mut self) -> Result<Option<Taken>, BridgeError> {
        match self {
            Self::Stored(records) => records.next().await.map(Some),
            Self::Outputs(outputs) => outputs.next().await,
        }
    }

    /// The records are in Kafka: the broker may send more.
    async fn acknowledge(&mut self) -> Result<(), BridgeError> {
        match self {
            Self::Stored(records) => records.acknowledge().await,
            Self::Outputs(outputs) => outputs.acknowledge().await,
        }
    }
}

impl ToKafka<'_> {
    /// Copies until told to stop, or the end that was there at the start.
    pub(crate) async fn run(&self) -> Result<(), BridgeError> {
        let mut retry = Retry::new();
        let what = format!("{}/{}", self.route, self.partition);
        while !self.stop.is_cancelled() {
            match self.session(&mut retry).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.counts.failed(error.chain());
                    retry.wait(&what, error, self.stop).await?;
                }
            }
        }
        Ok(())
    }

    async fn session(&self, retry: &mut Retry) -> Result<(), BridgeError> {
        let mut session = tokio::select! {
            session = self.resume() => session?,
            () = self.stop.cancelled() => return Ok(()),
        };
        while !self.config.once || session.next_offset < session.end {
            let taken = tokio::select! {
                taken = session.source.next() => taken?,
                () = self.stop.cancelled() => return Ok(()),
            };
            let Some(Taken { records, progress }) = taken else {
                return Ok(());
            };
            let count = records.len();
            let writer = Arc::clone(&session.writer);
            blocking(move || writer.write(&records, progress)).await?;
            self.counts.add_copied(count);
            self.counts.moved(progress.next_offset);
            session.next_offset = progress.next_offset;
            session.source.acknowledge().await?;
            retry.reset();
        }
        Ok(())
    }

    /// Fences older bridges and finds where to go on.
    async fn resume(&self) -> Result<Session<'_>, BridgeError> {
        let (kafka, config) = (self.kafka.clone(), self.config.clone());
        let (route, partition) = (self.route.clone(), self.partition);
        let (writer, mut progress) = blocking(move || {
            let writer = Writer::open(&kafka, &config, &route, partition)?;
            let key = progress::key(&route, partition);
            let progress = progress::read(&kafka, &progress::topic(&config.name), &key)?;
            let progress = progress.unwrap_or_default();
            writer.mark(&kafka, progress.next_offset)?;
            Ok::<_, BridgeError>((writer, progress))
        })
        .await?;
        let mut client = PartitionClient::open(self.cluster, self.source()).await?;
        let range = client.offset_range().await?;
        progress.next_offset = self.checked(progress.next_offset, range)?;
        if progress.next_offset > range.start {
            self.check_same_log(&mut client, &progress).await?;
        }
        info!(
            topic = self.route.target,
            partition = self.partition,
            offset = progress.next_offset,
            "{}/{}: goes on at Fluvio offset {}",
            self.route,
            self.partition,
            progress.next_offset,
        );
        let source = self.open(progress, range.end).await?;
        self.counts.connected(progress.next_offset);
        Ok(Session {
            writer: Arc::new(writer),
            source,
            next_offset: progress.next_offset,
            end: range.end,
        })
    }

    async fn open(&self, from: Progress, end: i64) -> Result<Source<'_>, BridgeError> {
        match &self.route.module {
            None => {
                let stored = StoredRecords::open(self, from).await?;
                Ok(Source::Stored(Box::new(stored)))
            }
            Some(module) => {
                let outputs = ModuleOutputs::open(self, module, from.next_offset..end).await?;
                Ok(Source::Outputs(Box::new(outputs)))
            }
        }
    }

    /// The offset to go on at, which Fluvio must still have.
    fn checked(&self, next: i64, range: OffsetRange) -> Result<i64, BridgeError> {
        let NextOffset { offset, deleted } = resume::next_offset(&self.source(), next, range)?;
        if deleted > 0 {
            let at = self.source().at(next);
            warn!(
                topic = at.topic,
                partition = at.partition,
                offset = next,
                "{at}: {deleted} records were deleted in Fluvio before they could be copied"
            );
            self.counts.add_deleted(deleted);
        }
        Ok(offset)
    }

    /// Fails if another batch stands where the last copied one was.
    async fn check_same_log(
        &self,
        client: &mut PartitionClient,
        progress: &Progress,
    ) -> Result<(), BridgeError> {
        if progress.last_batch.is_none() {
            return Ok(());
        }
        let found = client.batch_head(progress.next_offset - 1).await?;
        resume::check_same_log(self.source().at(progress.next_offset), progress, &found)
    }

    fn source(&self) -> TopicPartition {
        TopicPartition {
            topic: self.route.source.clone(),
            partition: self.partition,
        }
    }
}
