//! Whatever dies, and whenever, the tables end up the same.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sink::{Module, Status, StreamState};

use crate::availability::assert_right;
use crate::city::{City, morning, resent, tick};
use crate::small_modules;
use crate::support::{Cluster, Database, STREAMS};

/// Ends every connection of the sink to its database.
const CUT: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and application_name like 'bikeshare sink%'";

#[tokio::test(flavor = "multi_thread")]
async fn cutting_the_connections_to_postgres_at_any_moment_changes_nothing() {
    let cluster = Cluster::start().await;
    let records = resent(
        &City {
            rows: 3_000,
            ..City::default()
        }
        .records(),
        4,
    );
    let database = Database::migrated().await;
    let mut sink = cluster.sink_with(&database, |config| {
        config.retry.0 = Duration::from_millis(1);
        config.batch_rows_max = 10;
    });
    let mut random = StdRng::seed_from_u64(6);
    let opened = |state: &sink::SinkState| state.streams.values().map(|s| s.opened).sum::<u64>();
    let mut opened_before = 0;
    for part in records.chunks(records.len() / 12) {
        cluster.produce(part).await;
        sink.wait_for("a stream is open again", |state| {
            opened(state) > opened_before
        })
        .await;
        opened_before = opened(&sink.state.borrow());
        tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        database.execute(CUT).await;
    }
    sink.drained(&cluster).await;
    sink.stop().await.unwrap();
    assert_right(&database).await;
    assert_eq!(
        database.digest().await,
        cluster.drain().await.digest().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_sink_at_any_moment_changes_nothing() {
    let cluster = Cluster::start().await;
    let records = resent(
        &City {
            rows: 2_000,
            ..City::default()
        }
        .records(),
        5,
    );
    let database = Database::migrated().await;
    let mut random = StdRng::seed_from_u64(7);
    for part in records.chunks(records.len() / 12) {
        let sink = cluster.sink_with(&database, |config| config.batch_rows_max = 20);
        cluster.produce(part).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        sink.kill().await;
    }
    let mut sink = cluster.sink(&database);
    sink.drained(&cluster).await;
    sink.stop().await.unwrap();
    assert_right(&database).await;
    assert_eq!(
        database.digest().await,
        cluster.drain().await.digest().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_and_comes_back_changes_nothing() {
    let mut cluster = Cluster::start().await;
    let records = City::default().records();
    let database = Database::migrated().await;
    let mut sink = cluster.sink_with(&database, |config| {
        config.retry = (Duration::from_millis(1), Duration::from_millis(200));
    });
    for part in records.chunks(records.len() / 4) {
        let running = |state: &sink::SinkState| {
            state.streams.len() == STREAMS
                && state
                    .streams
                    .values()
                    .all(|stream| stream.status == sink::Status::Running)
        };
        sink.wait_for("all streams run", running).await;
        cluster.produce(part).await;
        cluster.stop().await;
        sink.wait_for("the streams try again", |state| {
            state
                .streams
                .values()
                .all(|stream| stream.status == sink::Status::Retrying)
        })
        .await;
        cluster.start_again().await;
    }
    sink.drained(&cluster).await;
    sink.stop().await.unwrap();
    assert_eq!(
        database.digest().await,
        cluster.drain().await.digest().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_missing_twice_at_one_place_stop_their_stream_alone() {
    let cluster = Cluster::start().await;
    // Given the first record it speaks of the second, and does so again when asked again.
    let skipping = r#"{"offset":1,"source":"a.csv#1","seq":1,"tick":"2026-03-02T12:00:00Z"}"#;
    cluster
        .upload(Module::TripSplit, &small_modules::giving(&[skipping]))
        .await;
    cluster.produce(&tick("a.csv#1", 0, morning())).await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    sink.wait_for("the streams have ended or gone on", |state| {
        let done = |(key, stream): (&(u32, Module), &StreamState)| match key.1 {
            Module::TripSplit => stream.status == Status::Failed,
            Module::DockWindow => stream.next_offset == 1,
        };
        state.streams.len() == STREAMS && state.streams.iter().all(done)
    })
    .await;
    let state = sink.stop().await.unwrap();
    let split = &state.streams[&(1, Module::TripSplit)];
    assert_eq!(
        split.last_error.as_deref(),
        Some("trips/1@1: records are missing, 0 should have come: the broker skipped them")
    );
    assert_eq!((split.opened, split.next_offset), (2, 0));
}
