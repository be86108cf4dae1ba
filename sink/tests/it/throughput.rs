//! How fast trips become rows, and how fresh the page's tables are. Measurements:
//!
//! `cargo xtask wasm && cargo test --profile quick -p sink --test it throughput -- --ignored --nocapture`

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use fluvio::{Fluvio, RecordKey, TopicProducerConfigBuilder};

use crate::availability::assert_right;
use crate::city::{City, morning, placed, tick, trip, trips};
use crate::delivery::assert_complete;
use crate::support::{Cluster, Database, PARTITIONS, STREAMS, TOPIC};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
async fn trips_that_wait_on_the_topic_become_rows() {
    let cluster = Cluster::start().await;
    let rows = std::env::var("ROWS").map_or(300_000, |rows| rows.parse().unwrap());
    let records = City {
        rows,
        ..City::default()
    }
    .records();
    let started = Instant::now();
    cluster.produce_in_batches(&records, 256 << 10).await;
    println!("produce: {:?}", started.elapsed());
    let database = Database::migrated().await;
    let started = Instant::now();
    let mut sink = cluster.sink(&database);
    sink.wait_for("the first rows are there", |state| state.records() > 0)
        .await;
    let first = started.elapsed();
    let ends = cluster.log_ends().await;
    let stored = |state: &sink::SinkState| {
        let ended = |p, end| state.streams[&(p, sink::Module::TripSplit)].next_offset == end;
        ends.iter().all(|(p, end)| ended(*p, *end))
    };
    sink.wait_for("all records are stored", stored).await;
    let all = started.elapsed();
    sink.drained(&cluster).await;
    let shown = started.elapsed();
    let state = sink.stop().await.unwrap();
    let rate = trips(&records) as f64 / (all - first).as_secs_f64();
    let opened = state
        .streams
        .values()
        .map(|stream| stream.opened)
        .sum::<u64>();
    println!("first rows after {first:?}, stored after {all:?}, shown after {shown:?}");
    println!(
        "{rate:.0} trips/s after the first rows; {opened} streams opened, \
        {} publishes",
        state.availability.version
    );
    assert_complete(&database, &records).await;
    assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
async fn a_thousand_trips_a_second_are_shown_soon() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let sink = cluster.sink(&database);
    let mut sink = sink;
    cluster.produce(&tick("live.csv#1", 0, morning())).await;
    sink.drained(&cluster).await;
    sink.wait_for("all streams run", |state| state.streams.len() == STREAMS)
        .await;
    let mut state = sink.state.clone();
    let watching = tokio::spawn(async move {
        let mut shown = Vec::new();
        while state.changed().await.is_ok() {
            let clock = state.borrow_and_update().availability.clock;
            if shown.last().is_none_or(|(last, _)| *last != clock) {
                shown.push((clock, Instant::now()));
            }
        }
        shown
    });
    let sent = send_paced(&cluster, Duration::from_secs(10)).await;
    sink.finish(&cluster).await;
    let shown = watching.await.unwrap();
    let mut delays: Vec<_> = sent
        .iter()
        .filter_map(|(clock, at)| {
            let first = shown.iter().find(|(shown, _)| *shown >= Some(*clock))?;
            Some(first.1.duration_since(*at))
        })
        .collect();
    delays.sort();
    let share = |part: usize| delays[delays.len() * part / 100];
    println!(
        "{} publishes for {} trips; sent to published: p50 {:?}, p99 {:?}, most {:?}",
        shown.len(),
        sent.len(),
        share(50),
        share(99),
        delays[delays.len() - 1]
    );
}

/// Sends ten trips every ten milliseconds, one second of event time a second.
async fn send_paced(cluster: &Cluster, duration: Duration) -> Vec<(DateTime<Utc>, Instant)> {
    let fluvio = Fluvio::connect_with_config(&cluster.config())
        .await
        .unwrap();
    let mut producers = Vec::new();
    for partition in 0..PARTITIONS {
        let config = TopicProducerConfigBuilder::default()
            .set_specific_partitioner(partition)
            .linger(Duration::from_millis(1))
            .build()
            .unwrap();
        producers.push(
            fluvio
                .topic_producer_with_config(TOPIC, config)
                .await
                .unwrap(),
        );
    }
    let started = Instant::now();
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    let mut sent = Vec::new();
    let mut seq = 0;
    while started.elapsed() < duration {
        beat.tick().await;
        for _ in 0..10 {
            let now = started.elapsed().as_micros();
            let now = morning() + TimeDelta::microseconds(i64::try_from(now).unwrap());
            let bike = format!("{}", seq % 5_000);
            let from = u32::try_from(seq % 12).unwrap();
            let (partition, record) =
                placed("live.csv#1", seq, trip(Some(&bike), (from, now), (from, 0)));
            let producer = &producers[partition as usize];
            producer
                .send(RecordKey::NULL, record.to_json())
                .await
                .unwrap();
            sent.push((now, Instant::now()));
            seq += 1;
        }
    }
    cluster
        .produce(&tick("live.csv#1", seq, morning() + TimeDelta::seconds(60)))
        .await;
    sent
}
