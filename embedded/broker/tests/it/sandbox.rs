//! SmartModules that do harm, seen from outside: what becomes of other streams, of the processor
//! and of memory. What the engine does with each of them is tested where the engine is.

use std::time::{Duration, Instant};

use embedded_broker::BrokerConfig;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio::{Fluvio, FluvioAdmin, Offset, RecordKey, SmartModuleInvocation};
use fluvio_protocol::link::ErrorCode;
use futures_util::StreamExt;
use testkit::broker::{connect, module_spec};
use testkit::modules::{self, ad_hoc, named};
use testkit::{wait_until, within_patience};

use crate::child::Child;
use crate::support::{config, embedded, stream_of, text};

/// The issue is settled within this time, or it is not.
const SETTLED_MAX: Duration = Duration::from_secs(5);

/// What the first response is, and how long it took.
async fn first_response(
    client: &Fluvio,
    topic: &str,
    mut module: SmartModuleInvocation,
) -> (Result<String, ErrorCode>, Duration) {
    module.name = module.name.or_else(|| Some("the-module".to_owned()));
    let config = stream_of(topic, Offset::beginning())
        .smartmodule(vec![module])
        .build()
        .unwrap();
    let started = Instant::now();
    let mut stream = client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an answer arrives", stream.next()).await;
    let value = first.unwrap().map(|record| text(record.value()));
    (value, started.elapsed())
}

async fn create_topic(client: &Fluvio, admin: &FluvioAdmin, name: &str) {
    let topic = TopicSpec::new_computed(1, 1, None);
    admin.create(name.to_owned(), false, topic).await.unwrap();
    wait_until("the client knows the topic", async || {
        client.topic_producer(name).await.is_ok()
    })
    .await;
}

async fn produce(client: &Fluvio, topic: &str, value: &str) {
    let producer = client.topic_producer(topic).await.unwrap();
    producer.send(RecordKey::NULL, value).await.unwrap();
    producer.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_does_harm_does_not_replace_the_one_that_works() {
    let cluster = embedded().await;
    let topic = cluster.topic("proven", 1).await;
    cluster.produce(&topic, &["record"]).await;
    let admin = &cluster.admin;
    let push = async |wasm: &[u8]| {
        admin
            .create("module".to_owned(), false, module_spec(wasm))
            .await
    };
    push(&modules::giving(&["proven"])).await.unwrap();
    for (name, wasm, _) in modules::harmful() {
        let refused = push(&wasm).await.unwrap_err().to_string();
        assert!(refused.contains("\"module\""), "{name}: {refused}");
        assert!(refused.contains("does not run"), "{name}: {refused}");
    }
    let (response, _) = first_response(&cluster.client, &topic, named("module")).await;
    assert_eq!(response, Ok("proven".to_owned()));
    // Parameters come with a stream: without them it can be tried only in part.
    push(&modules::taking_parameters()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_runs_only_if_it_was_uploaded() {
    let folder = tempfile::tempdir().unwrap();
    let strict = BrokerConfig {
        adhoc_modules: false,
        ..config(folder.path())
    };
    let broker = embedded_broker::Broker::start(strict.clone())
        .await
        .unwrap();
    let (client, admin) = connect(&broker.address().to_string()).await;
    create_topic(&client, &admin, "topic").await;
    produce(&client, "topic", "record").await;
    let versions = ["1", "2", "3", "4", "5"].map(|version| modules::giving(&[version]));
    let response = async |wasm: &[u8]| first_response(&client, "topic", ad_hoc(wasm)).await.0;

    let refused = response(&versions[0]).await.unwrap_err().to_string();
    assert!(refused.contains("bikeshare smartmodule push"), "{refused}");
    for wasm in &versions {
        admin
            .create("module".to_owned(), false, module_spec(wasm))
            .await
            .unwrap();
    }
    // A client that has read the module's bytes may bring them along, also somewhat later.
    assert!(response(&versions[0]).await.is_err());
    for (wasm, version) in versions.iter().zip(["1", "2", "3", "4", "5"]).skip(1) {
        assert_eq!(response(wasm).await, Ok(version.to_owned()));
    }
    broker.shutdown().await.unwrap();

    let broker = embedded_broker::Broker::start(strict).await.unwrap();
    let (client, admin) = connect(&broker.address().to_string()).await;
    let response = async |wasm: &[u8]| first_response(&client, "topic", ad_hoc(wasm)).await.0;
    assert_eq!(response(&versions[4]).await, Ok("5".to_owned()));
    admin
        .delete::<SmartModuleSpec>("module".to_owned())
        .await
        .unwrap();
    assert!(response(&versions[4]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn harmful_modules_end_their_streams_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (child, address) = Child::start(folder.path()).await;
    let (client, admin) = connect(&address).await;
    create_topic(&client, &admin, "harmed").await;
    create_topic(&client, &admin, "proven").await;
    produce(&client, "harmed", "record").await;
    produce(&client, "proven", "record").await;
    let good = stream_of("proven", Offset::beginning())
        .smartmodule(vec![ad_hoc(&modules::giving(&["proven"]))])
        .build()
        .unwrap();
    let mut proven = client.consumer_with_config(good).await.unwrap();
    within_patience("the proven module gives", proven.next())
        .await
        .unwrap()
        .unwrap();
    let mib_before = child.resident_mib();

    for (name, wasm, what) in modules::harmful() {
        let stopped = first_response(&client, "harmed", ad_hoc(&wasm));
        let others = async {
            let started = Instant::now();
            produce(&client, "proven", "another").await;
            within_patience("the proven module gives", proven.next())
                .await
                .unwrap()
                .unwrap();
            started.elapsed()
        };
        let ((response, elapsed), others) = tokio::join!(stopped, others);
        let error = response.unwrap_err().to_string();
        assert!(error.contains("SmartModule"), "{name}: {error}");
        assert!(error.contains(what), "{name}: {error}");
        assert!(elapsed < SETTLED_MAX, "{name} took {elapsed:?}");
        assert!(others < SETTLED_MAX, "others took {others:?} beside {name}");
    }
    wait_until("the processor is idle again", async || {
        child.is_idle().await
    })
    .await;
    wait_until("memory is what it was", async || {
        child.resident_mib() < mib_before + 64
    })
    .await;
}
