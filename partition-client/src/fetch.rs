//! The request that opens a stream.

use fluvio::Isolation;
use fluvio_protocol::record::{RawRecords, RecordSet};
use fluvio_spu_schema::server::stream_fetch::StreamFetchRequestBuilder;

use crate::partition::TopicPartition;

/// What all streams say: which partition, from which offset on, at most how many bytes at once.
pub(crate) fn fetch_request(
    partition: &TopicPartition,
    offset: i64,
    bytes_max: i32,
    isolation: Isolation,
) -> StreamFetchRequestBuilder<RecordSet<RawRecords>> {
    let mut request = StreamFetchRequestBuilder::default();
    request
        .topic(partition.topic.clone())
        .partition(partition.partition)
        .fetch_offset(offset)
        .max_bytes(bytes_max)
        .isolation(isolation);
    request
}
