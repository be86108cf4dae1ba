//! The data folder: what survives, what is refused.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig, BrokerError};
use fluvio::consumer::{ConsumerConfigExt, ConsumerStream, OffsetManagementStrategy};
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::topic::{TopicSpec, TopicStorageConfig};
use fluvio::{Fluvio, FluvioAdmin, Offset, RecordKey};
use futures_util::StreamExt;
use testkit::broker::{connect, module_spec};
use testkit::{modules, within_patience};

use crate::child::Child;
use crate::support::{config, from_beginning, start, stream_of, text};

async fn produce(client: &Fluvio, topic: &str, values: &[String]) {
    let producer = client.topic_producer(topic).await.unwrap();
    for value in values {
        producer
            .send(RecordKey::NULL, value.as_str())
            .await
            .unwrap();
        producer.flush().await.unwrap();
    }
}

async fn read(client: &Fluvio, topic: &str, count: usize) -> Vec<String> {
    let stream = client
        .consumer_with_config(from_beginning(topic))
        .await
        .unwrap();
    let records = stream
        .take(count)
        .map(|record| text(record.unwrap().value()));
    within_patience("the records arrive", records.collect()).await
}

/// Reads a topic's partition 0 until the stream says why it ends.
async fn read_to_error(client: &Fluvio, topic: &str) -> (Vec<String>, String) {
    read_config_to_error(client, from_beginning(topic)).await
}

async fn read_config_to_error(client: &Fluvio, config: ConsumerConfigExt) -> (Vec<String>, String) {
    let mut stream = client.consumer_with_config(config).await.unwrap();
    let mut values = Vec::new();
    loop {
        let next = within_patience("the stream ends with an error", stream.next()).await;
        match next.unwrap() {
            Ok(record) => values.push(text(record.value())),
            Err(error) => return (values, error.to_string()),
        }
    }
}

async fn create(admin: &FluvioAdmin, topic: &str, spec: TopicSpec) {
    admin.create(topic.to_owned(), false, spec).await.unwrap();
}

async fn restart(broker: Broker, folder: &Path) -> Broker {
    broker.shutdown().await.unwrap();
    start(folder).await
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("value {number}")).collect()
}

