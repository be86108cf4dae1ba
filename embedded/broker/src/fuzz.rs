//! Throws broken requests at the broker's own sessions, without a network between.
//!
//! `BIKESHARE_FUZZ_FRAMES=10000000 BIKESHARE_FUZZ_SEED=7 cargo test --profile quick -p embedded-broker --lib
//! fuzz -- --nocapture` sends so many; what fails is sent again by the seed it prints.

#![expect(clippy::print_stdout, reason = "a seed must be seen")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fluvio_controlplane_metadata::partition::PartitionSpec;
use fluvio_controlplane_metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio_controlplane_metadata::topic::TopicSpec;
use fluvio_controlplane_metadata::topic::{AddPartition, UpdateTopicAction};
use fluvio_protocol::Encoder;
use fluvio_protocol::api::{Request as ProtocolRequest, RequestMessage};
use fluvio_protocol::link::versions::ApiVersionsRequest;
use fluvio_protocol::record::{Batch, RawRecords, Record, RecordSet};
use fluvio_sc_schema::TryEncodableFrom;
use fluvio_sc_schema::objects::{
    CommonCreateRequest, CreateRequest, DeleteRequest, ListFilter, ListRequest,
    ObjectApiCreateRequest, ObjectApiDeleteRequest, ObjectApiListRequest, ObjectApiUpdateRequest,
    ObjectApiWatchRequest, UpdateRequest, WatchRequest,
};
use fluvio_spu_schema::produce::{
    DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest,
};
use fluvio_spu_schema::server::consumer_offset::{
    DeleteConsumerOffsetRequest, FetchConsumerOffsetsRequest, UpdateConsumerOffsetRequest,
};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::smartmodule::{SmartModuleInvocation, SmartModuleInvocationWasm};
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, sink};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::folder::claim;
use crate::limits::{Limits, Quotas};
use crate::node::{Node, is_system_topic};
use crate::responses::Responses;
use crate::session;
use crate::wire::Requests;

/// In the suite.
const FRAMES: u64 = 200_000;
/// What one connection may cost.
const MEMORY_BYTES_MAX: u64 = 200_000_000;
/// Longest wait for a session to end.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn no_frame_costs_more_than_200_mb_or_stops_another_client() {
    let frames = number("BIKESHARE_FUZZ_FRAMES").unwrap_or(FRAMES);
    let seed = number("BIKESHARE_FUZZ_SEED").unwrap_or_else(|| rand::rng().random());
    println!("{frames} frames, BIKESHARE_FUZZ_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let _lock = claim(folder.path()).unwrap();
    let node = Node::open(folder.path(), 1 << 20, false).unwrap();
    node.create_topic("topic", TopicSpec::new_computed(2, 1, None))
        .unwrap();
    let broker = Broker::of(node);
    let valid = valid_frames();
    let mut random = SmallRng::seed_from_u64(seed);
    let (began, before) = (Instant::now(), reset_peak());
    let mut other = Client::of(&broker);
    let mut one = Client::of(&broker);
    for sent in 0..frames {
        one.send(&mutated(&valid, &mut random)).await;
        // What follows a request that is refused is not read.
        if random.random_ratio(3, 4) {
            one.leave().await;
            one = Client::of(&broker);
        }
        if sent % 1_000 == 0 {
            remove_what_was_created(&broker.node);
        }
        if sent % 10_000 == 0 {
            other.requests_and_gets_response().await;
        }
    }
    one.leave().await;
    other.requests_and_gets_response().await;
    let grown = peak_bytes().saturating_sub(before);
    println!(
        "{:?}, {} MB more at most",
        began.elapsed(),
        grown / 1_000_000
    );
    assert!(grown < MEMORY_BYTES_MAX, "{grown} bytes more at most");
}

