//! Where partitions begin and end.
//!
//! As at the real SPU the answer comes after what is being stored: who goes on where another one was
//! killed must not miss that one's last batch because the disk is slow.

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

/// Answers a request for the offsets of any number of partitions.
pub(crate) async fn answer(connection: &Connection, mut request: Request) -> io::Result<()> {
    let asked: FetchOffsetsRequest = request.decode()?;
    let node = Arc::clone(&connection.node);
    let found = tokio::task::spawn_blocking(move || fetch(&node, asked));
    let response = found.await.map_err(io::Error::other)?;
    connection.replies.send(&request.header, &response).await
}

fn fetch(node: &Node, request: FetchOffsetsRequest) -> FetchOffsetsResponse {
    #[expect(deprecated, reason = "clients of version 23 still ask for it here")]
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
    for asked in topic.partitions {
        let index = asked.partition_index;
        let mut answer = FetchOffsetPartitionResponse {
            partition_index: index,
            error_code: ErrorCode::PartitionNotLeader,
            ..FetchOffsetPartitionResponse::default()
        };
        if let Some(partition) = node.partition(&topic.name, index) {
            let seen = consumer.and_then(|id| node.consumers.offset(&topic.name, index, id));
            answer.error_code = ErrorCode::None;
            answer.start_offset = seen.map_or_else(|| partition.log.start_offset(), |at| at + 1);
            answer.last_stable_offset = partition.log.settled_end();
        }
        partitions.push(answer);
    }
    FetchOffsetTopicResponse {
        name: topic.name,
        partitions,
    }
}
