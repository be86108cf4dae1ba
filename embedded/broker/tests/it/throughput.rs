//! How fast trips go in and, through both modules of the project, out again. A measurement:
//!
//! `cargo xtask wasm && cargo test --profile quick -p embedded-broker --test it throughput -- --ignored --nocapture`

use std::time::{Duration, Instant};

use fluvio::{ConsumerConfig, Offset, SmartModuleInvocation, TopicProducerConfigBuilder};
use futures_util::StreamExt;
use futures_util::future::join_all;
use testkit::modules::ad_hoc;
use testkit::smartmodule;

use crate::support::{Cluster, cluster};

const TRIPS: usize = 300_000;
const PARTITIONS: u32 = 3;

fn module(name: &str) -> SmartModuleInvocation {
    let mut module = ad_hoc(&smartmodule(name));
    module.name = Some(name.to_owned());
    module
}

fn trip(seq: usize) -> String {
    let (minute, second) = (seq / 60 % 60, seq % 60);
    let hour = seq / 3600 % 24;
    format!(
        r#"{{"source":"city.csv#5f0c2a9b1d3e4f60","seq":{seq},"trip":{{"bike_id":"{}","departed_at":"2020-03-01T{hour:02}:{minute:02}:{second:02}Z","from":{{"station_id":"3202","street":"Newport PATH","lat":40.7272235,"lon":-74.0337589}},"arrived_at":"2020-03-02T05:20:36.088Z","to":{{"station_id":"3203","street":"Hamilton Park","lat":40.727595966,"lon":-74.044247311}},"rider":"member"}}}}"#,
        42_000 + seq % 1_000
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
async fn trips_in_and_events_out() {
    let cluster = cluster().await;
    let topic = cluster.topic("throughput", PARTITIONS).await;
    let produced = produce(&cluster, &topic).await;
    println!("produce: {}", rate(TRIPS, produced));

    let plain = read(&cluster, &topic, None, TRIPS).await;
    println!("plain streams: {}", rate(TRIPS, plain));
    let split = read(&cluster, &topic, Some(module("trip-split")), 2 * TRIPS).await;
    println!("trip-split: {}", rate(TRIPS, split));

    let started = Instant::now();
    let split = read(&cluster, &topic, Some(module("trip-split")), 2 * TRIPS);
    let windows = read_to_end(&cluster, &topic, module("dock-window"));
    tokio::join!(split, windows);
    println!(
        "trip-split and dock-window at once: {}",
        rate(TRIPS, started.elapsed())
    );
}

async fn produce(cluster: &Cluster, topic: &str) -> Duration {
    let started = Instant::now();
    let config = TopicProducerConfigBuilder::default()
        .batch_size(128 << 10)
        .linger(Duration::from_millis(5))
        .build()
        .unwrap();
    let producer = cluster
        .client
        .topic_producer_with_config(topic, config)
        .await
        .unwrap();
    for seq in 0..TRIPS {
        producer
            .send(format!("{}", seq % 997), trip(seq))
            .await
            .unwrap();
    }
    producer.flush().await.unwrap();
    started.elapsed()
}

/// Reads all partitions at once until so many records have come.
async fn read(
    cluster: &Cluster,
    topic: &str,
    module: Option<SmartModuleInvocation>,
    count: usize,
) -> Duration {
    let started = Instant::now();
    let streams =
        (0..PARTITIONS).map(|partition| batches(cluster, topic, partition, module.clone()));
    let mut all = futures_util::stream::select_all(join_all(streams).await);
    let mut records = 0;
    while records < count {
        records += all.next().await.unwrap().records().len();
    }
    started.elapsed()
}

/// Reads all partitions at once until their sources are used up.
async fn read_to_end(cluster: &Cluster, topic: &str, module: SmartModuleInvocation) {
    let streams =
        (0..PARTITIONS).map(|partition| batches(cluster, topic, partition, Some(module.clone())));
    let mut all = futures_util::stream::select_all(join_all(streams).await);
    // Keys spread evenly enough that the last outputs come close to the end.
    let mut sources = 0;
    while sources < TRIPS as i64 * 99 / 100 {
        sources += i64::from(all.next().await.unwrap().last_offset_delta()) + 1;
    }
}

async fn batches(
    cluster: &Cluster,
    topic: &str,
    partition: u32,
    module: Option<SmartModuleInvocation>,
) -> impl futures_util::Stream<Item = fluvio_protocol::record::Batch> + Unpin {
    #[expect(deprecated, reason = "the only way to batches in 0.50")]
    let consumer = cluster
        .client
        .partition_consumer(topic, partition)
        .await
        .unwrap();
    let mut config = ConsumerConfig::builder();
    config
        .max_bytes(8 << 20)
        .smartmodule(module.into_iter().collect::<Vec<_>>());
    let config = config.build().unwrap();
    let stream = consumer
        .stream_batches_with_config(Offset::beginning(), config)
        .await
        .unwrap();
    Box::pin(stream.map(Result::unwrap))
}

fn rate(count: usize, elapsed: Duration) -> String {
    format!(
        "{count} trips in {elapsed:.2?}, {:.0} trips/s",
        count as f64 / elapsed.as_secs_f64()
    )
}