#[tokio::test]
async fn a_count_of_nothing_is_refused_before_it_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let _lock = claim(folder.path()).unwrap();
    let broker = Broker::of(Node::open(folder.path(), 1 << 20, false).unwrap());
    let before = reset_peak();
    for version in [-1, i16::MIN, 26, i16::MAX] {
        // A produce request whose fields of later versions are skipped, 2^31 − 1 of them.
        let mut frame = vec![0, 0];
        frame.extend(version.to_be_bytes());
        frame.extend([0, 0, 0, 1, 0, 0]);
        frame.extend([0, 0, 1, 0, 0, 0, 1]);
        frame.extend([0x7F, 0xFF, 0xFF, 0xFF].repeat(8));
        assert!(Client::of(&broker).hangs_up_on(&frame).await, "{version}");
    }
    let grown = peak_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES_MAX / 10, "{grown} bytes");
}

/// The dearest element there is for its bytes, as many as a request can hold.
#[tokio::test]
async fn a_request_full_of_the_smallest_fields_stays_in_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let _lock = claim(folder.path()).unwrap();
    let broker = Broker::of(Node::open(folder.path(), 1 << 20, false).unwrap());
    let before = reset_peak();
    for (elements, tail) in [
        // Invocations: a name of no letters, kind, parameters.
        (7_000_000, &[0, 0, 0, 0, 0, 0][..]),
        // Topics: no name, no partitions.
        (5_000_000, &[0, 0, 0, 0, 0, 0]),
    ] {
        let mut frame = vec![0, 0, 0, 18, 0, 0, 0, 1, 0, 0];
        frame.extend([0, 0, 1, 0, 0, 0, 1]);
        let count = i32::to_be_bytes(elements);
        if elements == 7_000_000 {
            frame.extend([0, 0, 0, 0]);
        }
        frame.extend(count);
        let free_bytes = crate::api::LARGEST_BYTES - frame.len() - tail.len();
        let body = tail.repeat(free_bytes / tail.len());
        frame.extend(body);
        assert!(Client::of(&broker).hangs_up_on(&frame).await, "{elements}");
    }
    let grown = peak_bytes().saturating_sub(before);
    println!("{} MB more at most", grown / 1_000_000);
    assert!(grown < MEMORY_BYTES_MAX, "{grown} bytes");
}

/// Keeps files few: broken requests create topics, too, of up to a thousand partitions.
fn remove_what_was_created(node: &Node) {
    let (_, topics) = node.metadata.topics();
    let created = topics.into_keys().filter(|name| !is_system_topic(name));
    for name in created.filter(|name| name != "topic") {
        node.delete_topic(&name).unwrap();
    }
}

/// A node with its sessions, and no socket.
#[derive(Clone)]
struct Broker {
    node: Arc<Node>,
    quotas: Quotas,
}

impl Broker {
    fn of(node: Node) -> Self {
        let quotas = Quotas::new(Limits::default());
        let node = Arc::new(node);
        Self { node, quotas }
    }
}

