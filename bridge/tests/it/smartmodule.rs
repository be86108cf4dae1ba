//! What a SmartModule gives is in Kafka once; one that cannot be used, or fails, says so and
//! nothing is skipped.

use std::time::Duration;

use bridge::{BridgeConfig, BridgeError};
use expect_test::expect;
use fluvio::metadata::topic::TopicSpec;
use fluvio::{RecordKey, TopicProducerConfigBuilder};
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, cluster};
use testkit::{modules, within_patience};
use tokio_util::sync::CancellationToken;

use crate::support::{BridgeOf as _, PARTITIONS, mirror, values};

/// Adds stored batches of one record each to partition 0; makes the topic if it is not there.
pub(crate) async fn add_batches(fluvio: &FluvioNode, topic: &str, count: usize) {
    let three = TopicSpec::new_computed(PARTITIONS, 1, None);
    // It may be there already.
    fluvio
        .admin()
        .await
        .create(topic.to_owned(), false, three)
        .await
        .ok();
    let config = TopicProducerConfigBuilder::default()
        .set_specific_partitioner(0)
        .build()
        .unwrap();
    let client = fluvio.client().await;
    let producer = client
        .topic_producer_with_config(topic, config)
        .await
        .unwrap();
    for _ in 0..count {
        producer.send(RecordKey::NULL, "record").await.unwrap();
        producer.flush().await.unwrap();
    }
}

/// The values in partition 0.
pub(crate) async fn values_in_kafka(kafka: &KafkaCluster, topic: &str) -> Vec<String> {
    values(&kafka.dump(topic).await[0])
}

