//! Commits, lists and forgets the offsets of named consumers.

use std::io;

use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::ReplicaKey;
use fluvio_spu_schema::server::consumer_offset::{
    ConsumerOffset, DeleteConsumerOffsetRequest, DeleteConsumerOffsetResponse,
    FetchConsumerOffsetsRequest, FetchConsumerOffsetsResponse, FilterOpts,
    UpdateConsumerOffsetRequest, UpdateConsumerOffsetResponse,
};

use crate::consumer_offsets::CommittedOffset;
use crate::node::Node;
use crate::streams::StreamHandle;

/// Commits the offset of a stream that was opened with a consumer's name.
pub(crate) fn update(
    node: &Node,
    stream: Option<&StreamHandle>,
    request: &UpdateConsumerOffsetRequest,
) -> UpdateConsumerOffsetResponse {
    match try_update(node, stream, request.offset) {
        Ok(()) => UpdateConsumerOffsetResponse {
            offset: request.offset,
            error_code: ErrorCode::None,
        },
        Err(error_code) => UpdateConsumerOffsetResponse {
            offset: 0,
            error_code,
        },
    }
}

fn try_update(node: &Node, stream: Option<&StreamHandle>, offset: i64) -> Result<(), ErrorCode> {
    let stream = stream.ok_or(ErrorCode::FetchSessionNotFoud)?;
    let no_consumer = || ErrorCode::Other("stream without consumer id".to_owned());
    let consumer = stream.consumer.as_deref().ok_or_else(no_consumer)?;
    let replica = ReplicaKey::new(stream.topic.clone(), stream.partition);
    node.consumers
        .put(replica, consumer, offset)
        .map_err(not_stored)
}

/// Forgets one consumer's offset in one partition.
pub(crate) fn delete(
    node: &Node,
    request: DeleteConsumerOffsetRequest,
) -> DeleteConsumerOffsetResponse {
    let removed = node
        .consumers
        .remove(request.replica_id, request.consumer_id);
    let error_code = removed.err().map_or(ErrorCode::None, not_stored);
    DeleteConsumerOffsetResponse { error_code }
}

/// Lists committed offsets of partitions that still exist.
pub(crate) fn list(
    node: &Node,
    request: &FetchConsumerOffsetsRequest,
) -> FetchConsumerOffsetsResponse {
    let consumers = node
        .consumers
        .all()
        .into_iter()
        .filter(|one| is_wanted(one, request.filter_opts.as_ref()))
        .filter(|one| node.partition(&one.topic, one.partition).is_some())
        .map(|one| {
            let replica = ReplicaKey::new(one.topic, one.partition);
            ConsumerOffset::new(one.consumer, replica, one.offset, one.modified_secs)
        })
        .collect();
    FetchConsumerOffsetsResponse {
        error_code: ErrorCode::None,
        consumers,
    }
}

fn is_wanted(committed: &CommittedOffset, filter: Option<&FilterOpts>) -> bool {
    let Some(filter) = filter else { return true };
    let replica = filter.replica_id.as_ref().is_none_or(|replica| {
        replica.topic == committed.topic && replica.partition == committed.partition
    });
    let consumer = filter
        .consumer_id
        .as_ref()
        .is_none_or(|id| *id == committed.consumer);
    replica && consumer
}

fn not_stored(error: io::Error) -> ErrorCode {
    ErrorCode::Other(format!("could not store the consumer's offset: {error}"))
}
