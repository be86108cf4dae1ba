//! Kafka → Fluvio, one partition: goes on after what the target's log shows.
//!
//! ```text
//! session: last stored batch ─ its stamp ─▶ next Kafka offset
//!          consumer ─▶ gather a batch ─▶ headers ─▶ records, stamped ─▶ confirmed by all replicas
//! ```
//! One batch is under way at a time. After any failure the session ends, and the log alone tells
//! what was stored, so nothing is lost or doubled.

use domain::Position;
use fluvio_protocol::link::ErrorCode;
use futures_util::{FutureExt, StreamExt};
use partition_client::{
    Cause, ClientError, Cluster, OffsetRange, PartitionClient, TopicPartition, has_unreplicated,
};
use rdkafka::consumer::StreamConsumer;
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::batch;
use crate::config::BridgeConfig;
use crate::counts::Counts;
use crate::error::BridgeError;
use crate::headers;
use crate::kafka::{Context, Kafka, blocking};
use crate::record::Record;
use crate::resume::{self, NextOffset};
use crate::retry::Retry;
use crate::route::{Route, Side};
use crate::stamp::Origin;

/// Copies one partition.
pub(crate) struct ToFluvio<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) kafka: &'a Kafka,
    pub(crate) config: &'a BridgeConfig,
    pub(crate) route: &'a Route,
    pub(crate) partition: u32,
    pub(crate) counts: &'a Counts,
    pub(crate) stop: &'a CancellationToken,
}

/// Where a session stands.
struct Session {
    client: PartitionClient,
    /// Opened for the first record with headers.
    headers: Option<PartitionClient>,
    origin: Origin,
    /// The next record's offset in Kafka, or later.
    next_kafka: i64,
    /// The next record's offset in Fluvio, if nobody else writes.
    next_fluvio: i64,
}