/// Does not wait long where a module gives nothing.
fn impatient(config: BridgeConfig) -> BridgeConfig {
    BridgeConfig {
        module_every: Duration::from_millis(200),
        silence_max: Duration::from_secs(2),
        ..config
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_in_kafka_once_and_a_plain_mirror_of_the_topic_has_its_own_progress() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    add_batches(&fluvio, "given", 5).await;
    let pair = ["departure", "arrival"];
    fluvio.push("pair", &modules::giving(&pair)).await;
    let through = kafka.config("given", &["fluvio:given+pair=given-events"]);
    let copied = async || mirror(&fluvio, through.clone()).await.unwrap().copied;
    assert_eq!(copied().await, 10);
    assert_eq!(copied().await, 0, "nothing is given twice");
    add_batches(&fluvio, "given", 2).await;
    assert_eq!(copied().await, 4);
    assert_eq!(values_in_kafka(kafka, "given-events").await, pair.repeat(7));

    let plain = kafka.config("given", &["fluvio:given=given-plain"]);
    assert_eq!(mirror(&fluvio, plain).await.unwrap().copied, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_opened_anew_before_a_module_has_filled_its_memory() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    add_batches(&fluvio, "full", 4).await;
    let (first, later) = (format!("{:100}", "first"), format!("{:100}", "later"));
    let module = modules::giving_first(&[&first], &[&later]);
    fluvio.push("first-of-a-stream", &module).await;
    let config = |stream_bytes_max, target| BridgeConfig {
        stream_bytes_max,
        // Room for the output of one batch.
        fetch_bytes: 150,
        ..kafka.config(
            "full",
            &[&format!("fluvio:full+first-of-a-stream={target}")],
        )
    };
    mirror(&fluvio, config(48 << 20, "full-one")).await.unwrap();
    let one = values_in_kafka(kafka, "full-one").await;
    assert_eq!(one, [&*first, &later, &later, &later]);

    mirror(&fluvio, config(200, "full-two")).await.unwrap();
    let two = values_in_kafka(kafka, "full-two").await;
    assert_eq!(two, [&*first, &later, &first, &later]);
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_larger_than_an_answer_are_asked_for_again_and_not_lost() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    add_batches(&fluvio, "large", 6).await;
    let large = "x".repeat(1_000);
    fluvio.push("large", &modules::giving(&[&large])).await;
    let config = BridgeConfig {
        // The broker goes on behind each batch, and says nothing.
        fetch_bytes: 500,
        ..impatient(kafka.config("large", &["fluvio:large+large=large-events"]))
    };
    assert_eq!(mirror(&fluvio, config).await.unwrap().copied, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_for_which_a_module_gives_nothing_are_passed_over() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    add_batches(&fluvio, "few", 4).await;
    let module = modules::giving_first(&[], &["passed"]);
    fluvio.push("not-the-first", &module).await;
    let through = ["fluvio:few+not-the-first=few-events"];
    let config = impatient(kafka.config("few", &through));
    assert_eq!(mirror(&fluvio, config.clone()).await.unwrap().copied, 3);

    // Of the last ones nothing is known before later ones come.
    add_batches(&fluvio, "few", 1).await;
    assert_eq!(mirror(&fluvio, config.clone()).await.unwrap().copied, 0);
    add_batches(&fluvio, "few", 1).await;
    assert_eq!(mirror(&fluvio, config).await.unwrap().copied, 1);

    fluvio.push("none", &modules::filtering_all()).await;
    let config = impatient(kafka.config("few", &["fluvio:few+none=few-none"]));
    assert_eq!(mirror(&fluvio, config).await.unwrap().copied, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_fails_stops_the_route_where_it_failed_and_a_better_one_goes_on_there() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    let config = kafka.config("fail", &["fluvio:fail+failing=fail-events"]);
    let error = async || mirror(&fluvio, config.clone()).await.unwrap_err();
    add_batches(&fluvio, "fail", 2).await;

    let failing = modules::failing_after(&["before the error"]);
    fluvio.push("failing", &failing).await;
    expect![[r#"fail/0@0: smartmodule "failing" has failed: bad record; nothing was skipped: push one that takes this record, then start the bridge again"#]]
        .assert_eq(&error().await.to_string());
    assert!(values_in_kafka(kafka, "fail-events").await.is_empty());
    fluvio.push("failing", &modules::giving(&["good"])).await;
    assert_eq!(mirror(&fluvio, config.clone()).await.unwrap().copied, 2);

    add_batches(&fluvio, "fail", 2).await;
    fluvio.push("failing", &modules::trapping()).await;
    let text = error().await.to_string();
    assert!(
        text.starts_with("fail/0@2: smartmodule \"failing\" has failed: "),
        "{text}"
    );
    fluvio.push("failing", &modules::giving(&["better"])).await;
    assert_eq!(mirror(&fluvio, config.clone()).await.unwrap().copied, 2);
    assert_eq!(
        values_in_kafka(kafka, "fail-events").await,
        ["good", "good", "better", "better"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_that_are_missing_or_need_more_than_a_record_are_refused_with_a_reason() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    add_batches(&fluvio, "refused", 1).await;
    let refused = async |module: &str| {
        let route = format!("fluvio:refused+{module}=refused-events");
        let error = mirror(&fluvio, kafka.config("refused", &[&route])).await;
        error.unwrap_err()
    };
    expect![[r#"fluvio has no smartmodule "nowhere": push it with `bikeshare smartmodule push nowhere.wasm`, or check its name"#]]
        .assert_eq(&refused("nowhere").await.to_string());
    fluvio.push("init", &modules::taking_parameters()).await;
    expect![[r#"smartmodule "init" cannot be used here: it takes parameters, which the bridge has none of (function init); what it gives must depend on the record alone, because the bridge begins in the middle of a topic wherever it must"#]]
        .assert_eq(&refused("init").await.to_string());
    for (name, wasm) in [
        ("aggregate", modules::giving_accumulator()),
        ("look-back", modules::counting_what_was_shown()),
    ] {
        fluvio.push(name, &wasm).await;
        let error = refused(name).await;
        assert!(
            matches!(error, BridgeError::UnusableModule { .. }),
            "{name}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_pushed_anew_is_taken_up_and_no_record_is_lost_or_doubled() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    add_batches(&fluvio, "reload", 2).await;
    fluvio.push("changing", &modules::giving(&["old"])).await;
    let once = impatient(kafka.config("reload", &["fluvio:reload+changing=reload-events"]));
    mirror(&fluvio, once.clone()).await.unwrap();
    let endless = BridgeConfig {
        once: false,
        ..once.clone()
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(bridge::run(fluvio.config(), endless, stop.clone()));
    let found = async || values_in_kafka(kafka, "reload-events").await;

    add_batches(&fluvio, "reload", 1).await;
    within_patience("the old one has run", async {
        while found().await.len() < 3 {}
    })
    .await;
    fluvio.push("changing", &modules::giving(&["new"])).await;
    let mut batches = 3;
    within_patience("the new one has run", async {
        while !found().await.contains(&"new".to_owned()) {
            add_batches(&fluvio, "reload", 1).await;
            batches += 1;
        }
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    mirror(&fluvio, once).await.unwrap();

    let mut found = found().await;
    assert_eq!(found.len(), batches);
    found.dedup();
    assert_eq!(found, ["old", "new"]);
}
