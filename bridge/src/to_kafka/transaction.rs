//! Writes records and progress in one transaction. Everything here blocks.

use std::time::{Duration, Instant};

use domain::Position;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, PurgeConfig};

use crate::config::BridgeConfig;
use crate::error::BridgeError;
use crate::groups::{OffsetSync, topic_syncs};
use crate::kafka::{Kafka, Producer, partition_id};
use crate::progress::{self, Progress};
use crate::record::Record;
use crate::route::{Route, Side};

/// How long a full queue of the client is waited for before it is tried again.
const QUEUE_POLL: Duration = Duration::from_millis(2);

/// How often the client is asked whether Kafka has everything.
const DELIVERY_POLL: Duration = Duration::from_millis(1);

/// In place of a record's index: what is written beside the records.
const BESIDE: usize = usize::MAX;

/// How long a transaction may take to commit, or to be taken over from a dead bridge; Kafka ends it
/// after a minute.
const TRANSACTION_MAX: Duration = Duration::from_secs(60);

/// Kafka ends a transaction that lasts longer, and its word for that is the one for a takeover.
const SURELY_OPEN: Duration = Duration::from_secs(45);

/// The only producer of one partition of one route.
pub(crate) struct Writer {
    producer: Producer,
    name: String,
    source: String,
    topic: String,
    partition: u32,
    progress_topic: String,
    progress_key: String,
    /// The topic for where records stand, if there are groups to carry over.
    syncs_topic: Option<String>,
}

impl Writer {
    /// Makes the producer and fences those before it.
    pub(crate) fn open(
        kafka: &Kafka,
        config: &BridgeConfig,
        route: &Route,
        partition: u32,
    ) -> Result<Self, BridgeError> {
        let progress_key = progress::key(route, partition);
        let name = &config.name;
        let has_groups = config.has_groups_of(route);
        let writer = Self {
            producer: kafka.producer(&format!("{name}:{progress_key}"))?,
            name: name.clone(),
            source: route.source.clone(),
            topic: route.target.clone(),
            partition,
            progress_topic: progress::topic(name),
            progress_key,
            syncs_topic: has_groups.then(|| topic_syncs::topic(route)),
        };
        let begun = Instant::now();
        loop {
            match writer.producer.init_transactions(kafka.request_timeout()) {
                Ok(()) => return Ok(writer),
                Err(error) if is_retriable(&error) && begun.elapsed() < TRANSACTION_MAX => {}
                Err(error) => return Err(writer.failed("begin to write", error)),
            }
        }
    }

    /// Notes that what comes from offset `source` on stands at the mirror's end or after it, so that
    /// a consumer that has read all before has a place. Older writers must be fenced.
    pub(crate) fn mark(&self, kafka: &Kafka, source: i64) -> Result<(), BridgeError> {
        let Some(topic) = &self.syncs_topic else {
            return Ok(());
        };
        let failed = |error| self.failed("write where records stand in", error);
        let partition = partition_id(self.partition);
        let client = self.producer.client();
        let range = client.fetch_watermarks(&self.topic, partition, kafka.request_timeout());
        let sync = OffsetSync {
            source,
            target: range.map_err(failed)?.1,
            records: 0,
        };
        self.transaction(&[], || self.send_sync(topic, sync).map_err(failed))
    }

    /// Writes the records and how far they go; all of it is there when this returns, or nothing.
    ///
    /// # Errors
    /// If it is not known to be there: the progress tells.
    pub(crate) fn write(&self, records: &[Record], progress: Progress) -> Result<(), BridgeError> {
        self.transaction(records, || self.send_all(records, progress))
    }

    fn transaction(
        &self,
        records: &[Record],
        send: impl FnOnce() -> Result<(), BridgeError>,
    ) -> Result<(), BridgeError> {
        let begun = Instant::now();
        // What was delivered before are the notes of the last transaction.
        self.producer.context().take_delivered();
        let written = self
            .producer
            .begin_transaction()
            .map_err(|error| self.failed("begin to write", error))
            .and_then(|()| send())
            .and_then(|()| self.commit(records));
        if written.is_err() {
            // The session ends, and the next one's producer ends what is left open.
            let all = PurgeConfig::default().queue().inflight();
            self.producer.purge(all);
            if begun.elapsed() < SURELY_OPEN && self.is_fenced() {
                return Err(self.fenced());
            }
        }
        written
    }