fn only_segment(folder: &Path, topic: &str) -> PathBuf {
    folder.join(format!("logs/{topic}/0/00000000000000000000.log"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    let mut topic_spec = TopicSpec::new_computed(2, 2, None);
    topic_spec.set_storage(TopicStorageConfig {
        segment_size: Some(2_048),
        ..Default::default()
    });
    admin
        .create("kept".to_owned(), false, topic_spec.clone())
        .await
        .unwrap();
    let module_spec = module_spec(&modules::giving(&["any"]));
    admin
        .create("module".to_owned(), false, module_spec.clone())
        .await
        .unwrap();
    let producer = client.topic_producer("kept").await.unwrap();
    for number in 0..100 {
        producer
            .send("same partition", number.to_string())
            .await
            .unwrap();
        producer.flush().await.unwrap();
    }
    let config = || {
        fluvio::consumer::ConsumerConfigExtBuilder::default()
            .topic("kept")
            .offset_start(Offset::beginning())
            .offset_consumer("reader")
            .offset_strategy(OffsetManagementStrategy::Manual)
            .retry_mode(fluvio::consumer::RetryMode::Disabled)
            .build()
            .unwrap()
    };
    let mut stream = client.consumer_with_config(config()).await.unwrap();
    for _ in 0..40 {
        within_patience("a record arrives", stream.next())
            .await
            .unwrap()
            .unwrap();
    }
    stream.offset_commit().await.unwrap();
    stream.offset_flush().await.unwrap();
    drop((stream, producer, client, admin));

    let broker = restart(broker, folder.path()).await;

    let (client, admin) = connect(&broker.address().to_string()).await;
    assert_eq!(admin.all::<TopicSpec>().await.unwrap()[0].spec, topic_spec);
    assert_eq!(
        admin.all::<SmartModuleSpec>().await.unwrap()[0].spec.wasm,
        module_spec.wasm
    );
    let stream = client.consumer_with_config(config()).await.unwrap();
    let rest = stream.take(60).map(|record| text(record.unwrap().value()));
    let rest: Vec<String> = within_patience("the rest arrives", rest.collect()).await;
    assert_eq!(
        rest,
        (40..100)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
    let segments = (0..2).map(|partition| folder.path().join(format!("logs/kept/{partition}")));
    let files: usize = segments
        .map(|folder| fs::read_dir(folder).unwrap().count())
        .sum();
    assert!(files > 3, "small segments were rolled: {files} files");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut_and_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    admin
        .create(
            "torn".to_owned(),
            false,
            TopicSpec::new_computed(1, 1, None),
        )
        .await
        .unwrap();
    produce(&client, "torn", &numbered(3)).await;
    drop((client, admin));
    broker.shutdown().await.unwrap();

    // As if the process had died in the middle of writing the third batch.
    let segment = only_segment(folder.path(), "torn");
    let bytes = fs::metadata(&segment).unwrap().len();
    OpenOptions::new()
        .write(true)
        .open(&segment)
        .unwrap()
        .set_len(bytes - 5)
        .unwrap();

    let broker = start(folder.path()).await;
    let (client, _) = connect(&broker.address().to_string()).await;
    produce(&client, "torn", &["after".to_owned()]).await;
    assert_eq!(
        read(&client, "torn", 3).await,
        ["value 0", "value 1", "after"]
    );
}

/// A write that was cut short leaves a part of a batch; anything else is not ours to cut.
#[tokio::test(flavor = "multi_thread")]
async fn rubbish_behind_the_last_batch_stops_the_partition_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    create(&admin, "dirty", TopicSpec::new_computed(1, 1, None)).await;
    produce(&client, "dirty", &numbered(2)).await;
    drop((client, admin));
    broker.shutdown().await.unwrap();

    let segment = only_segment(folder.path(), "dirty");
    let mut file = OpenOptions::new().append(true).open(&segment).unwrap();
    file.write_all(&[0xAB; 1_000]).unwrap();
    let before = fs::read(&segment).unwrap();

    let broker = start(folder.path()).await;
    let (client, _) = connect(&broker.address().to_string()).await;
    let (values, error) = read_to_error(&client, "dirty").await;
    assert_eq!(values, numbered(2));
    assert!(error.contains("no batch begins here"), "{error}");
    assert_eq!(fs::read(&segment).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_after_a_restart_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    admin
        .create(
            "resume".to_owned(),
            false,
            TopicSpec::new_computed(1, 1, None),
        )
        .await
        .unwrap();
    produce(&client, "resume", &numbered(10)).await;
    drop((client, admin));
    let broker = restart(broker, folder.path()).await;
    let (client, _) = connect(&broker.address().to_string()).await;
    produce(&client, "resume", &["value 10".to_owned()]).await;
    let config = stream_of("resume", Offset::absolute(9).unwrap())
        .build()
        .unwrap();
    let stream = client.consumer_with_config(config).await.unwrap();
    let records: Vec<_> = within_patience("records arrive", stream.take(2).collect()).await;
    let offsets: Vec<i64> = records
        .into_iter()
        .map(|record| record.unwrap().offset())
        .collect();
    assert_eq!(offsets, [9, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_broker_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = start(folder.path()).await;
    let error = Broker::start(config(folder.path())).await.unwrap_err();
    assert!(matches!(error, BrokerError::InUse { .. }), "{error}");
    let expected = format!(
        "data folder \"{}\" is in use by another broker: stop it, or choose another folder",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    let other = tempfile::tempdir().unwrap();
    let taken = BrokerConfig {
        listen: first.address(),
        ..config(other.path())
    };
    let error = Broker::start(taken).await.unwrap_err();
    let expected = format!(
        "could not listen on {}: stop what listens there, \
         or choose another address with --fluvio HOST:PORT",
        first.address()
    );
    assert_eq!(error.to_string(), expected);
}

/// A broker on a folder where a digit of value 7 of topic "damaged" has changed. Its segments are
/// so large, in bytes.
async fn with_a_changed_digit(folder: &Path, segment_size: u32) -> (Broker, PathBuf, Vec<u8>) {
    let broker = start(folder).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_storage(TopicStorageConfig {
        segment_size: Some(segment_size),
        ..Default::default()
    });
    create(&admin, "damaged", spec).await;
    create(&admin, "whole", TopicSpec::new_computed(1, 1, None)).await;
    produce(&client, "damaged", &numbered(50)).await;
    produce(&client, "whole", &numbered(3)).await;
    drop((client, admin));
    broker.shutdown().await.unwrap();
    let segment = only_segment(folder, "damaged");
    let mut bytes = fs::read(&segment).unwrap();
    let value = b"value 7";
    let at = bytes.windows(value.len()).position(|part| part == value);
    bytes[at.unwrap() + value.len() - 1] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    (start(folder).await, segment, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_digit_is_an_error_that_names_its_place_and_never_data() {
    // In a closed segment, and in the one that is written.
    for segment_size in [1_024, 1 << 20] {
        let folder = tempfile::tempdir().unwrap();
        let (broker, segment, bytes) = with_a_changed_digit(folder.path(), segment_size).await;
        let (client, _) = connect(&broker.address().to_string()).await;

        let (values, error) = read_to_error(&client, "damaged").await;

        assert_eq!(values, numbered(7), "what is before it is served");
        let named = format!(
            "topic \"damaged\" partition 0 is damaged at offset 7: \"{}\", byte ",
            segment.display()
        );
        assert!(error.contains(&named), "{error}");
        assert!(error.contains("wrong checksum"), "{error}");
        let producer = client.topic_producer("damaged").await.unwrap();
        let sent = producer.send(RecordKey::NULL, "more").await.unwrap();
        let flushed = producer.flush().await;
        let refused = match flushed {
            Ok(()) => sent.wait().await.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(refused.contains("is damaged at offset 7"), "{refused}");
        assert_eq!(read(&client, "whole", 3).await, numbered(3));
        broker.shutdown().await.unwrap();
        assert_eq!(fs::read(&segment).unwrap(), bytes, "the file is left alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_given_all_that_is_before_the_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, _, _) = with_a_changed_digit(folder.path(), 1 << 20).await;
    let (client, _) = connect(&broker.address().to_string()).await;
    let giving = modules::giving(&["output"]);
    let filtering = modules::filtering_all();
    for (module, outputs) in [(giving, 7), (filtering, 0)] {
        let config = stream_of("damaged", Offset::beginning())
            .smartmodule(vec![modules::ad_hoc(&module)])
            .build()
            .unwrap();
        let (values, error) = read_config_to_error(&client, config).await;
        assert_eq!(values, vec!["output"; outputs]);
        assert!(error.contains("is damaged at offset 7"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_more_is_told_when_damage_is_found_behind_him() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    create(&admin, "waited-for", TopicSpec::new_computed(1, 1, None)).await;
    produce(&client, "waited-for", &numbered(3)).await;
    let config = stream_of("waited-for", Offset::absolute(2).unwrap());
    let config = config.build().unwrap();
    let mut waiting = client.consumer_with_config(config).await.unwrap();
    let last = within_patience("the last record arrives", waiting.next()).await;
    assert_eq!(text(last.unwrap().unwrap().value()), "value 2");
    let segment = only_segment(folder.path(), "waited-for");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[70] ^= 1;
    fs::write(&segment, &bytes).unwrap();

    let (values, found) = read_to_error(&client, "waited-for").await;

    assert!(values.is_empty());
    let told = within_patience("the stream ends", waiting.next()).await;
    assert_eq!(
        told.unwrap().err().map(|error| error.to_string()),
        Some(found)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_whose_file_is_lost_is_put_aside_with_all_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    create(&admin, "orphan", TopicSpec::new_computed(1, 1, None)).await;
    produce(&client, "orphan", &numbered(5)).await;
    drop((client, admin));
    broker.shutdown().await.unwrap();
    let bytes = fs::read(only_segment(folder.path(), "orphan")).unwrap();
    fs::remove_file(folder.path().join("topics/orphan")).unwrap();

    let broker = start(folder.path()).await;

    let (_, admin) = connect(&broker.address().to_string()).await;
    assert!(admin.all::<TopicSpec>().await.unwrap().is_empty());
    let aside = folder.path().join("quarantine/orphan-1");
    assert_eq!(fs::read(only_segment(&aside, "orphan")).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_get_more_partitions() {
    use fluvio_controlplane_metadata::topic::{AddPartition, UpdateTopicAction};

    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    admin
        .create(
            "grows".to_owned(),
            false,
            TopicSpec::new_computed(1, 1, None),
        )
        .await
        .unwrap();
    produce(&client, "grows", &numbered(1)).await;
    let more = UpdateTopicAction::AddPartition(AddPartition { count: 2 });
    admin
        .update::<TopicSpec>("grows".to_owned(), more)
        .await
        .unwrap();
    assert_eq!(
        admin.all::<TopicSpec>().await.unwrap()[0].spec.partitions(),
        3
    );
    assert_eq!(read(&client, "grows", 1).await, numbered(1));
}

/// A real cluster 0.18.1 loses records here (seen: 10 of these 1,000): its responses are cut at
/// `max_bytes`, and the client takes a cut batch for a whole one.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_answer_cannot_hold_arrives_whole() {
    let cluster = crate::support::embedded().await;
    let topic = cluster.topic("long", 1).await;
    let value = "x".repeat(5_000);
    let values: Vec<String> = (0..1_000)
        .map(|number| format!("{number} {value}"))
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    cluster.produce(&topic, &values).await;
    assert_eq!(cluster.read(&topic, values.len()).await, values);
}

/// Trap 6 of the design: a stream's memory is bounded, and its end is not the data's end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_module_takes_too_much_memory_ends_early() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (client, admin) = connect(&broker.address().to_string()).await;
    admin
        .create(
            "leak".to_owned(),
            false,
            TopicSpec::new_computed(1, 1, None),
        )
        .await
        .unwrap();
    produce(&client, "leak", &numbered(20)).await;
    let module = modules::ad_hoc(&modules::leaking());
    let config = stream_of("leak", Offset::beginning())
        .smartmodule(vec![module])
        .build()
        .unwrap();
    let stream = client.consumer_with_config(config).await.unwrap();
    let records = stream.take_while(|record| std::future::ready(record.is_ok()));
    let outputs = within_patience("the stream ends", records.count()).await;
    assert!(outputs < 20, "{outputs} outputs");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let (child, address) = Child::start(folder.path()).await;
        let (client, admin) = connect(&address).await;
        if round == 0 {
            let spec = TopicSpec::new_computed(1, 1, None);
            admin
                .create("survivor".to_owned(), false, spec)
                .await
                .unwrap();
        }
        let producing = tokio::spawn(async move {
            let producer = client.topic_producer("survivor").await.unwrap();
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let value = format!("{round}-{number}");
                let Ok(sent) = producer.send(RecordKey::NULL, value.clone()).await else {
                    break;
                };
                let flushed = tokio::time::timeout(Duration::from_secs(1), producer.flush()).await;
                let Ok(Ok(())) = flushed else { break };
                if sent.wait().await.is_err() {
                    break;
                }
                acknowledged.push(value);
            }
            acknowledged
        });
        tokio::time::sleep(Duration::from_millis(150 + 70 * round)).await;
        drop(child);
        acknowledged.extend(
            within_patience("the producer gives up", producing)
                .await
                .unwrap(),
        );
    }
    assert!(acknowledged.len() > 3, "the producer got going");

    let broker = start(folder.path()).await;
    let (client, _) = connect(&broker.address().to_string()).await;
    let mut unseen: std::collections::HashSet<String> = acknowledged.into_iter().collect();
    let mut stream = client
        .consumer_with_config(from_beginning("survivor"))
        .await
        .unwrap();
    while !unseen.is_empty() {
        let record = within_patience("all records are there", stream.next()).await;
        unseen.remove(&text(record.unwrap().unwrap().value()));
    }
}
