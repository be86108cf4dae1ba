//! Consumers that move to the other side go on exactly where they were.
//!
//! Each has the name of its topic, because the tests share one Kafka.

#![expect(clippy::print_stdout, reason = "the seed belongs to a failure")]

use std::time::Duration;

use bridge::BridgeConfig;
use expect_test::expect;
use fluvio::consumer::{
    ConsumerConfigExt, ConsumerConfigExtBuilder, ConsumerStream, OffsetManagementStrategy,
    RetryMode,
};
use fluvio::{Isolation, Offset, RecordKey, TopicProducerConfigBuilder};
use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, cluster};
use testkit::{PATIENCE, Seen, within_patience};
use tokio_util::sync::CancellationToken;

use crate::kill::{FLUVIO_ADDRESS, KAFKA_BROKERS, bridge_process};
use crate::mirror::transaction;
use crate::support::{
    BridgeOf as _, PARTITIONS, assert_same, assert_same_in_fluvio, config, mirror,
};

const KILLS: usize = 8;
const MOMENTS_MS: std::ops::Range<u64> = 100..1_500;

/// The process to be killed, and what it mirrors.
const BRIDGE: &str = "groups::bridge_with_groups_to_be_killed";
const KILL_TOPIC: &str = "group-kill";
const KILL_ROUTE: &str = "fluvio:group-kill";

fn with_groups(kafka: &KafkaCluster, topic: &str, route: &str) -> BridgeConfig {
    BridgeConfig {
        groups: vec!["nobody".to_owned(), topic.to_owned()],
        ..kafka.config(topic, &[route])
    }
}

/// A consumer of Fluvio by name, as anybody writes one.
fn named_consumer(topic: &str, partition: u32) -> ConsumerConfigExt {
    ConsumerConfigExtBuilder::default()
        .topic(topic)
        .partition(partition)
        .offset_start(Offset::beginning())
        .offset_consumer(topic)
        .offset_strategy(OffsetManagementStrategy::Manual)
        .retry_mode(RetryMode::Disabled)
        .isolation(Isolation::ReadCommitted)
        .max_bytes(8 << 20)
        .build()
        .unwrap()
}

/// Reads so many records of each partition as the named consumer; the position is stored.
async fn read(fluvio: &FluvioNode, topic: &str, counts: [usize; 3]) -> Vec<Vec<Seen>> {
    let client = fluvio.client().await;
    let mut partitions = Vec::new();
    for (partition, count) in (0..).zip(counts) {
        let mut records = Vec::new();
        if count > 0 {
            let config = named_consumer(topic, partition);
            let mut stream = client.consumer_with_config(config).await.unwrap();
            while records.len() < count {
                let next = within_patience("a record comes", stream.next()).await;
                records.push(Seen::from(&next.unwrap().unwrap()));
            }
            stream.offset_commit().await.unwrap();
            stream.offset_flush().await.unwrap();
        }
        partitions.push(records);
    }
    partitions
}

/// The last records that the named consumer has seen, by partition.
async fn positions(fluvio: &FluvioNode, topic: &str) -> Vec<Option<i64>> {
    let offsets = fluvio.client().await.consumer_offsets().await.unwrap();
    let of = |partition| {
        let mut offsets = offsets.iter();
        let found = offsets.find(|offset| {
            offset.consumer_id == topic
                && (offset.topic.as_str(), offset.partition) == (topic, partition)
        });
        found.map(|offset| offset.offset)
    };
    (0..PARTITIONS).map(of).collect()
}

/// Where the group is in Kafka, as text.
async fn committed(kafka: &KafkaCluster, topic: &str) -> Vec<String> {
    let text = kafka.python(&["committed", topic, topic]).await;
    text.lines().map(str::to_owned).collect()
}

/// Numbered records for each partition.
async fn produce(fluvio: &FluvioNode, topic: &str, numbers: std::ops::Range<usize>) {
    let client = fluvio.client().await;
    for partition in 0..PARTITIONS {
        let config = TopicProducerConfigBuilder::default()
            .set_specific_partitioner(partition)
            .build()
            .unwrap();
        let producer = client.topic_producer_with_config(topic, config).await;
        let producer = producer.unwrap();
        for number in numbers.clone() {
            producer
                .send(RecordKey::NULL, number.to_string())
                .await
                .unwrap();
        }
        producer.flush().await.unwrap();
    }
}