impl ToFluvio<'_> {
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
        let end = match self.config.once {
            true => self.kafka_range().await?.1,
            false => i64::MAX,
        };
        let consumer =
            self.kafka
                .consumer(&self.route.source, self.partition, session.next_kafka)?;
        while session.next_kafka < end {
            let gathered = tokio::select! {
                gathered = self.gather(&consumer) => gathered?,
                () = self.stop.cancelled() => return Ok(()),
            };
            if !gathered.records.is_empty() {
                self.store(&mut session, gathered.records).await?;
                retry.reset();
            }
            // What is left before the end are markers.
            if gathered.at_end {
                self.counts.reached_end();
                if self.config.once {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Finds where to go on.
    async fn resume(&self) -> Result<Session, BridgeError> {
        let partition = self.partition_of(self.route.target.clone());
        let origin = Origin::new(
            &self.kafka.cluster_id().await?,
            &self.route.source,
            self.partition,
        );
        let mut client = PartitionClient::open(self.cluster, partition.clone()).await?;
        let range = client.offset_range().await?;
        self.check_all_replicated(&partition, range.end).await?;
        let next_kafka = match self.stored(&mut client, range, origin).await? {
            Some(last) => self.checked(last).await?,
            None => self.kafka_range().await?.0,
        };
        info!(
            topic = self.route.target,
            partition = self.partition,
            offset = range.end,
            "{}/{}: goes on at Kafka offset {next_kafka}, Fluvio offset {}",
            self.route,
            self.partition,
            range.end
        );
        self.counts.connected(next_kafka);
        Ok(Session {
            client,
            headers: None,
            origin,
            next_kafka,
            next_fluvio: range.end,
        })
    }

    /// Fails if the log goes on after `end`, where it is replicated.
    ///
    /// What stands there must be neither written again nor taken for safe: it becomes readable when
    /// the replicas are back. A request of an earlier run that was still under way shows itself
    /// here, too.
    async fn check_all_replicated(
        &self,
        partition: &TopicPartition,
        end: i64,
    ) -> Result<(), BridgeError> {
        match has_unreplicated(self.cluster, partition, end).await? {
            true => Err(BridgeError::unreadable(partition, Cause::NotReplicated)),
            false => Ok(()),
        }
    }

    /// The last stored record, as it was in Kafka; none if nothing was stored yet.
    async fn stored(
        &self,
        client: &mut PartitionClient,
        range: OffsetRange,
        origin: Origin,
    ) -> Result<Option<Record>, BridgeError> {
        let partition = client.partition().clone();
        if range.end == 0 {
            return Ok(None);
        }
        if range.start == range.end {
            let at = partition.at(range.end);
            return Err(BridgeError::Forgotten { at });
        }
        let last = client.batch_at(range.end - 1).await?;
        resume::last_copied(&partition, &last, origin).map(Some)
    }

    /// The offset to go on at, which Kafka must still have, after the record stored last.
    async fn checked(&self, last: Record) -> Result<i64, BridgeError> {
        let next = last.offset + 1;
        let (start, end) = self.kafka_range().await?;
        let source = self.partition_of(self.route.source.clone());
        let NextOffset { offset, deleted } =
            resume::next_offset(&source, next, OffsetRange { start, end })?;
        let at = source.at(next);
        if deleted > 0 {
            warn!(
                topic = at.topic,
                partition = at.partition,
                offset = next,
                "{at}: {deleted} records were deleted in Kafka before they could be copied"
            );
            self.counts.add_deleted(deleted);
        } else if next > start && !self.is_in_kafka(last).await? {
            return Err(BridgeError::OtherLog { at });
        }
        Ok(offset)
    }

    /// Whether Kafka has the record, or has compacted it away.
    async fn is_in_kafka(&self, stored: Record) -> Result<bool, BridgeError> {
        let kafka = self.kafka.clone();
        let (topic, partition) = (self.route.source.clone(), self.partition);
        let found = blocking(move || kafka.record_at(&topic, partition, stored.offset)).await?;
        Ok(found.is_none_or(|found| found.is(&stored)))
    }

    /// Waits for a record and takes those that are there already, up to a batch.
    async fn gather(&self, consumer: &StreamConsumer<Context>) -> Result<Gathered, BridgeError> {
        let mut gathered = Gathered::default();
        let mut bytes = 0;
        let mut messages = consumer.stream();
        while bytes < self.config.batch_bytes && !gathered.at_end {
            let next = match gathered.records.is_empty() {
                true => messages.next().await,
                false => messages.next().now_or_never().flatten(),
            };
            match next {
                None => break,
                Some(Err(KafkaError::PartitionEOF(_))) => gathered.at_end = true,
                // Said by the client's context; the client goes on by itself.
                Some(Err(KafkaError::Global(_))) => {}
                Some(message) => {
                    let record =
                        Record::of_kafka(&message.map_err(BridgeError::kafka(self.reading()))?);
                    bytes += record.bytes();
                    gathered.records.push(record);
                }
            }
        }
        Ok(gathered)
    }

    /// Stores a batch; it is there when this returns.
    async fn store(&self, session: &mut Session, records: Vec<Record>) -> Result<(), BridgeError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Ok(());
        };
        let (first, next) = (first.offset, last.offset + 1);
        let count = records.len();
        let largest = records.iter().max_by_key(|record| record.bytes());
        let largest = largest.map_or((first, 0), |record| (record.offset, record.bytes()));
        self.store_headers(session, &records).await?;
        let batches = batch::encode(records, session.origin);
        let batches = batches.map_err(|source| BridgeError::fluvio(self.reading(), source))?;
        let base = match session.client.append(batches).await {
            Ok(base) => base,
            Err(error) => return Err(self.refused(error, largest)),
        };
        let length = i64::try_from(count).unwrap_or(i64::MAX);
        let mirror = session.client.partition();
        resume::check_alone(mirror, session.next_fluvio, base)?;
        self.counts.add_copied(count);
        self.counts
            .add_passed_over(next - session.next_kafka - length);
        session.next_fluvio = base + length;
        session.next_kafka = next;
        self.counts.moved(next);
        Ok(())
    }

    async fn store_headers(
        &self,
        session: &mut Session,
        records: &[Record],
    ) -> Result<(), BridgeError> {
        let batch = headers::batch(records);
        let batch = batch.map_err(|source| BridgeError::fluvio(self.reading(), source))?;
        let Some(batch) = batch else { return Ok(()) };
        let mut client = match session.headers.take() {
            Some(client) => client,
            None => {
                let topic = headers::topic(&self.route.target);
                PartitionClient::open(self.cluster, self.partition_of(topic)).await?
            }
        };
        let appended = client.append(vec![batch]).await;
        appended.map_err(|error| self.refused(error, (records[0].offset, 0)))?;
        session.headers = Some(client);
        Ok(())
    }

    fn refused(&self, error: ClientError, (offset, bytes): (i64, usize)) -> BridgeError {
        match error.cause {
            Cause::Refused(ErrorCode::MessageTooLarge) => BridgeError::TooLarge {
                at: self.kafka_position(offset),
                bytes,
                side: Side::Fluvio,
                topic: self.route.target.clone(),
                remedy: "Fluvio's brokers take batches of 2 MiB; send smaller records",
            },
            _ => error.into(),
        }
    }

    async fn kafka_range(&self) -> Result<(i64, i64), BridgeError> {
        self.kafka.range(&self.route.source, self.partition).await
    }

    fn kafka_position(&self, offset: i64) -> Position {
        Position {
            topic: self.route.source.clone(),
            partition: self.partition,
            offset,
        }
    }

    fn reading(&self) -> String {
        format!("read {}/{} in Kafka", self.route.source, self.partition)
    }

    fn partition_of(&self, topic: String) -> TopicPartition {
        TopicPartition {
            topic,
            partition: self.partition,
        }
    }
}

/// What came from Kafka.
#[derive(Default)]
struct Gathered {
    records: Vec<Record>,
    /// Nothing more is there; Kafka says so once.
    at_end: bool,
}
