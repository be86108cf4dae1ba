//! A partition of a topic, and the range of offsets that its log holds.

use std::fmt;

use anyhow::anyhow;
use domain::Position;
use fluvio_protocol::api::Request;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::ReplicaKey;
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;

use crate::error::Cause;

/// A topic and one of its partitions; shown as `trips/0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// A place in its log.
    #[must_use]
    pub fn at(&self, offset: i64) -> Position {
        Position {
            topic: self.topic.clone(),
            partition: self.partition,
            offset,
        }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// The replicated part of a partition's log: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// Offset of the first record.
    pub start: i64,
    /// Offset after the last record.
    pub end: i64,
}

/// What a leader says of a partition's log.
pub(crate) fn find_range(
    response: <FetchOffsetsRequest as Request>::Response,
    partition: &TopicPartition,
) -> anyhow::Result<OffsetRange> {
    let replica = ReplicaKey::new(partition.topic.clone(), partition.partition);
    let found = response.find_partition(&replica);
    let found = found.ok_or_else(|| anyhow!("no such partition"))?;
    match &found.error_code {
        ErrorCode::None => Ok(OffsetRange {
            start: found.start_offset,
            end: found.last_stable_offset,
        }),
        code => Err(Cause::Refused(code.clone()).into()),
    }
}
