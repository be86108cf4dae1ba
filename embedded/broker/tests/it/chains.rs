//! What `SmartModule`s do to a stream, the traps included; the same on a real cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use fluvio::consumer::ConsumerConfigExt;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::{ConsumerConfig, TopicProducerConfigBuilder};
use fluvio::{Offset, RecordKey, SmartModuleExtraParams, SmartModuleInvocation};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::Batch;
use fluvio_smartmodule::dataplane::smartmodule::Lookback;
use fluvio_spu_schema::server::smartmodule::SmartModuleKind;
use futures_util::{Stream, StreamExt};
use testkit::broker::module_spec;
use testkit::modules::{self, ad_hoc, named};
use testkit::{unique, wait_until, within_patience};

use crate::support::{Cluster, cluster, from_beginning, stream_of, text};

fn through(topic: &str, module: SmartModuleInvocation) -> ConsumerConfigExt {
    stream_of(topic, Offset::beginning())
        .smartmodule(vec![module])
        .build()
        .unwrap()
}

/// The stream the sink uses: batches with their source's offsets, errors not retried.
async fn batches(
    cluster: &Cluster,
    topic: &str,
    module: SmartModuleInvocation,
    max_bytes: i32,
) -> impl Stream<Item = Result<Batch, ErrorCode>> + Unpin {
    #[expect(deprecated, reason = "the only way to batches in 0.50")]
    let consumer = cluster.client.partition_consumer(topic, 0).await.unwrap();
    let mut config = ConsumerConfig::builder();
    config.max_bytes(max_bytes).smartmodule(vec![module]);
    let config = config.build().unwrap();
    let stream = consumer
        .stream_batches_with_config(Offset::beginning(), config)
        .await
        .unwrap();
    Box::pin(stream)
}

fn values(batch: &Batch) -> Vec<String> {
    batch
        .records()
        .iter()
        .map(|record| text(record.value().as_ref()))
        .collect()
}

async fn create(cluster: &Cluster, name: &str, wasm: &[u8]) {
    let spec = module_spec(wasm);
    let created = cluster.admin.create(name.to_owned(), false, spec);
    created.await.unwrap();
}

