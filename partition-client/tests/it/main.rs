//! One partition, read and written: against the embedded broker, or a real cluster whose address is
//! given, as `BIKESHARE_TEST_CLUSTER=HOST:PORT`.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod long_stream;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use fluvio::FluvioClusterConfig;
use fluvio_protocol::record::{Batch, RawRecords, Record};
use partition_client::{
    Cluster, PartitionClient, PartitionStream, StreamRequest, TopicPartition, TopicRetention,
    TopicShape, has_unreplicated,
};
use testkit::broker::FluvioNode;
use testkit::unique;

/// A cluster, and the broker behind it if that is ours.
struct TestCluster {
    cluster: Cluster,
    node: FluvioNode,
}

async fn test_cluster() -> TestCluster {
    let node = FluvioNode::named_or_new().await;
    TestCluster {
        cluster: Cluster::new(node.config(), Duration::from_secs(20)),
        node,
    }
}

/// A new topic's only partition.
async fn partition(cluster: &Cluster) -> TopicPartition {
    let topic = unique("partition-client");
    let shape = TopicShape {
        partitions: 1,
        replication: 1,
    };
    cluster
        .create_topic(&topic, shape, TopicRetention::default())
        .await
        .unwrap();
    assert_eq!(cluster.topic_shape(&topic).await.unwrap(), Some(shape));
    TopicPartition {
        topic,
        partition: 0,
    }
}

fn batch(values: &[&str]) -> Batch<RawRecords> {
    let records: Vec<_> = values.iter().map(|value| Record::new(*value)).collect();
    Batch::from(records).try_into().unwrap()
}

/// Two batches: three records, then two.
async fn filled(cluster: &Cluster) -> (TopicPartition, PartitionClient) {
    let partition = partition(cluster).await;
    let mut client = PartitionClient::open(cluster, partition.clone())
        .await
        .unwrap();
    let bases = [
        client.append(vec![batch(&["a", "b", "c"])]).await.unwrap(),
        client.append(vec![batch(&["d", "e"])]).await.unwrap(),
    ];
    assert_eq!(bases, [0, 3]);
    (partition, client)
}

#[tokio::test]
async fn what_is_appended_is_found_at_its_offset() {
    let test = test_cluster().await;
    let (partition, mut client) = filled(&test.cluster).await;
    let range = client.offset_range().await.unwrap();
    assert_eq!((range.start, range.end), (0, 5));
    let ends = test.cluster.log_ends(&partition.topic).await.unwrap();
    assert_eq!(ends, [(0, 5)].into());
    let (_, value) = client.record_at(4).await.unwrap();
    assert_eq!(&value[..], b"e");
    assert_eq!(client.batch_head(1).await.unwrap().base_offset, 0);
    assert_eq!(client.batch_at(4).await.unwrap().base_offset, 3);
}

#[tokio::test]
async fn a_log_has_nothing_behind_its_end() {
    let test = test_cluster().await;
    let (partition, _) = filled(&test.cluster).await;
    for (end, expected) in [(5, false), (4, true)] {
        let found = has_unreplicated(&test.cluster, &partition, end).await;
        assert_eq!(found.unwrap(), expected, "from {end} on");
    }
}

#[tokio::test]
async fn small_responses_are_acknowledged_one_by_one_and_miss_no_batch() {
    let test = test_cluster().await;
    let partition = partition(&test.cluster).await;
    let mut client = PartitionClient::open(&test.cluster, partition.clone())
        .await
        .unwrap();
    let value = "x".repeat(1_000);
    for _ in 0..20 {
        client.append(vec![batch(&[&value])]).await.unwrap();
    }
    // Room for one batch and a part of the next, which a real SPU sends too.
    let request = StreamRequest::stored(0).fetch_bytes(1_500);
    let mut stream = PartitionStream::open(&test.cluster, partition, request)
        .await
        .unwrap();
    let mut next_offset = 0;
    while next_offset < 20 {
        let response = stream.next_response().await.unwrap();
        for batch in &response.batches {
            assert_eq!(batch.base_offset, next_offset);
            next_offset = batch.get_last_offset() + 1;
        }
        stream.acknowledge(&response).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let test = test_cluster().await;
    let error = test.cluster.log_ends("nowhere").await.unwrap_err();
    assert_eq!(
        domain::error_chain(&error),
        "could not read the ends of topic nowhere: no such topic"
    );
    let partition = TopicPartition {
        topic: "nowhere".to_owned(),
        partition: 7,
    };
    let error = PartitionClient::open(&test.cluster, partition).await;
    assert_eq!(
        domain::error_chain(&error.unwrap_err()),
        "could not find the leader of nowhere/7 in Fluvio: no such partition, or its leader is away"
    );
}

/// A peer that takes one request and sends `response`, then nothing.
fn peer(response: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let response = response.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                if client.read(&mut request).is_ok() {
                    client.write_all(&response).unwrap();
                }
                // Until it hangs up.
                while client.read(&mut request).is_ok_and(|length| length > 0) {}
            });
        }
    });
    address
}

#[tokio::test]
async fn a_peer_that_sends_what_cannot_be_or_nothing_is_an_error_in_time() {
    let length = |length: i32| [&length.to_be_bytes()[..], &[7; 40]].concat();
    for response in [length(-1), length(40), length(i32::MAX), Vec::new()] {
        let config = FluvioClusterConfig::new(peer(response.clone()).to_string());
        let cluster = Cluster::new(config, Duration::from_secs(1));
        let asking = tokio::time::timeout(Duration::from_secs(30), cluster.topic_shape("trips"));
        let error = asking.await.unwrap().unwrap_err();
        assert_eq!(error.doing, "list Fluvio's topics", "{response:?}");
    }
}
