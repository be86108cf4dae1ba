//! Requests that the ordinary client never sends, or sends only when something is wrong.

use std::io;

use bytes::Bytes;
use embedded_broker::Broker;
use fluvio::metadata::topic::{CompressionAlgorithm, TopicSpec};
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords, Record, RecordSet};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_spu_schema::produce::{
    DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest,
};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use testkit::broker::connect;
use testkit::within_patience;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::start;

/// A connection without the client library.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) async fn to(broker: &Broker) -> Self {
        Self(TcpStream::connect(broker.address()).await.unwrap())
    }

    pub(crate) async fn request<R: Request>(&mut self, request: R) -> R::Response {
        let version = R::DEFAULT_API_VERSION;
        let message = RequestMessage::new_request(request);
        self.send(&message.as_bytes(0).unwrap()).await;
        let mut response = within_patience("an answer arrives", self.receive())
            .await
            .unwrap();
        let correlation_id = i32::decode_from(&mut response, 0).unwrap();
        assert_eq!(correlation_id, message.header.correlation_id());
        R::Response::decode_from(&mut response, version).unwrap()
    }

    pub(crate) async fn send(&mut self, frame: &[u8]) {
        self.0
            .write_u32(u32::try_from(frame.len()).unwrap())
            .await
            .unwrap();
        self.0.write_all(frame).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> io::Result<Bytes> {
        let mut frame = vec![0; self.0.read_u32().await? as usize];
        self.0.read_exact(&mut frame).await?;
        Ok(frame.into())
    }

    /// Whether the broker hangs up.
    pub(crate) async fn is_closed(&mut self) -> bool {
        within_patience("the connection closes", self.0.read_u8())
            .await
            .is_err()
    }
}

pub(crate) async fn broker_with(name: &str, spec: TopicSpec) -> (Broker, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_, admin) = connect(&broker.address().to_string()).await;
    admin.create(name.to_owned(), false, spec).await.unwrap();
    (broker, folder)
}

pub(crate) fn topic_of_two() -> TopicSpec {
    TopicSpec::new_computed(2, 1, None)
}

pub(crate) fn batch(values: &[&str]) -> Batch<RawRecords> {
    let records: Vec<Record> = values.iter().map(|value| Record::new(*value)).collect();
    Batch::from(records).try_into().unwrap()
}

