//! There and back: what comes out is what went in, and what must not be mirrored is refused.

use std::time::{Duration, Instant};

use bridge::{BridgeConfig, BridgeError};
use expect_test::expect;
use fluvio::RecordKey;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, cluster};
use testkit::{PATIENCE, within_patience};
use tokio_util::sync::CancellationToken;

use crate::support::{BridgeOf as _, PARTITIONS, assert_same, assert_same_in_fluvio, mirror};

const WITHIN: Duration = Duration::from_secs(30);

/// One transaction with two records for each partition; one of them is null wherever it can be.
pub(crate) fn transaction(kafka: &KafkaCluster, topic: &str, text: &str, commit: bool) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .set("transactional.id", format!("test-{topic}"))
        .create()
        .unwrap();
    producer.init_transactions(WITHIN).unwrap();
    producer.begin_transaction().unwrap();
    for partition in 0..i32::try_from(PARTITIONS).unwrap() {
        let record = BaseRecord::<str, str>::to(topic)
            .partition(partition)
            .payload(text);
        producer.send(record).unwrap();
        let header = Header {
            key: "null",
            value: None::<&str>,
        };
        let null = BaseRecord::<str, str>::to(topic)
            .partition(partition)
            .headers(OwnedHeaders::new().insert(header));
        producer.send(null).unwrap();
    }
    producer.flush(WITHIN).unwrap();
    match commit {
        true => producer.commit_transaction(WITHIN).unwrap(),
        false => producer.abort_transaction(WITHIN).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_every_record_is_the_same_and_aborted_ones_never_appear() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::named_or_new().await;
    let topic = format!("whole-{}", std::process::id());
    let back = format!("{topic}-back");
    let there_route = format!("kafka:{topic}={topic}");
    let back_route = format!("fluvio:{topic}={back}");
    kafka.python(&["create", &topic]).await;
    kafka.python(&["write", &topic, "50000", "1", "6"]).await;
    transaction(kafka, &topic, "aborted", false);
    transaction(kafka, &topic, "committed", true);
    kafka.python(&["write", &topic, "50000", "2", "6"]).await;
    let written = kafka.dump(&topic).await;
    assert_eq!(written.iter().map(Vec::len).sum::<usize>(), 100_006);

    let there = mirror(&fluvio, kafka.config("whole", &[&there_route])).await;
    let there = there.unwrap();
    assert_same_in_fluvio(&fluvio.dump(&topic).await, &written);
    // Two aborted records, their marker, and the other transaction's marker on each partition.
    assert_eq!((there.copied, there.passed_over), (100_006, 12));

    // Room for a batch or two: many answers, which a real cluster cuts anywhere.
    let mut config = kafka.config("whole", &[&back_route]);
    config.fetch_bytes = 5 << 19;
    assert_eq!(mirror(&fluvio, config).await.unwrap().copied, 100_006);
    assert_same("back in Kafka", &kafka.dump(&back).await, &written);

    // Nothing more is copied by a second run, in either direction.
    for route in [&there_route, &back_route] {
        let again = mirror(&fluvio, kafka.config("whole", &[route])).await;
        assert_eq!(again.unwrap().copied, 0, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_others_write_is_refused() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", "shared"]).await;
    transaction(kafka, "shared", "ours", true);
    let config = kafka.config("shared", &["kafka:shared=shared"]);
    mirror(&fluvio, config.clone()).await.unwrap();

    let producer = fluvio
        .client()
        .await
        .topic_producer("shared")
        .await
        .unwrap();
    producer.send(RecordKey::NULL, "foreign").await.unwrap();
    producer.flush().await.unwrap();
    let error = mirror(&fluvio, config).await.unwrap_err();
    assert!(matches!(error, BridgeError::OtherWriter { .. }), "{error}");
    let text = error.to_string();
    let (_, rest) = text.split_once("@3: ").unwrap();
    expect!["the records before it were not copied from Kafka; the bridge must be the only writer of a partition in Fluvio: mirror into another topic, or stop the other writer and empty this one"]
        .assert_eq(rest);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_missing_or_differ_are_refused_with_what_to_do() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let refused = async |route: &str| {
        let mirrored = mirror(&fluvio, kafka.config("differ", &[route])).await;
        mirrored.unwrap_err().to_string()
    };
    expect![[r#"kafka has no topic "nowhere": create it, or check its name"#]]
        .assert_eq(&refused("kafka:nowhere").await);
    expect![[r#"fluvio has no topic "nowhere": create it, or check its name"#]]
        .assert_eq(&refused("fluvio:nowhere").await);

    kafka.python(&["create", "differ"]).await;
    fluvio.create("differ", 2).await;
    expect![[r#"fluvio's topic "differ" differs from its source: it has partitions 2, its source 3; give it as many, or mirror into another topic, which the bridge creates"#]]
        .assert_eq(&refused("kafka:differ").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_kafka_does_not_take_stops_the_partition_and_says_which() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    // A topic with Kafka's own limit of about 1 MiB.
    kafka.python(&["create-small", "small"]).await;
    fluvio.create("small", PARTITIONS).await;
    let config = fluvio::TopicProducerConfigBuilder::default()
        .set_specific_partitioner(0)
        .max_request_size(4 << 20)
        .build()
        .unwrap();
    let client = fluvio.client().await;
    let producer = client
        .topic_producer_with_config("small", config)
        .await
        .unwrap();
    producer
        .send(RecordKey::NULL, vec![7; 1_500_000])
        .await
        .unwrap();
    producer.flush().await.unwrap();

    let error = mirror(&fluvio, kafka.config("small", &["fluvio:small"]))
        .await
        .unwrap_err();
    expect![[r#"small/0@0: 1500020 bytes are more than kafka takes in topic "small": raise its max.message.bytes, then start the bridge again"#]]
        .assert_eq(&error.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_the_source_is_given_are_mirrored_too() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", "grown"]).await;
    let config = BridgeConfig {
        once: false,
        partitions_every: Duration::from_millis(500),
        ..kafka.config("grown", &["kafka:grown=grown", "fluvio:grown=grown-back"])
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(bridge::run(fluvio.config(), config, stop.clone()));

    transaction(kafka, "grown", "before", true);
    kafka.python(&["grow", "grown", "4"]).await;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .create()
        .unwrap();
    let late = BaseRecord::<str, str>::to("grown")
        .partition(3)
        .payload("late");
    producer.send(late).unwrap();
    producer.flush(WITHIN).unwrap();

    let back: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .set("group.id", "grown")
        .set("auto.offset.reset", "earliest")
        .set("topic.metadata.refresh.interval.ms", "500")
        .create()
        .unwrap();
    back.subscribe(&["grown-back"]).unwrap();
    let is_late = move || {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Some(Ok(message)) = back.poll(Duration::from_millis(100)) else {
                continue;
            };
            if message.payload() == Some(b"late") && message.partition() == 3 {
                return;
            }
        }
    };
    let found = tokio::task::spawn_blocking(is_late);
    within_patience("the late record is back", found)
        .await
        .unwrap();
    stop.cancel();
    let summary = within_patience("the bridge ends", running)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(summary.copied, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_bridge_of_the_same_name_stops_the_first_one() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", "fence"]).await;
    let there = kafka.config("fence", &["kafka:fence=fence"]);
    let back = kafka.config("fence", &["fluvio:fence=fence-back"]);
    let write = async |text: &str| {
        transaction(kafka, "fence", text, true);
        mirror(&fluvio, there.clone()).await.unwrap();
    };
    let until_copied = async || {
        while kafka.dump("fence-back").await != kafka.dump("fence").await {}
    };
    write("before both").await;
    mirror(&fluvio, back.clone()).await.unwrap();

    let endless = BridgeConfig {
        once: false,
        ..back
    };
    let stop = CancellationToken::new();
    let first = tokio::spawn(bridge::run(fluvio.config(), endless.clone(), stop.clone()));
    write("for the first").await;
    within_patience("the first one has copied", until_copied()).await;
    let second = tokio::spawn(bridge::run(fluvio.config(), endless, stop.clone()));
    // It learns that it is fenced when it writes.
    while !first.is_finished() {
        write("for one of them").await;
    }
    let fenced = first.await.unwrap();
    assert!(
        matches!(fenced, Err(BridgeError::Fenced { .. })),
        "{fenced:?}"
    );
    within_patience("the second one has copied", until_copied()).await;
    stop.cancel();
    second.await.unwrap().unwrap();
}
