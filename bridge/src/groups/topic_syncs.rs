//! Offset syncs of a mirror in Kafka: a topic beside it, with the same partitions.
//!
//! ```text
//! bike-counts                 records of a transaction, then its marker
//! bike-counts-bridge-offsets  {"source":4000,"target":4017,"records":250}
//! ```
//! One record for each transaction, in it: either both are there or neither. Sizes of transactions
//! differ, and a marker or what a killed bridge left behind takes offsets, so nothing but such a
//! list gives the mirror's offsets exactly. docs/decisions/0007 has the alternatives.

use std::time::Duration;

use domain::Position;
use rdkafka::Message;
use rdkafka::consumer::StreamConsumer;
use rdkafka::error::KafkaError;

use super::offset_sync::{Found, OffsetSync, Search};
use crate::error::BridgeError;
use crate::kafka::{Context, Kafka, assign, timed_out};
use crate::route::Route;

/// Bounded: a transaction takes about 200 bytes, so that a partition keeps its last million.
const SETTINGS: [(&str, &str); 3] = [
    ("cleanup.policy", "delete"),
    ("retention.bytes", "268435456"),
    ("segment.bytes", "16777216"),
];

/// The topic with the offset syncs of a mirror in Kafka.
pub(crate) fn topic(route: &Route) -> String {
    format!("{}-bridge-offsets", route.target)
}

/// Makes the topic, with the brokers' replication, unless it is there with as many partitions.
pub(crate) async fn prepare(
    kafka: &Kafka,
    route: &Route,
    partitions: u32,
) -> Result<(), BridgeError> {
    let topic = topic(route);
    match kafka.shape(&topic).await? {
        None => kafka.create(&topic, partitions, None, &SETTINGS).await,
        Some(found) if found.partitions < partitions => {
            kafka.add_partitions(&topic, partitions).await
        }
        Some(_) => Ok(()),
    }
}

/// A sync as it is written.
pub(crate) fn to_json(sync: OffsetSync) -> String {
    let OffsetSync {
        source,
        target,
        records,
    } = sync;
    format!(r#"{{"source":{source},"target":{target},"records":{records}}}"#)
}

/// The last written sync that does not begin after `source`; none if none is kept.
pub(super) async fn find(
    kafka: &Kafka,
    route: &Route,
    partition: u32,
    source: i64,
) -> Result<Option<OffsetSync>, BridgeError> {
    let topic = topic(route);
    let (start, end) = kafka.range(&topic, partition).await?;
    let consumer = kafka.lookup_consumer()?;
    let mut search = Search::new(start..end, source);
    while let Some(offset) = search.next_offset() {
        let from = Position {
            topic: topic.clone(),
            partition,
            offset,
        };
        let found = first_from(&consumer, from, kafka.request_timeout()).await?;
        search.observe(offset, found);
    }
    Ok(search.found())
}

/// The first visible sync from a position on; none up to the end.
async fn first_from(
    consumer: &StreamConsumer<Context>,
    from: Position,
    within: Duration,
) -> Result<Option<Found>, BridgeError> {
    let failed = BridgeError::kafka(format!("read {from} in Kafka"));
    let read = async {
        assign(consumer, &from.topic, from.partition, from.offset)?;
        loop {
            match consumer.recv().await {
                Err(KafkaError::PartitionEOF(_)) => return Ok(None),
                Err(KafkaError::Global(_)) => {} // Logged by the client's context.
                // Records of an earlier fetch may still be in the queue.
                Ok(message) if message.offset() < from.offset => {}
                message => return message.map(Some),
            }
        }
    };
    let message = tokio::time::timeout(within, read).await;
    let message = message.unwrap_or_else(|_| Err(timed_out()));
    let Some(message) = message.map_err(failed)? else {
        return Ok(None);
    };
    let offset = message.offset();
    let sync = serde_json::from_slice(message.payload().unwrap_or_default());
    let sync = sync.map_err(|error| BridgeError::Unusable {
        at: Position { offset, ..from },
        reason: error.to_string(),
    })?;
    Ok(Some(Found {
        sync,
        at: offset..offset + 1,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_read_as_it_was_written() {
        let sync = OffsetSync {
            source: 4000,
            target: 4017,
            records: 250,
        };
        let read: OffsetSync = serde_json::from_str(&to_json(sync)).unwrap();
        assert_eq!(read, sync);
    }
}