struct Client {
    requests: DuplexStream,
    responses_in: DuplexStream,
    session: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Client {
    fn of(broker: &Broker) -> Self {
        let (requests, receiving) = duplex(256 << 10);
        let (sending, responses_in) = duplex(256 << 10);
        let closing = CancellationToken::new();
        let responses = Responses::new(sending, Limits::default().read_within, closing.clone());
        let address = "127.0.0.1:9003".parse().unwrap();
        let node = Arc::clone(&broker.node);
        let connection = Connection::new(node, responses, address, closing, TaskTracker::new());
        let requests_of = Requests::new(receiving, broker.quotas.clone());
        let session = tokio::spawn(session::serve(connection, requests_of));
        Self {
            requests,
            responses_in,
            session,
        }
    }

    /// Sends a frame, unless the broker has hung up.
    async fn send(&mut self, frame: &[u8]) {
        write(&mut self.requests, frame).await;
    }

    /// Waits until all responses are sent, and the session has ended otherwise than by a panic.
    async fn leave(self) {
        let (requests, mut responses_in) = (self.requests, self.responses_in);
        drop(requests);
        let mut nowhere = sink();
        let reading = tokio::io::copy(&mut responses_in, &mut nowhere);
        let ended = async { tokio::join!(self.session, reading) };
        let (session, read) = tokio::time::timeout(PATIENCE, ended)
            .await
            .expect("the session ends");
        session.expect("no panic").ok();
        read.unwrap();
    }

    async fn hangs_up_on(mut self, frame: &[u8]) -> bool {
        write(&mut self.requests, frame).await;
        let ended = tokio::time::timeout(PATIENCE, self.session).await;
        ended.expect("the session ends").expect("no panic").is_err()
    }

    async fn requests_and_gets_response(&mut self) {
        let request = FetchOffsetsRequest::new("topic".to_owned(), 0);
        assert!(write(&mut self.requests, &frame_of(request, 25)).await);
        let received = tokio::time::timeout(PATIENCE, async {
            let length = self.responses_in.read_u32().await.unwrap();
            let mut response = vec![0; length as usize];
            self.responses_in.read_exact(&mut response).await.unwrap();
        });
        received.await.expect("the other client gets its response");
    }
}

async fn write(to: &mut DuplexStream, frame: &[u8]) -> bool {
    let length = u32::try_from(frame.len()).unwrap();
    to.write_u32(length).await.is_ok() && to.write_all(frame).await.is_ok()
}

/// A valid frame, broken in some way; or none at all.
fn mutated(valid: &[Vec<u8>], random: &mut SmallRng) -> Vec<u8> {
    let mut frame = valid[random.random_range(0..valid.len())].clone();
    for _ in 0..random.random_range(1..4) {
        if frame.len() < 4 {
            break;
        }
        let at = random.random_range(0..frame.len());
        match random.random_range(0..8) {
            0 => frame[at] ^= 1 << random.random_range(0..8),
            1 => frame[at] = random.random(),
            2 => frame.truncate(at),
            3 => inflate(&mut frame, at, random),
            4 => frame[2..4].copy_from_slice(&random.random_range(-2..30_i16).to_be_bytes()),
            5 => splice(&mut frame, at, valid, random),
            6 => {
                let end = frame.len().min(at + random.random_range(1..64));
                let repeated = frame[at..end].repeat(random.random_range(2..40));
                frame.splice(at..end, repeated);
            }
            _ if random.random_ratio(1, 8) => {
                frame = (0..random.random_range(0..300))
                    .map(|_| random.random())
                    .collect();
            }
            _ => frame.insert(at, random.random()),
        }
    }
    frame
}

/// A count, a length or a varint that says far more than there is.
fn inflate(frame: &mut [u8], at: usize, random: &mut SmallRng) {
    let large: [&[u8]; 6] = [
        &[0x7F, 0xFF, 0xFF, 0xFF],
        &[0xFF, 0xFF, 0xFF, 0xFF],
        &[0x00, 0xFF, 0xFF, 0xFF],
        &[0x7F, 0xFF],
        &[0x80, 0x00],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    ];
    let large = large[random.random_range(0..large.len())];
    for (byte, value) in frame[at..].iter_mut().zip(large) {
        *byte = *value;
    }
}

/// The rest of another frame.
fn splice(frame: &mut Vec<u8>, at: usize, valid: &[Vec<u8>], random: &mut SmallRng) {
    let other = &valid[random.random_range(0..valid.len())];
    frame.truncate(at);
    frame.extend_from_slice(&other[random.random_range(0..other.len())..]);
}

/// Each request in each version that is served.
fn valid_frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for version in 0..=25 {
        frames.push(frame_of(produce(), version));
        frames.push(frame_of(stream(), version));
    }
    for version in 0..=2 {
        frames.push(frame_of(ApiVersionsRequest::default(), version));
    }
    for version in 23..=25 {
        frames.push(frame_of(
            FetchOffsetsRequest::new("topic".to_owned(), 1),
            version,
        ));
        frames.push(frame_of(UpdateConsumerOffsetRequest::new(3, 1), version));
        frames.push(frame_of(
            DeleteConsumerOffsetRequest::new("topic", 0, "consumer"),
            version,
        ));
        frames.push(frame_of(
            FetchConsumerOffsetsRequest::with_opts(None, Some("consumer".to_owned())),
            version,
        ));
    }
    let offset = OffsetUpdate {
        offset: 1,
        session_id: 1,
    };
    frames.push(frame_of(UpdateOffsetsRequest::new(vec![offset]), 0));
    for version in 11..=19 {
        frames.extend(admin_frames(version));
    }
    frames
}

