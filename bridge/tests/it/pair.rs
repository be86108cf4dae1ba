//! A source that is no longer the log that was copied: nothing more is copied, and the error says so.

use std::time::Duration;

use bridge::BridgeError;
use expect_test::expect;
use fluvio::metadata::topic::TopicSpec;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, cluster};
use testkit::{modules, within_patience};

use crate::mirror::transaction;
use crate::smartmodule::{add_batches, values_in_kafka};
use crate::support::{BridgeOf as _, mirror};

/// Deletes the topic and makes it anew.
async fn make_anew(kafka: &KafkaCluster, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .create()
        .unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let deleted = admin.delete_topics(&[topic], &options).await.unwrap();
    deleted[0].as_ref().unwrap();
    let gone = async {
        let client = admin.inner();
        loop {
            let all = client.fetch_metadata(None, Duration::from_secs(30));
            let all = all.unwrap();
            if all.topics().iter().all(|found| found.name() != topic) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within_patience("the topic is gone", gone).await;
    kafka.python(&["create", topic]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_topic_made_anew_is_not_gone_on_with() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", "anew"]).await;
    transaction(kafka, "anew", "first life", true);
    let config = kafka.config("anew", &["kafka:anew=anew"]);
    assert_eq!(mirror(&fluvio, config.clone()).await.unwrap().copied, 6);
    assert_eq!(mirror(&fluvio, config.clone()).await.unwrap().copied, 0);

    make_anew(kafka, "anew").await;
    for text in ["second life", "longer", "than the first"] {
        transaction(kafka, "anew", text, true);
    }
    let error = mirror(&fluvio, config).await.unwrap_err();
    assert!(matches!(error, BridgeError::OtherLog { .. }), "{error}");
    let text = error.to_string();
    let (_, rest) = text.split_once("@2: ").unwrap();
    expect!["its log is not the one that was copied: what stands before this offset is not what was copied last; if the topic was created anew, mirror into another topic"]
        .assert_eq(rest);
    let stored = fluvio.dump("anew").await;
    assert_eq!(stored.iter().map(Vec::len).sum::<usize>(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fluvio_topic_made_anew_is_not_gone_on_with() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::named_or_new().await;
    let topic = format!("reborn-{}", std::process::id());
    let module = format!("{topic}-pair");
    fluvio.push(&module, &modules::giving(&["a", "b"])).await;
    add_batches(&fluvio, &topic, 3).await;
    let routes = [
        format!("fluvio:{topic}={topic}-plain"),
        format!("fluvio:{topic}+{module}={topic}-pairs"),
    ];
    let copied = async |route: &str| mirror(&fluvio, kafka.config("reborn", &[route])).await;
    for (route, records) in routes.iter().zip([3, 6]) {
        assert_eq!(copied(route).await.unwrap().copied, records, "{route}");
        assert_eq!(copied(route).await.unwrap().copied, 0, "{route}");
    }

    let admin = fluvio.admin().await;
    admin.delete::<TopicSpec>(&*topic).await.unwrap();
    // As long as the first one, and longer.
    for batches in [3, 2] {
        add_batches(&fluvio, &topic, batches).await;
        for route in &routes {
            let error = copied(route).await.unwrap_err();
            assert!(matches!(error, BridgeError::OtherLog { .. }), "{error}");
        }
    }
    assert_eq!(
        values_in_kafka(kafka, &format!("{topic}-plain")).await,
        ["record"; 3]
    );
}
