//! Where partitions begin and end.
//!
//! As at the real SPU, the response waits for batches that are being stored: a producer that goes on
//! where another one was killed must not miss the last batch of that one because the disk is slow.

use std::io;
use std::sync::Arc;

use fluvio_protocol::link::ErrorCode;
use fluvio_spu_schema::server::fetch_offset::{
    FetchOffsetPartitionResponse, FetchOffsetTopic, FetchOffsetTopicResponse, FetchOffsetsRequest,
    FetchOffsetsResponse,
};

use crate::connection::Connection;
use crate::node::Node;
use crate::wire::Request;

/// Handles a request for the offsets of any number of partitions.
pub(crate) async fn handle(connection: &Connection, mut request: Request) -> io::Result<()> {
    let offsets: FetchOffsetsRequest = request.decode()?;
    let node = Arc::clone(&connection.node);
    let found = tokio::task::spawn_blocking(move || fetch(&node, offsets));
    let response = found.await.map_err(io::Error::other)?;
    connection.responses.send(&request.header, &response).await
}

fn fetch(node: &Node, request: FetchOffsetsRequest) -> FetchOffsetsResponse {
    #[expect(deprecated, reason = "clients of version 23 still send it here")]
    let consumer = request.consumer_id;
    let topics = request.topics.into_iter();
    FetchOffsetsResponse {
        topics: topics
            .map(|topic| offsets_of(node, topic, consumer.as_deref()))
            .collect(),
    }
}

fn offsets_of(
    node: &Node,
    topic: FetchOffsetTopic,
    consumer: Option<&str>,
) -> FetchOffsetTopicResponse {
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for partition in topic.partitions {
        let index = partition.partition_index;
        let mut offsets = FetchOffsetPartitionResponse {
            partition_index: index,
            error_code: ErrorCode::PartitionNotLeader,
            ..FetchOffsetPartitionResponse::default()
        };
        if let Some(partition) = node.partition(&topic.name, index) {
            let seen = consumer.and_then(|id| node.consumers.offset(&topic.name, index, id));
            offsets.error_code = ErrorCode::None;
            offsets.start_offset = seen.map_or_else(|| partition.log.start_offset(), |at| at + 1);
            offsets.last_stable_offset = partition.log.settled_end();
        }
        partitions.push(offsets);
    }
    FetchOffsetTopicResponse {
        name: topic.name,
        partitions,
    }
}