fn admin_frames(version: i16) -> Vec<Vec<u8>> {
    let common = || CommonCreateRequest {
        name: "created".to_owned(),
        dry_run: true,
        ..CommonCreateRequest::default()
    };
    let topic = CreateRequest {
        common: common(),
        request: TopicSpec::new_computed(1, 1, None),
    };
    let module = CreateRequest {
        common: common(),
        request: SmartModuleSpec {
            wasm: SmartModuleWasm::from_compressed_gzip(b"no module".to_vec()),
            ..SmartModuleSpec::default()
        },
    };
    let delete = DeleteRequest::<TopicSpec>::new("created".to_owned());
    let added = AddPartition { count: 1 };
    let update = UpdateRequest::<TopicSpec>::new(
        "created".to_owned(),
        UpdateTopicAction::AddPartition(added),
    );
    let mut frames = vec![
        frame_of(
            ObjectApiCreateRequest::try_encode_from(topic, version).unwrap(),
            version,
        ),
        frame_of(
            ObjectApiCreateRequest::try_encode_from(module, version).unwrap(),
            version,
        ),
        frame_of(
            ObjectApiDeleteRequest::try_encode_from(delete, version).unwrap(),
            version,
        ),
        frame_of(
            ObjectApiUpdateRequest::try_encode_from(update, version).unwrap(),
            version,
        ),
    ];
    if version >= 15 {
        let filters = vec![ListFilter::from("topic".to_owned())];
        let list = ListRequest::<SmartModuleSpec>::new(filters, true);
        let watch = WatchRequest::<PartitionSpec>::summary();
        frames.push(frame_of(
            ObjectApiListRequest::try_encode_from(list, version).unwrap(),
            version,
        ));
        frames.push(frame_of(
            ObjectApiWatchRequest::try_encode_from(watch, version).unwrap(),
            version,
        ));
    }
    frames
}

fn produce() -> DefaultProduceRequest {
    let batch = |values: &[&str]| -> Batch<RawRecords> {
        let records: Vec<Record> = values.iter().map(|value| Record::new(*value)).collect();
        Batch::from(records).try_into().unwrap()
    };
    let records = RecordSet {
        batches: vec![batch(&["first", "second"]), batch(&["third"])],
    };
    let partitions = vec![DefaultPartitionRequest {
        partition_index: 0,
        records,
    }];
    DefaultProduceRequest {
        topics: vec![DefaultTopicRequest {
            name: "topic".to_owned(),
            partitions,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn stream() -> DefaultStreamFetchRequest {
    let module = SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::Predefined("module".to_owned()),
        name: Some("module".to_owned()),
        ..Default::default()
    };
    let mut request = DefaultStreamFetchRequest::default();
    request.topic = "topic".to_owned();
    request.max_bytes = 1 << 20;
    request.smartmodules = vec![module];
    request
}

fn frame_of<R: ProtocolRequest>(request: R, version: i16) -> Vec<u8> {
    let mut message = RequestMessage::new_request(request);
    message.header.set_api_version(version);
    message.as_bytes(0).unwrap().to_vec()
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().unwrap())
}

/// Resets the peak of this process's memory, and gives what it has now, in bytes.
fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_bytes()
}

/// The most memory this process has had, other tests of it included, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}