fn without(records: &[Vec<Seen>], counts: [usize; 3]) -> Vec<Vec<Seen>> {
    let partitions = records.iter().zip(counts);
    partitions
        .map(|(all, count)| all[count..].to_vec())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_moves_from_kafka_reads_exactly_the_rest_in_fluvio() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let topic = "group-there";
    kafka.python(&["create", topic]).await;
    kafka.python(&["write", topic, "2000", "1", "1"]).await;
    let before_the_gap = kafka.dump(topic).await[1].len();
    transaction(kafka, topic, "aborted", false);
    transaction(kafka, topic, "committed", true);
    kafka.python(&["write", topic, "2000", "2", "1"]).await;
    let written = kafka.dump(topic).await;
    let config = with_groups(kafka, topic, &format!("kafka:{topic}"));
    let carry_over = async || mirror(&fluvio, config.clone()).await.unwrap();

    // Half of one partition, another up to two aborted records and their marker, nothing of the
    // third.
    let mut counts = [written[0].len() / 2, before_the_gap, 0];
    let read_by_group = async |counts: [usize; 3]| {
        let counts = counts.map(|count| count.to_string());
        let counts: Vec<_> = counts.iter().map(String::as_str).collect();
        kafka
            .python(&[&["read", topic, topic], counts.as_slice()].concat())
            .await;
    };
    read_by_group(counts).await;
    carry_over().await;
    let last = |count: usize| Some(i64::try_from(count).unwrap() - 1);
    assert_eq!(
        positions(&fluvio, topic).await,
        [last(counts[0]), last(counts[1]), None]
    );

    // Between the records of a transaction; the end, behind a marker; the first record alone.
    read_by_group([0, 1, 1]).await;
    counts[1] += 1;
    counts[2] += 1;
    read_by_group([written[0].len() - counts[0], 0, 0]).await;
    counts[0] = written[0].len();
    carry_over().await;
    transaction(kafka, topic, "later", true);
    carry_over().await;

    let expected = without(&kafka.dump(topic).await, counts);
    let lengths = [0, 1, 2].map(|partition| expected[partition].len());
    let rest = read(&fluvio, topic, lengths).await;
    assert_same_in_fluvio(&rest, &expected);

    // The consumer is further in Fluvio now, and stays there.
    let at_the_end = positions(&fluvio, topic).await;
    carry_over().await;
    assert_eq!(positions(&fluvio, topic).await, at_the_end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_moves_from_fluvio_reads_exactly_the_rest_in_kafka() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let topic = "group-back";
    fluvio.create(topic, PARTITIONS).await;
    let config = with_groups(kafka, topic, &format!("fluvio:{topic}"));
    let carry_over = async || mirror(&fluvio, config.clone()).await.unwrap();
    // Each run is some transactions; what else takes offsets are another producer's aborted records.
    for run in 0..8 {
        produce(&fluvio, topic, run * 100..(run + 1) * 100).await;
        carry_over().await;
        transaction(kafka, topic, "aborted", false);
    }
    let written = kafka.dump(topic).await;
    assert_same("mirrored", &written, &fluvio.dump(topic).await);

    // In a transaction, at the end of one, nothing.
    let mut counts = [350, 400, 0];
    read(&fluvio, topic, counts).await;
    carry_over().await;
    let rest = kafka.rest(topic).await;
    assert_same("the rest", &rest, &without(&written, counts));
    assert_eq!(committed(kafka, topic).await[2], "None");

    // The very end, the first record, and what was copied meanwhile.
    read(&fluvio, topic, [450, 0, 1]).await;
    counts = [800, 400, 1];
    carry_over().await;
    produce(&fluvio, topic, 800..900).await;
    carry_over().await;
    let written = kafka.dump(topic).await;
    let rest = kafka.rest(topic).await;
    assert_same("the rest", &rest, &without(&written, counts));

    // The group goes on in Kafka and is not put back.
    kafka.python(&["read", topic, topic, "50", "50", "0"]).await;
    let there = committed(kafka, topic).await;
    carry_over().await;
    assert_eq!(committed(kafka, topic).await, there);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_members_in_kafka_is_left_alone() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let topic = "group-active";
    fluvio.create(topic, PARTITIONS).await;
    produce(&fluvio, topic, 0..10).await;
    let config = with_groups(kafka, topic, &format!("fluvio:{topic}"));
    mirror(&fluvio, config.clone()).await.unwrap();

    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .set("group.id", topic)
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    member.subscribe(&[topic]).unwrap();
    let joining = tokio::task::spawn_blocking(move || {
        let begun = std::time::Instant::now();
        while member.assignment().unwrap().count() == 0 && begun.elapsed() < PATIENCE {
            member.poll(Duration::from_millis(100));
        }
        member
    });
    let member = joining.await.unwrap();
    read(&fluvio, topic, [5, 5, 5]).await;
    mirror(&fluvio, config.clone()).await.unwrap();
    assert_eq!(committed(kafka, topic).await, ["None"; 3]);

    tokio::task::spawn_blocking(move || drop(member))
        .await
        .unwrap();
    mirror(&fluvio, config).await.unwrap();
    let rest = kafka.rest(topic).await;
    assert_same(
        "the rest",
        &rest,
        &without(&kafka.dump(topic).await, [5; 3]),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_can_be_named_when_a_topic_is_mirrored_already() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let topic = "group-late";
    fluvio.create(topic, PARTITIONS).await;
    produce(&fluvio, topic, 0..100).await;
    let route = format!("fluvio:{topic}");
    mirror(&fluvio, kafka.config(topic, &[&route]))
        .await
        .unwrap();
    produce(&fluvio, topic, 100..200).await;
    mirror(&fluvio, kafka.config(topic, &[&route]))
        .await
        .unwrap();

    // At the end it has a place; where nothing was written down it has none, until it reads on.
    read(&fluvio, topic, [200, 150, 0]).await;
    let config = with_groups(kafka, topic, &route);
    mirror(&fluvio, config.clone()).await.unwrap();
    expect![[r#"
        [
            "202",
            "None",
            "None",
        ]
    "#]]
    .assert_debug_eq(&committed(kafka, topic).await);
    read(&fluvio, topic, [0, 50, 0]).await;
    mirror(&fluvio, config).await.unwrap();
    assert_eq!(committed(kafka, topic).await[1], "202");
}

/// Not a test by itself: a process that the test below kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `killing_the_bridge_moves_no_group_too_far`"]
async fn bridge_with_groups_to_be_killed() {
    let (Ok(address), Ok(brokers)) = (std::env::var(FLUVIO_ADDRESS), std::env::var(KAFKA_BROKERS))
    else {
        return;
    };
    let config = BridgeConfig {
        groups: vec![KILL_TOPIC.to_owned()],
        groups_every: Duration::from_millis(50),
        once: false,
        ..config(brokers, KILL_TOPIC, &[KILL_ROUTE])
    };
    let fluvio = FluvioNode::at(address);
    bridge::run(fluvio.config(), config, CancellationToken::new())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_bridge_moves_no_group_too_far() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let topic = KILL_TOPIC;
    fluvio.create(topic, PARTITIONS).await;
    let seed = rand::random();
    println!("moments from seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let mut counts = [0; 3];
    let mut total = 0;
    for _ in 0..KILLS {
        let running = bridge_process(BRIDGE, kafka, &fluvio.address);
        let deadline = tokio::time::Instant::now()
            + Duration::from_millis(1_000 + random.random_range(MOMENTS_MS));
        while tokio::time::Instant::now() < deadline {
            produce(&fluvio, topic, total..total + 30).await;
            total += 30;
            let more = counts.map(|count| random.random_range(0..=total - count));
            read(&fluvio, topic, more).await;
            counts = [0, 1, 2].map(|partition| counts[partition] + more[partition]);
        }
        drop(running);
    }
    let config = with_groups(kafka, topic, KILL_ROUTE);
    mirror(&fluvio, config).await.unwrap();
    let written = kafka.dump(topic).await;
    assert_same("mirrored", &written, &fluvio.dump(topic).await);
    let rest = kafka.rest(topic).await;
    assert_same("the rest", &rest, &without(&written, counts));
}