    fn send_all(&self, records: &[Record], progress: Progress) -> Result<(), BridgeError> {
        for (index, record) in records.iter().enumerate() {
            let mut to_send = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&self.topic, index)
                .partition(partition_id(self.partition));
            if let Some(key) = &record.key {
                to_send = to_send.key(key.as_ref());
            }
            if let Some(value) = &record.value {
                to_send = to_send.payload(value.as_ref());
            }
            if let Some(timestamp) = record.timestamp {
                to_send = to_send.timestamp(timestamp);
            }
            if !record.headers.is_empty() {
                to_send = to_send.headers(headers(record));
            }
            self.send(to_send)
                .map_err(|error| self.undelivered(record, error))?;
        }
        if let Some(topic) = &self.syncs_topic {
            self.send_syncs(records, topic)?;
        }
        let value = progress.to_json();
        let marker = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&self.progress_topic, BESIDE)
            .partition(0)
            .key(self.progress_key.as_bytes())
            .payload(value.as_bytes());
        self.send(marker)
            .map_err(|error| self.failed("write", error))
    }

    /// Waits until Kafka has the records and writes where they stand.
    fn send_syncs(&self, records: &[Record], topic: &str) -> Result<(), BridgeError> {
        let begun = Instant::now();
        // `flush` would do, but sleeps up to 100 ms when the producer's thread is faster.
        while self.producer.in_flight_count() > 0 && begun.elapsed() < TRANSACTION_MAX {
            std::thread::sleep(DELIVERY_POLL);
        }
        if let Some(refused) = self.refused(records) {
            return Err(refused);
        }
        let mut syncs = Vec::new();
        for (index, offset) in self.producer.context().take_delivered() {
            if let Some(record) = records.get(index) {
                OffsetSync::add(&mut syncs, record.offset, offset);
            }
        }
        for sync in syncs {
            self.send_sync(topic, sync)
                .map_err(|error| self.failed("write where records stand in", error))?;
        }
        Ok(())
    }

    fn send_sync(&self, topic: &str, sync: OffsetSync) -> Result<(), KafkaError> {
        let value = topic_syncs::to_json(sync);
        let record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, BESIDE)
            .partition(partition_id(self.partition))
            .payload(value.as_bytes());
        self.send(record)
    }

    /// Queues a record; waits while the client's queue is full.
    fn send(&self, mut record: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), KafkaError> {
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) => {
                    std::thread::sleep(QUEUE_POLL);
                    record = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn commit(&self, records: &[Record]) -> Result<(), BridgeError> {
        let begun = Instant::now();
        loop {
            let Err(error) = self.producer.commit_transaction(TRANSACTION_MAX) else {
                return Ok(());
            };
            if is_retriable(&error) && begun.elapsed() < TRANSACTION_MAX {
                continue;
            }
            let refused = self.refused(records);
            return Err(refused.unwrap_or_else(|| self.failed("commit to", error)));
        }
    }

    /// The first record that was not delivered, if one was not.
    fn refused(&self, records: &[Record]) -> Option<BridgeError> {
        let (index, error) = self.producer.context().take_failure()?;
        Some(self.undelivered(records.get(index)?, error))
    }

    fn undelivered(&self, record: &Record, error: KafkaError) -> BridgeError {
        if error.rdkafka_error_code() != Some(Code::MessageSizeTooLarge) {
            return self.failed("write", error);
        }
        BridgeError::TooLarge {
            at: Position {
                topic: self.source.clone(),
                partition: self.partition,
                offset: record.offset,
            },
            bytes: record.bytes(),
            side: Side::Kafka,
            topic: self.topic.clone(),
            remedy: "raise its max.message.bytes, then start the bridge again",
        }
    }

    /// Whether another producer with this transactional id has begun.
    fn is_fenced(&self) -> bool {
        let fatal = self.producer.client().fatal_error();
        matches!(
            fatal.map(|(code, _)| code),
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
        )
    }

    fn fenced(&self) -> BridgeError {
        BridgeError::Fenced {
            topic: self.topic.clone(),
            partition: self.partition,
            name: self.name.clone(),
        }
    }

    fn failed(&self, doing: &str, source: KafkaError) -> BridgeError {
        let doing = format!("{doing} {}/{} in Kafka", self.topic, self.partition);
        BridgeError::Kafka { doing, source }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable())
}

fn headers(record: &Record) -> OwnedHeaders {
    let headers = OwnedHeaders::new_with_capacity(record.headers.len());
    record.headers.iter().fold(headers, |headers, header| {
        headers.insert(KafkaHeader {
            key: &header.name,
            value: header.value.as_deref(),
        })
    })
}
