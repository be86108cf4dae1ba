//! How far a Fluvio partition was copied: a record of a compacted Kafka topic, written in the
//! transaction that writes the copies.
//!
//! Not a consumer group's offset, because Kafka forgets those of a group without members after a
//! week (`offsets.retention.minutes`): a topic that is quiet for so long would be copied again.

use std::time::{Duration, Instant};

use domain::Position;
use fluvio_protocol::record::{Batch, RawRecords};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use serde::{Deserialize, Serialize};

use crate::error::BridgeError;
use crate::kafka::{Context, Kafka, Visible, assign, next_message, timed_out};
use crate::route::Route;

/// Small segments, so that little is read at a start: compaction leaves the newest one alone.
const SETTINGS: [(&str, &str); 3] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", "4194304"),
    ("min.cleanable.dirty.ratio", "0.1"),
];

/// How long another partition's transaction may hide ours: as long as it may last.
const HIDDEN_MAX: Duration = Duration::from_secs(90);
const HIDDEN_POLL: Duration = Duration::from_millis(20);

/// Where to go on, and how to know that the log is still the one that was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// In the source partition.
    pub next_offset: i64,
    /// In the topic for its headers.
    pub next_headers_offset: i64,
    /// The batch before `next_offset`; none in what older versions wrote.
    pub last_batch: Option<BatchId>,
}

/// What tells a stored batch from every other one at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchId {
    base_offset: i64,
    /// Of the broker, which the embedded one takes anew at each start and for each topic.
    leader_epoch: i32,
    /// CRC-32C of the rest, by the one who stored it.
    checksum: u32,
}

impl BatchId {
    pub fn of(batch: &Batch<RawRecords>) -> Self {
        Self {
            base_offset: batch.base_offset,
            leader_epoch: batch.get_header().partition_leader_epoch,
            checksum: batch.get_header().crc,
        }
    }
}

/// The topic for the progress of the bridge of this name.
pub(crate) fn topic(bridge: &str) -> String {
    format!("{bridge}-progress")
}

/// The key of a partition's progress: `fluvio:trips=trips/0`, `fluvio:trips+trip-split=events/0`.
pub(crate) fn key(route: &Route, partition: u32) -> String {
    format!("{route}/{partition}")
}

impl Progress {
    /// As it is written.
    pub fn to_json(self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// Makes the topic for progress, with the brokers' replication, unless it is there.
pub(crate) async fn prepare(kafka: &Kafka, bridge: &str) -> Result<(), BridgeError> {
    let topic = topic(bridge);
    match kafka.shape(&topic).await? {
        Some(_) => Ok(()),
        None => kafka.create(&topic, 1, None, &SETTINGS).await,
    }
}

/// Reads the newest progress under `key`; none if nothing was copied yet. Blocks.
///
/// To be called when older producers of this partition are fenced: then nothing more can come.
pub(crate) fn read(kafka: &Kafka, topic: &str, key: &str) -> Result<Option<Progress>, BridgeError> {
    let failed = || BridgeError::kafka(format!("read how far {key} was copied"));
    let consumer = kafka.blocking_consumer(Visible::Committed)?;
    let end = {
        let all = kafka.blocking_consumer(Visible::All)?;
        let range = all.fetch_watermarks(topic, 0, kafka.request_timeout());
        range.map_err(failed())?.1
    };
    let start = wait_until_visible(&consumer, topic, end, kafka).map_err(failed())?;
    assign(&consumer, topic, 0, start).map_err(failed())?;
    let mut newest = None;
    let deadline = Instant::now() + HIDDEN_MAX;
    while let Some(message) = next_message(&consumer, deadline).map_err(failed())? {
        if message.key() != Some(key.as_bytes()) {
            continue;
        }
        let value = message.payload().unwrap_or_default();
        let progress = serde_json::from_slice(value).map_err(|error| BridgeError::Unusable {
            at: Position {
                topic: topic.to_owned(),
                partition: 0,
                offset: message.offset(),
            },
            reason: error.to_string(),
        });
        newest = Some(progress?);
    }
    Ok(newest)
}

/// Waits until no open transaction hides what stands before `end`; gives the log's start.
fn wait_until_visible(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    end: i64,
    kafka: &Kafka,
) -> Result<i64, KafkaError> {
    let began = Instant::now();
    while began.elapsed() < HIDDEN_MAX {
        let (start, visible_end) = consumer.fetch_watermarks(topic, 0, kafka.request_timeout())?;
        if visible_end >= end {
            return Ok(start);
        }
        std::thread::sleep(HIDDEN_POLL);
    }
    Err(timed_out())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_as_it_was_written_by_older_versions_too() {
        let progress = Progress {
            next_offset: 17,
            next_headers_offset: 3,
            last_batch: Some(BatchId {
                base_offset: 12,
                leader_epoch: 7,
                checksum: u32::MAX,
            }),
        };
        let read: Progress = serde_json::from_str(&progress.to_json()).unwrap();
        assert_eq!(read, progress);
        let older = r#"{"next_offset":17,"next_headers_offset":3}"#;
        let read: Progress = serde_json::from_str(older).unwrap();
        let last_batch = None;
        assert_eq!(
            read,
            Progress {
                last_batch,
                ..progress
            }
        );
    }
}
