//! What a client sees of a cluster; the same on the embedded broker and a real one.

use anyhow::Result;
use fluvio::consumer::{ConsumerStream, OffsetManagementStrategy};
use fluvio::metadata::topic::TopicSpec;
use fluvio::{Compression, Isolation, Offset, RecordKey, TopicProducerConfigBuilder};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::ReplicaKey;
use futures_util::StreamExt;
use testkit::{unique, wait_until, within_patience};

use crate::support::{cluster, from_beginning, stream_of, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_produced_is_consumed_in_order() {
    let cluster = cluster().await;
    let topic = cluster.topic("plain", 1).await;
    cluster.produce(&topic, &["one", "two", "three"]).await;
    assert_eq!(cluster.read(&topic, 3).await, ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_may_be_compressed_in_any_way() {
    let cluster = cluster().await;
    let topic = cluster.topic("compressed", 1).await;
    let ways = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for way in ways {
        let config = TopicProducerConfigBuilder::default()
            .compression(way)
            .build()
            .unwrap();
        let producer = cluster
            .client
            .topic_producer_with_config(&*topic, config)
            .await
            .unwrap();
        producer
            .send(RecordKey::NULL, format!("as {way}"))
            .await
            .unwrap();
        producer.flush().await.unwrap();
    }
    let expected = ["as none", "as gzip", "as snappy", "as lz4", "as zstd"];
    assert_eq!(cluster.read(&topic, 5).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_told_its_offset_key_and_time() {
    let cluster = cluster().await;
    let topic = cluster.topic("offsets", 1).await;
    let config = TopicProducerConfigBuilder::default()
        .isolation(Isolation::ReadCommitted)
        .build()
        .unwrap();
    let producer = cluster
        .client
        .topic_producer_with_config(&*topic, config)
        .await
        .unwrap();
    for offset in 0..3 {
        let sent = producer
            .send(format!("key {offset}"), "value")
            .await
            .unwrap();
        producer.flush().await.unwrap();
        assert_eq!(sent.wait().await.unwrap().offset(), offset);
    }
    let stream = cluster
        .client
        .consumer_with_config(from_beginning(&topic))
        .await
        .unwrap();
    let records: Vec<_> = within_patience("records arrive", stream.take(3).collect()).await;
    for (offset, record) in records.into_iter().enumerate() {
        let record = record.unwrap();
        assert_eq!(record.offset(), offset as i64);
        assert_eq!(record.key(), Some(format!("key {offset}").as_bytes()));
        assert!(record.timestamp() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_separate_and_together_have_everything() {
    let cluster = cluster().await;
    let topic = cluster.topic("partitions", 2).await;
    let producer = cluster.client.topic_producer(&*topic).await.unwrap();
    for number in 0..40 {
        producer
            .send(format!("key {}", number % 8), number.to_string())
            .await
            .unwrap();
    }
    producer.flush().await.unwrap();
    let config = {
        let mut builder = stream_of(&topic, Offset::beginning());
        builder.partition(1);
        builder.build().unwrap()
    };
    let stream = cluster.client.consumer_with_config(config).await.unwrap();
    let records: Vec<_> = within_patience("records arrive", stream.take(40).collect()).await;
    let mut ends = [0, 0];
    let mut numbers = Vec::new();
    for record in records {
        let record = record.unwrap();
        let end = &mut ends[record.partition() as usize];
        assert_eq!(
            record.offset(),
            *end,
            "offsets of a partition follow each other"
        );
        *end += 1;
        numbers.push(text(record.value()).parse::<u32>().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    assert!(ends.iter().all(|end| *end > 0), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_at_the_end_gets_what_is_produced_later() {
    let cluster = cluster().await;
    let topic = cluster.topic("tail", 1).await;
    cluster.produce(&topic, &["before"]).await;
    let config = stream_of(&topic, Offset::end()).build().unwrap();
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    for value in ["first", "second"] {
        cluster.produce(&topic, &[value]).await;
        let record = within_patience("a record arrives", stream.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(text(record.value()), value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_starts_in_the_middle_of_a_batch() {
    let cluster = cluster().await;
    let topic = cluster.topic("middle", 1).await;
    cluster.produce(&topic, &["0", "1", "2", "3", "4"]).await;
    let start = Offset::absolute(3).unwrap();
    let config = stream_of(&topic, start).build().unwrap();
    assert_eq!(cluster.read_with(config, 2).await, ["3", "4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_beyond_the_end_is_an_error() {
    let cluster = cluster().await;
    let topic = cluster.topic("beyond", 1).await;
    cluster.produce(&topic, &["only"]).await;
    let config = stream_of(&topic, Offset::absolute(999).unwrap())
        .build()
        .unwrap();
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    let first = within_patience("an error arrives", stream.next())
        .await
        .unwrap();
    let error = first.err().unwrap();
    assert_eq!(
        error,
        ErrorCode::Other("start offset: 999 is greater than leo: 1".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_once_listed_as_it_was_sent_and_deleted() {
    let cluster = cluster().await;
    let name = unique("admin");
    let spec = TopicSpec::new_computed(3, 1, Some(true));
    let create = async || cluster.create_topic(&name, spec.clone()).await;
    let list = async || {
        cluster
            .admin
            .list::<TopicSpec, _>(vec![name.clone()])
            .await
            .unwrap()
    };

    create().await.unwrap();
    let again = create().await.unwrap_err();
    assert!(format!("{again}").contains("already exists"), "{again}");
    assert_eq!(list().await[0].spec, spec);

    cluster
        .admin
        .delete::<TopicSpec>(name.clone())
        .await
        .unwrap();
    wait_until("the topic is gone", async || list().await.is_empty()).await;
    let error = cluster
        .admin
        .delete::<TopicSpec>(name.clone())
        .await
        .unwrap_err();
    assert!(format!("{error}").contains("not found"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_creates_nothing() {
    let cluster = cluster().await;
    let name = unique("dry");
    let spec = TopicSpec::new_computed(1, 1, None);
    cluster
        .admin
        .create(name.clone(), true, spec)
        .await
        .unwrap();
    assert!(
        cluster
            .admin
            .list::<TopicSpec, _>(vec![name])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_a_bad_name_is_refused() {
    let cluster = cluster().await;
    let spec = TopicSpec::new_computed(1, 1, None);
    let error = cluster
        .admin
        .create("Bad_Name".to_owned(), false, spec)
        .await
        .unwrap_err();
    assert!(format!("{error}").contains("topic name"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_that_its_topic_was_deleted() {
    let cluster = cluster().await;
    let topic = cluster.topic("doomed", 1).await;
    cluster.produce(&topic, &["only"]).await;
    let config = from_beginning(&topic);
    let mut stream = cluster.client.consumer_with_config(config).await.unwrap();
    within_patience("a record arrives", stream.next())
        .await
        .unwrap()
        .unwrap();
    cluster
        .admin
        .delete::<TopicSpec>(topic.clone())
        .await
        .unwrap();
    let last = within_patience("the stream ends", stream.next()).await;
    assert_eq!(last.unwrap().err(), Some(ErrorCode::TopicDeleted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_created_again_is_empty() {
    let cluster = cluster().await;
    let topic = cluster.topic("again", 1).await;
    cluster.produce(&topic, &["old"]).await;
    cluster
        .admin
        .delete::<TopicSpec>(topic.clone())
        .await
        .unwrap();
    wait_until("the topic is gone", async || {
        cluster.client.topic_producer(&*topic).await.is_err()
    })
    .await;
    let spec = TopicSpec::new_computed(1, 1, None);
    cluster.create_topic(&topic, spec).await.unwrap();
    cluster.wait_for_topic(&topic).await;
    cluster.produce(&topic, &["new"]).await;
    assert_eq!(cluster.read(&topic, 1).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_after_the_offset_it_has_committed() -> Result<()> {
    let cluster = cluster().await;
    let topic = cluster.topic("commits", 1).await;
    let consumer = unique("consumer");
    cluster.produce(&topic, &["0", "1", "2", "3"]).await;
    let config = || {
        stream_of(&topic, Offset::beginning())
            .offset_consumer(consumer.clone())
            .offset_strategy(OffsetManagementStrategy::Manual)
            .build()
    };

    let mut stream = cluster.client.consumer_with_config(config()?).await?;
    for _ in 0..2 {
        within_patience("a record arrives", stream.next())
            .await
            .unwrap()?;
    }
    stream.offset_commit().await?;
    stream.offset_flush().await?;
    drop(stream);

    let mut stream = cluster.client.consumer_with_config(config()?).await?;
    let record = within_patience("a record arrives", stream.next())
        .await
        .unwrap()?;
    assert_eq!((record.offset(), text(record.value())), (2, "2".to_owned()));

    let committed = async || {
        let offsets = cluster.client.consumer_offsets().await.unwrap();
        offsets
            .into_iter()
            .find(|offset| offset.consumer_id == consumer)
    };
    let listed = committed().await.unwrap();
    assert_eq!(
        (listed.topic.as_str(), listed.partition, listed.offset),
        (topic.as_str(), 0, 1)
    );

    let replica = ReplicaKey::new(topic.clone(), 0_u32);
    cluster
        .client
        .delete_consumer_offset(consumer.clone(), replica)
        .await?;
    wait_until("the offset is forgotten", async || {
        committed().await.is_none()
    })
    .await;
    Ok(())
}
