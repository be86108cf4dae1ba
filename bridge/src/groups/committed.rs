//! What Kafka keeps of a group: read, and moved ahead while nobody is in it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::BridgeError;
use crate::kafka::{Context, Kafka, blocking, partition_id};

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advance {
    /// It was there or further already.
    Nothing,
    Done,
    /// It has members, which alone may commit.
    Refused,
}

/// Where the group goes on in the first partitions of a topic; those without a commit are left out.
pub(super) async fn read(
    kafka: &Kafka,
    group: &str,
    topic: &str,
    partitions: u32,
) -> Result<BTreeMap<u32, i64>, BridgeError> {
    let failed = BridgeError::kafka(format!("read how far group \"{group}\" is in {topic}"));
    let consumer = kafka.group_consumer(group)?;
    let (topic, within) = (topic.to_owned(), kafka.request_timeout());
    blocking(move || read_with(&consumer, &topic, 0..partitions, within))
        .await
        .map_err(failed)
}

/// Moves the group ahead where `offsets` are ahead of it.
///
/// Between the look and the commit a consumer could join, commit and leave, in a few milliseconds:
/// Kafka has no comparing commit.
pub(super) async fn advance(
    kafka: &Kafka,
    group: &str,
    topic: &str,
    offsets: BTreeMap<u32, i64>,
) -> Result<Advance, BridgeError> {
    if offsets.is_empty() {
        return Ok(Advance::Nothing);
    }
    let failed = BridgeError::kafka(format!("move group \"{group}\" ahead in {topic}"));
    let consumer = kafka.group_consumer(group)?;
    let (topic, within) = (topic.to_owned(), kafka.request_timeout());
    let advanced = blocking(move || {
        let old = read_with(&consumer, &topic, offsets.keys().copied(), within)?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            if old.get(&partition).is_none_or(|&old| old < offset) {
                let offset = Offset::Offset(offset);
                list.add_partition_offset(&topic, partition_id(partition), offset)?;
            }
        }
        if list.count() == 0 {
            return Ok(Advance::Nothing);
        }
        consumer.commit(&list, CommitMode::Sync)?;
        Ok(Advance::Done)
    });
    match advanced.await {
        Err(KafkaError::ConsumerCommit(
            Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress,
        )) => Ok(Advance::Refused),
        advanced => advanced.map_err(failed),
    }
}

fn read_with(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: impl Iterator<Item = u32>,
    within: Duration,
) -> Result<BTreeMap<u32, i64>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, partition_id(partition));
    }
    let list = consumer.committed_offsets(list, within)?;
    let mut offsets = BTreeMap::new();
    for element in list.elements() {
        element.error()?;
        if let (Ok(partition), Offset::Offset(offset)) =
            (u32::try_from(element.partition()), element.offset())
        {
            offsets.insert(partition, offset);
        }
    }
    Ok(offsets)
}
