//! What a stream is: a partition of a topic, read through a module.

use std::fmt;

use domain::Position;
use partition_client::TopicPartition;

use crate::module::Module;

/// One stream: a partition of a topic, read through a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamKey {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) module: Module,
}

impl StreamKey {
    /// The streams of a topic, partition by partition.
    pub(crate) fn all(topic: &str, partitions: u32) -> impl Iterator<Item = Self> {
        (0..partitions).flat_map(move |partition| {
            Module::ALL.map(|module| Self {
                topic: topic.to_owned(),
                partition,
                module,
            })
        })
    }

    pub(crate) fn topic_partition(&self) -> TopicPartition {
        TopicPartition {
            topic: self.topic.clone(),
            partition: self.partition,
        }
    }

    pub(crate) fn at(&self, offset: i64) -> Position {
        self.topic_partition().at(offset)
    }

    /// The partition as the tables have it.
    pub(crate) fn partition_sql(&self) -> i16 {
        i16::try_from(self.partition).unwrap_or(i16::MAX)
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.topic, self.partition, self.module)
    }
}
