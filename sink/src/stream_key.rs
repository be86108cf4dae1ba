//! What a stream is: a partition of a topic, read through a module.

use std::fmt;

use domain::Position;
use partition_client::TopicPartition;

use crate::module::Module;

/// One stream: a partition of a topic, read through a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    pub topic: String,
    pub partition: u32,
    pub module: Module,
}

impl StreamKey {
    /// The streams of a topic, partition by partition.
    pub fn all(topic: &str, partitions: u32) -> impl Iterator<Item = Self> {
        (0..partitions).flat_map(move |partition| {
            Module::ALL.map(|module| Self {
                topic: topic.to_owned(),
                partition,
                module,
            })
        })
    }

    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition {
            topic: self.topic.clone(),
            partition: self.partition,
        }
    }

    pub fn at(&self, offset: i64) -> Position {
        self.topic_partition().at(offset)
    }

    /// The partition as the tables have it.
    pub fn partition_sql(&self) -> i16 {
        i16::try_from(self.partition).unwrap_or(i16::MAX)
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.topic, self.partition, self.module)
    }
}