/// A cluster hands a new module to its SPUs some time after it has accepted it.
async fn first_value_through(cluster: &Cluster, topic: &str, module: &str) -> Option<String> {
    let config = through(topic, named(module));
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an answer arrives", stream.next())
        .await
        .unwrap();
    first.ok().map(|record| text(record.value()))
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_replace_records_and_their_batch_tells_the_source() {
    let cluster = cluster().await;
    let topic = cluster.topic("array-map", 1).await;
    cluster.produce(&topic, &["0", "1", "2"]).await;
    cluster.produce(&topic, &["3", "4"]).await;
    let module = ad_hoc(&modules::giving(&["a", "b"]));
    let mut stream = batches(&cluster, &topic, module, 1 << 20).await;
    // The client may have sent the records in more batches than these two.
    let mut next_offset = 0;
    while next_offset < 5 {
        let batch = within_patience("a batch arrives", stream.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            batch.base_offset, next_offset,
            "source offsets are contiguous"
        );
        assert_eq!(values(&batch)[..2], ["a", "b"]);
        assert_eq!(batch.get_base_timestamp(), -1, "the source's time is lost");
        next_offset = batch.get_last_offset() + 1;
    }
    assert_eq!(next_offset, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_of_a_compressed_batch_are_read_as_any() {
    let cluster = cluster().await;
    let topic = cluster.topic("packed", 1).await;
    let gzip = TopicProducerConfigBuilder::default()
        .compression(fluvio::Compression::Gzip)
        .build()
        .unwrap();
    let producer = cluster
        .client
        .topic_producer_with_config(&*topic, gzip)
        .await
        .unwrap();
    producer.send(RecordKey::NULL, "source").await.unwrap();
    producer.flush().await.unwrap();
    let config = through(&topic, ad_hoc(&modules::giving(&["output"])));
    assert_eq!(cluster.read_with(config, 1).await, ["output"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_found_by_name_and_replaced_for_new_streams() {
    let cluster = cluster().await;
    let topic = cluster.topic("upsert", 1).await;
    cluster.produce(&topic, &["record"]).await;
    let name = unique("module");
    for version in ["old", "new"] {
        create(&cluster, &name, &modules::giving(&[version])).await;
        within_patience("streams run the module", async {
            while first_value_through(&cluster, &topic, &name)
                .await
                .as_deref()
                != Some(version)
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    let list = async || {
        cluster
            .admin
            .list::<SmartModuleSpec, _>(vec![name.clone()])
            .await
            .unwrap()
    };
    let stored = list().await.remove(0).spec.wasm.as_raw_wasm().unwrap();
    assert_eq!(stored, modules::giving(&["new"]));
    cluster
        .admin
        .delete::<SmartModuleSpec>(name.clone())
        .await
        .unwrap();
    wait_until("it is gone", async || list().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_module_is_an_error() {
    let cluster = cluster().await;
    let topic = cluster.topic("unknown", 1).await;
    let config = through(&topic, named("no-such-module"));
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an error arrives", stream.next())
        .await
        .unwrap();
    let name = "no-such-module".to_owned();
    assert_eq!(first.err(), Some(ErrorCode::SmartModuleNotFound { name }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_wasm_is_an_error_when_the_stream_opens() {
    let cluster = cluster().await;
    let topic = cluster.topic("no-wasm", 1).await;
    let config = through(&topic, ad_hoc(b"no wasm"));
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an error arrives", stream.next())
        .await
        .unwrap();
    assert!(
        matches!(first, Err(ErrorCode::SmartModuleChainInitError(_))),
        "{:?}",
        first.err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_follows_the_outputs_before_it_and_skips_the_rest_of_the_batch() {
    let cluster = cluster().await;
    let topic = cluster.topic("error", 1).await;
    cluster.produce(&topic, &["0", "1", "2"]).await;
    let module = ad_hoc(&modules::failing_after(&["good"]));
    let mut stream = batches(&cluster, &topic, module, 1 << 20).await;
    let batch = within_patience("a batch arrives", stream.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(values(&batch), ["good"]);
    assert_eq!(batch.base_offset, 0);
    let error = within_patience("an error arrives", stream.next())
        .await
        .unwrap()
        .err();
    match error {
        Some(ErrorCode::SmartModuleRuntimeError(error)) => assert_eq!(error.hint, "bad record"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_without_outputs_arrives_alone() {
    let cluster = cluster().await;
    let topic = cluster.topic("error-alone", 1).await;
    cluster.produce(&topic, &["0"]).await;
    let config = through(&topic, ad_hoc(&modules::failing_after(&[])));
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an error arrives", stream.next())
        .await
        .unwrap();
    assert!(
        matches!(first, Err(ErrorCode::SmartModuleRuntimeError(_))),
        "{:?}",
        first.err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_panics_ends_its_stream_and_nothing_else() {
    let cluster = cluster().await;
    let topic = cluster.topic("panic", 1).await;
    cluster.produce(&topic, &["0"]).await;
    let config = through(&topic, ad_hoc(&modules::trapping()));
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an error arrives", stream.next())
        .await
        .unwrap();
    assert!(
        matches!(first, Err(ErrorCode::Other(_))),
        "{:?}",
        first.err()
    );
    assert_eq!(cluster.read(&topic, 1).await, ["0"]);
}

/// Trap 2 of the design: why the sink checks that source offsets are contiguous.
#[tokio::test(flavor = "multi_thread")]
async fn outputs_larger_than_max_bytes_are_skipped_in_silence() {
    let cluster = cluster().await;
    let topic = cluster.topic("max-bytes", 1).await;
    cluster.produce(&topic, &["lost"]).await;
    let large = "x".repeat(10_000);
    let module = ad_hoc(&modules::giving_first(&[&large], &["later"]));
    let mut stream = batches(&cluster, &topic, module, 1_000).await;
    let batch = within_patience("a batch arrives", async {
        loop {
            cluster.produce(&topic, &["more"]).await;
            let waited = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
            if let Ok(batch) = waited {
                break batch.unwrap().unwrap();
            }
        }
    })
    .await;
    assert_eq!(values(&batch)[0], "later");
    assert!(
        batch.base_offset > 0,
        "the first batch is not among those that arrive"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_has_modules_of_its_own() {
    let cluster = cluster().await;
    let topic = cluster.topic("state", 1).await;
    cluster.produce(&topic, &["record"]).await;
    let module = ad_hoc(&modules::giving_first(&["first"], &["then"]));
    for _ in 0..2 {
        let config = through(&topic, module.clone());
        let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
        let first = within_patience("output arrives", stream.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(text(first.value()), "first");
        cluster.produce(&topic, &["record"]).await;
        let then = within_patience("output arrives", stream.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(text(then.value()), "then");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_run_one_after_the_other() {
    let cluster = cluster().await;
    let topic = cluster.topic("chain", 1).await;
    cluster.produce(&topic, &["record"]).await;
    let first = ad_hoc(&modules::giving(&["first"]));
    let second = ad_hoc(&modules::giving(&["second"]));
    let config = stream_of(&topic, Offset::beginning())
        .smartmodule(vec![first, second])
        .build()
        .unwrap();
    assert_eq!(cluster.read_with(config, 1).await, ["second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_starts_from_its_accumulator() {
    let cluster = cluster().await;
    let topic = cluster.topic("aggregate", 1).await;
    cluster.produce(&topic, &["record"]).await;
    let mut module = ad_hoc(&modules::giving_accumulator());
    module.kind = SmartModuleKind::Aggregate {
        accumulator: b"seed".to_vec(),
    };
    assert_eq!(
        cluster.read_with(through(&topic, module), 1).await,
        ["seed"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_may_look_back_at_the_newest_records() {
    let cluster = cluster().await;
    let topic = cluster.topic("look-back", 1).await;
    for value in ["0", "1", "2", "3", "4"] {
        cluster.produce(&topic, &[value]).await;
    }
    let mut module = ad_hoc(&modules::counting_what_was_shown());
    let params = BTreeMap::from([("unused".to_owned(), "value".to_owned())]);
    module.params = SmartModuleExtraParams::new(params, Some(Lookback::last(3)));
    assert_eq!(
        cluster.read_with(through(&topic, module.clone()), 1).await,
        ["3"]
    );
    let hour = Duration::from_secs(3600);
    module
        .params
        .set_lookback(Some(Lookback::age(hour, Some(2))));
    assert_eq!(
        cluster.read_with(through(&topic, module.clone()), 1).await,
        ["2"]
    );
    // Seen on 0.18.1: by age alone the SPU reads on before the log's first record.
    module.params.set_lookback(Some(Lookback::age(hour, None)));
    let mut stream = cluster
        .client
        .consumer_with_config(through(&topic, module))
        .await
        .unwrap();
    let first = within_patience("an error arrives", stream.next())
        .await
        .unwrap();
    assert!(
        matches!(first, Err(ErrorCode::SmartModuleLookBackError(_))),
        "{:?}",
        first.err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_may_have_its_records_filtered_and_mapped() {
    let cluster = cluster().await;
    let topic = cluster.topic("produce-chain", 1).await;
    for wasm in [modules::filtering_all(), modules::giving(&["mapped"])] {
        let config = TopicProducerConfigBuilder::default()
            .smartmodules(vec![ad_hoc(&wasm)])
            .build()
            .unwrap();
        let producer = cluster
            .client
            .topic_producer_with_config(&*topic, config)
            .await
            .unwrap();
        producer.send(RecordKey::NULL, "record").await.unwrap();
        producer.flush().await.unwrap();
    }
    assert_eq!(cluster.read(&topic, 1).await, ["mapped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_produce_time_stores_nothing() {
    let cluster = cluster().await;
    let topic = cluster.topic("produce-error", 1).await;
    let config = TopicProducerConfigBuilder::default()
        .smartmodules(vec![ad_hoc(&modules::failing_after(&["good"]))])
        .build()
        .unwrap();
    let producer = cluster
        .client
        .topic_producer_with_config(&*topic, config)
        .await
        .unwrap();
    let sent = producer.send(RecordKey::NULL, "record").await.unwrap();
    let flushed = producer.flush().await;
    let outcome = sent.wait().await;
    assert!(flushed.is_err() || outcome.is_err(), "{flushed:?}");
    cluster.produce(&topic, &["next"]).await;
    assert_eq!(cluster.read(&topic, 1).await, ["next"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_module_does_not_hold_up_others() {
    let cluster = cluster().await;
    let topic = cluster.topic("slow", 1).await;
    cluster.produce(&topic, &["record"]).await;
    let config = through(&topic, ad_hoc(&modules::slow()));
    let mut slow_stream = cluster.client.consumer_with_config(config).await.unwrap();
    within_patience("the module computes", slow_stream.next())
        .await
        .unwrap()
        .unwrap();
    // A batch each: many times the time that the module takes for one.
    for _ in 1..10 {
        cluster.produce(&topic, &["record"]).await;
    }
    let slow = tokio::spawn(async move {
        for _ in 1..10 {
            slow_stream.next().await.unwrap().unwrap();
        }
    });
    let all = cluster.read_with(from_beginning(&topic), 10).await;
    assert_eq!(all, ["record"; 10]);
    assert!(
        !slow.is_finished(),
        "the others were served while the module computed"
    );
    slow.abort();
}
