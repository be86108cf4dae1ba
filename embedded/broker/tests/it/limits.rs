//! What clients may take of the broker: connections, memory, time.

use std::path::Path;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig, Limits};
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio_compression::Compression;
use fluvio_protocol::Decoder;
use fluvio_protocol::Encoder;
use fluvio_protocol::api::RequestMessage;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords, Record};
use fluvio_sc_schema::TryEncodableFrom;
use fluvio_sc_schema::objects::{
    CommonCreateRequest, CreateRequest, ObjectApiCreateRequest, ObjectApiWatchRequest, WatchRequest,
};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use testkit::{wait_until, within_patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::protocol::{Wire, batch, broker_with, produce, topic_of_two};
use crate::support::config;

/// Short, but long enough for a client on a loaded machine to say something.
const SHORT: Duration = Duration::from_millis(500);

async fn broker_of(folder: &Path, limits: Limits) -> Broker {
    let config = BrokerConfig {
        limits,
        segment_bytes_max: 64 << 20,
        ..config(folder)
    };
    Broker::start(config).await.unwrap()
}

async fn request_offsets(wire: &mut Wire) {
    wire.request(FetchOffsetsRequest::new("topic".to_owned(), 0))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_and_does_not_go_on_is_hung_up_on_and_who_is_idle_is_not() {
    let folder = TempDir::new().unwrap();
    let limits = Limits {
        first_request_within: SHORT,
        request_within: SHORT,
        ..Limits::default()
    };
    let broker = broker_of(folder.path(), limits).await;
    let mut idle = Wire::to(&broker).await;
    request_offsets(&mut idle).await;
    let mut silent = Wire::to(&broker).await;
    let mut half = Wire::to(&broker).await;
    half.0.write_all(&[0, 0, 0]).await.unwrap();
    let mut later = Wire::to(&broker).await;
    request_offsets(&mut later).await;
    later.0.write_all(&[0, 0, 1, 0, 0, 0]).await.unwrap();
    for wire in [&mut silent, &mut half, &mut later] {
        assert!(wire.is_closed().await);
    }
    request_offsets(&mut idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_hung_up_on() {
    let (broker, folder) = broker_with("topic", topic_of_two()).await;
    broker.shutdown().await.unwrap();
    let limits = Limits {
        connections_max: 2,
        read_within: SHORT,
        ..Limits::default()
    };
    let broker = broker_of(folder.path(), limits).await;
    let mut producer = Wire::to(&broker).await;
    let large = "x".repeat(24 << 20);
    let request = produce("topic", vec![(0, vec![batch(&[&large])])]);
    let stored = producer.request(request).await;
    assert_eq!(
        stored.responses[0].partitions[0].error_code,
        ErrorCode::None
    );
    let mut deaf = Wire::to(&broker).await;
    let stream = DefaultStreamFetchRequest::builder().topic("topic").build();
    let message = RequestMessage::new_request(stream.unwrap());
    deaf.send(&message.as_bytes(0).unwrap()).await;
    // There is a place again as soon as the one that does not read has lost its own.
    wait_until("a third client is served", async || {
        is_served(&mut Wire::to(&broker).await).await
    })
    .await;
    let mut got = Vec::new();
    let end = within_patience("the connection ends", deaf.0.read_to_end(&mut got)).await;
    assert!(
        end.is_err() || got.len() < large.len(),
        "{} bytes",
        got.len()
    );
}

/// Whether a request gets a response.
async fn is_served(wire: &mut Wire) -> bool {
    let question = FetchOffsetsRequest::new("topic".to_owned(), 0);
    let frame = RequestMessage::new_request(question).as_bytes(0).unwrap();
    let length = u32::try_from(frame.len()).unwrap();
    let sent = wire.0.write_u32(length).await.is_ok() && wire.0.write_all(&frame).await.is_ok();
    sent && within_patience("an answer or none", wire.receive())
        .await
        .is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_connections_stop_no_client_that_is_there() {
    let files = getrlimit(Resource::Nofile);
    let current = files.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..files }).unwrap();
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut good = Wire::to(&broker).await;
    request_offsets(&mut good).await;
    let mut crowd = Vec::new();
    for _ in 0..2_000 {
        crowd.push(Wire::to(&broker).await);
        if crowd.len() % 100 == 0 {
            request_offsets(&mut good).await;
        }
    }
    let mut last = crowd.pop().unwrap();
    assert!(last.is_closed().await, "there are 1,024 places");
    drop(crowd);
    wait_until("there is a place again", async || {
        is_served(&mut Wire::to(&broker).await).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_refused_by_its_first_bytes() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    for (length, start) in [
        // Offsets of 2 MiB, a version of produce requests that there is not, 64 MiB of records.
        (2_u32 << 20, [3, 234, 0, 25]),
        (100, [0, 0, 0xFF, 0xFF]),
        (64 << 20, [0, 0, 0, 25]),
    ] {
        let mut wire = Wire::to(&broker).await;
        wire.0.write_u32(length).await.unwrap();
        wire.0.write_all(&start).await.unwrap();
        wire.0.write_all(&[0; 19]).await.ok();
        assert!(wire.is_closed().await, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_few_bytes_that_stands_for_many_is_refused() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut wire = Wire::to(&broker).await;
    for compression in [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Lz4,
        Compression::Snappy,
    ] {
        let mut bomb = Batch::from(vec![Record::new(vec![0; 40 << 20])]);
        bomb.get_mut_header().set_compression(compression);
        let bomb: Batch<RawRecords> = bomb.try_into().unwrap();
        let response = wire.request(produce("topic", vec![(0, vec![bomb])])).await;
        let response = &response.responses[0].partitions[0];
        assert_eq!(
            response.error_code,
            ErrorCode::MessageTooLarge,
            "{compression}"
        );
    }
    let offsets = wire
        .request(FetchOffsetsRequest::new("topic".to_owned(), 0))
        .await;
    assert_eq!(offsets.topics[0].partitions[0].last_stable_offset, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_too_many_streams_of_a_connection_the_one_used_longest_ago_ends() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut wire = Wire::to(&broker).await;
    wire.request(produce("topic", vec![(0, vec![batch(&["a"])])]))
        .await;
    let stream = || {
        DefaultStreamFetchRequest::builder()
            .topic("topic")
            .build()
            .unwrap()
    };
    for id in 1..=256 {
        assert_eq!(wire.request(stream()).await.stream_id, id);
    }
    let message = RequestMessage::new_request(stream());
    wire.send(&message.as_bytes(0).unwrap()).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let frame = within_patience("both streams response", wire.receive()).await;
        let mut frame = frame.unwrap().split_off(4);
        let response = DefaultStreamFetchResponse::decode_from(&mut frame, 25).unwrap();
        seen.push((response.stream_id, response.partition.error_code));
    }
    seen.sort_by_key(|(id, _)| *id);
    let reason = "a connection has 256 streams at most, and this one was used longest ago";
    let expected = [
        (1, ErrorCode::Other(reason.to_owned())),
        (257, ErrorCode::None),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_a_bounded_number_of_watches() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut wire = Wire::to(&broker).await;
    for _ in 0..33 {
        let watch = WatchRequest::<PartitionSpec>::summary();
        let watch = ObjectApiWatchRequest::try_encode_from(watch, 19).unwrap();
        let message = RequestMessage::new_request(watch);
        wire.send(&message.as_bytes(0).unwrap()).await;
    }
    let mut responses = Vec::new();
    let end = within_patience("the connection ends", wire.0.read_to_end(&mut responses)).await;
    end.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decoder_that_panics_ends_its_own_connection_only() {
    let (broker, _folder) = broker_with("topic", topic_of_two()).await;
    let mut good = Wire::to(&broker).await;
    request_offsets(&mut good).await;
    let module = CreateRequest {
        common: CommonCreateRequest {
            name: "module".to_owned(),
            ..CommonCreateRequest::default()
        },
        request: SmartModuleSpec {
            wasm: SmartModuleWasm::from_compressed_gzip(b"wasm".to_vec()),
            ..SmartModuleSpec::default()
        },
    };
    let module = ObjectApiCreateRequest::try_encode_from(module, 19).unwrap();
    let mut frame = RequestMessage::new_request(module)
        .as_bytes(0)
        .unwrap()
        .to_vec();
    // The length before the last four bytes: the decoder of byte strings believes it.
    let length = frame.len() - 8;
    frame[length..length + 4].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]);
    let mut bad = Wire::to(&broker).await;
    bad.send(&frame).await;
    assert!(bad.is_closed().await);
    request_offsets(&mut good).await;
}