pub(crate) fn produce(
    topic: &str,
    partitions: Vec<(u32, Vec<Batch<RawRecords>>)>,
) -> DefaultProduceRequest {
    let partitions =
        partitions
            .into_iter()
            .map(|(partition_index, batches)| DefaultPartitionRequest {
                partition_index,
                records: RecordSet { batches },
            });
    let topic = DefaultTopicRequest {
        name: topic.to_owned(),
        partitions: partitions.collect(),
        ..Default::default()
    };
    DefaultProduceRequest {
        topics: vec![topic],
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partition_of_a_produce_request_is_answered_for_itself() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut wire = Wire::to(&broker).await;
    let request = || {
        produce(
            "topic",
            vec![
                (0, vec![batch(&["a", "b"]), batch(&["c"])]),
                (1, vec![batch(&["d"])]),
                (9, vec![batch(&["nowhere"])]),
            ],
        )
    };
    wire.request(request()).await;
    let response = wire.request(request()).await;
    let partitions: Vec<_> = response.responses[0]
        .partitions
        .iter()
        .map(|partition| {
            (
                partition.partition_index,
                partition.base_offset,
                partition.error_code.clone(),
            )
        })
        .collect();
    let expected = [
        (0, 3, ErrorCode::None),
        (1, 1, ErrorCode::None),
        (9, 0, ErrorCode::NotLeaderForPartition),
    ];
    assert_eq!(partitions, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_packed_as_the_topic_forbids_are_refused() {
    let mut spec = topic_of_two();
    spec.set_compression_type(CompressionAlgorithm::Gzip);
    let (broker, _folder) = broker_with("gzip-only", spec).await;
    let request = produce("gzip-only", vec![(0, vec![batch(&["not packed"])])]);
    let response = Wire::to(&broker).await.request(request).await;
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::CompressionError);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_checksum_is_put_right() {
    let (broker, folder) = broker_with("topic", topic_of_two()).await;
    let mut wrong = batch(&["value"]);
    wrong.get_mut_header().crc = 12_345;
    Wire::to(&broker)
        .await
        .request(produce("topic", vec![(0, vec![wrong])]))
        .await;
    broker.shutdown().await.unwrap();
    let broker = start(folder.path()).await;
    let offsets = Wire::to(&broker)
        .await
        .request(FetchOffsetsRequest::new("topic".to_owned(), 0))
        .await;
    assert_eq!(
        offsets.topics[0].partitions[0].last_stable_offset, 1,
        "the record was kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_answered_as_an_spu_would() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut wire = Wire::to(&broker).await;

    let offsets = wire
        .request(FetchOffsetsRequest::new("topic".to_owned(), 7))
        .await;
    let offsets = &offsets.topics[0].partitions[0];
    assert_eq!(offsets.error_code, ErrorCode::PartitionNotLeader);

    let stream = DefaultStreamFetchRequest::builder()
        .topic("nowhere")
        .build()
        .unwrap();
    let stream = wire.request(stream).await;
    assert_eq!(stream.stream_id, 0);
    assert_eq!(
        stream.partition.error_code,
        ErrorCode::NotLeaderForPartition
    );

    let update = OffsetUpdate {
        offset: 1,
        session_id: 42,
    };
    let update = wire.request(UpdateOffsetsRequest::new(vec![update])).await;
    assert_eq!(update.status[0].error, ErrorCode::FetchSessionNotFoud);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_rubbish_is_disconnected_and_nobody_else() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut good = Wire::to(&broker).await;
    let unknown_request = [0x7F, 0xFF, 0, 1, 0, 0, 0, 1, 0, 0];
    let torn_produce = [0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 9];
    for rubbish in [&[0xFF_u8; 40][..], &unknown_request, &torn_produce, &[]] {
        let mut bad = Wire::to(&broker).await;
        bad.send(rubbish).await;
        assert!(bad.is_closed().await, "{rubbish:?}");
    }
    let mut huge = Wire::to(&broker).await;
    huge.0.write_u32(u32::MAX).await.unwrap();
    assert!(huge.is_closed().await);
    let request = produce("topic", vec![(0, vec![batch(&["fine"])])]);
    let response = good.request(request).await;
    assert_eq!(
        response.responses[0].partitions[0].error_code,
        ErrorCode::None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_sends_again_only_after_the_client_has_acknowledged() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut producer = Wire::to(&broker).await;
    let mut consumer = Wire::to(&broker).await;
    producer
        .request(produce("topic", vec![(0, vec![batch(&["first"])])]))
        .await;
    let stream = DefaultStreamFetchRequest::builder()
        .topic("topic")
        .build()
        .unwrap();
    let first = consumer.request(stream).await;
    assert_eq!(first.partition.next_offset_for_fetch(), Some(1));
    producer
        .request(produce("topic", vec![(0, vec![batch(&["second"])])]))
        .await;

    // Other requests of the connection get responses, the stream is silent until this one.
    let offsets = consumer
        .request(FetchOffsetsRequest::new("topic".to_owned(), 0))
        .await;
    assert_eq!(offsets.topics[0].partitions[0].last_stable_offset, 2);
    let update = OffsetUpdate {
        offset: 1,
        session_id: first.stream_id,
    };
    let message = RequestMessage::new_request(UpdateOffsetsRequest::new(vec![update]));
    consumer.send(&message.as_bytes(0).unwrap()).await;

    let mut lengths = Vec::new();
    for _ in 0..2 {
        let frame = within_patience("both answers arrive", consumer.receive())
            .await
            .unwrap();
        lengths.push(frame.len());
    }
    assert_ne!(
        lengths[0], lengths[1],
        "one acknowledges, one has the second batch"
    );
}
