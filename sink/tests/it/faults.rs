//! Whatever dies, and whenever, the tables end up the same.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sink::{Module, StreamState, StreamStatus};
use testkit::{BlackHole, modules};

use crate::availability::assert_right;
use crate::city::{City, morning, resent, split_behind_ticks, tick, wandering};
use crate::past;
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
    sink.finish(&cluster).await;
    assert_right(&database).await;
    // Cut once more when it was stopped, it may have kept nothing of the past.
    cluster.sink(&database).finish(&cluster).await;
    past::assert_right(&database).await;
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_sink_at_any_moment_changes_nothing() {
    let cluster = Cluster::start().await;
    let city = City {
        rows: 2_000,
        ..City::default()
    };
    let records = resent(&wandering(city.records()), 5);
    let database = Database::migrated().await;
    let mut random = StdRng::seed_from_u64(7);
    for part in records.chunks(records.len() / 12) {
        let sink = cluster.sink_with(&database, |config| config.batch_rows_max = 20);
        cluster.produce(part).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        sink.kill().await;
    }
    let sink = cluster.sink(&database);
    sink.finish(&cluster).await;
    assert_right(&database).await;
    past::assert_right(&database).await;
    cluster.assert_undisturbed(&database).await;
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
                    .all(|stream| stream.status == sink::StreamStatus::Running)
        };
        sink.wait_for("all streams run", running).await;
        cluster.produce(part).await;
        cluster.stop().await;
        sink.wait_for("the streams try again", |state| {
            state
                .streams
                .values()
                .all(|stream| stream.status == sink::StreamStatus::Retrying)
        })
        .await;
        cluster.start_again().await;
    }
    sink.finish(&cluster).await;
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_missing_twice_at_one_place_stop_their_stream_alone() {
    let cluster = Cluster::start().await;
    // Given the first record it speaks of the second, and does so again when asked again.
    let skipping = r#"{"offset":1,"source":"a.csv#1","seq":1,"tick":"2026-03-02T12:00:00Z"}"#;
    cluster
        .upload(Module::TripSplit, &modules::giving(&[skipping]))
        .await;
    cluster.produce(&tick("a.csv#1", 0, morning())).await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    sink.wait_for("the streams have ended or gone on", |state| {
        let done = |(key, stream): (&(u32, Module), &StreamState)| match key.1 {
            Module::TripSplit => stream.status == StreamStatus::Failed,
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

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_cancelled_at_any_moment_change_nothing() {
    let cluster = Cluster::start().await;
    let records = City {
        rows: 1_500,
        ..City::default()
    }
    .records();
    let database = Database::migrated().await;
    let mut sink = cluster.sink_with(&database, |config| {
        config.retry.0 = Duration::from_millis(1);
        config.batch_rows_max = 10;
    });
    let cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity
        where datname = current_database() and application_name like 'bikeshare sink%'
            and state = 'active'";
    sink.runs().await;
    for part in records.chunks(100) {
        cluster.produce(part).await;
        for _ in 0..20 {
            database.execute(cancel).await;
        }
    }
    sink.finish(&cluster).await;
    assert_right(&database).await;
    past::assert_right(&database).await;
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_for_a_while_changes_nothing() {
    let cluster = Cluster::start().await;
    let records = City::default().records();
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    sink.runs().await;
    let read_only = |on| {
        let name = &database.name;
        format!("alter database {name} set default_transaction_read_only = {on}")
    };
    database.execute(&read_only("on")).await;
    database.execute(CUT).await;
    cluster.produce(&records).await;
    sink.wait_for("all streams try again", |state| {
        state
            .streams
            .values()
            .all(|stream| stream.status == StreamStatus::Retrying)
    })
    .await;
    let writable = format!("begin read write; {}; commit", read_only("off"));
    database.execute(&writable).await;
    database.execute(CUT).await;
    sink.finish(&cluster).await;
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lacks_a_column_stops_its_streams_and_the_database_says_so() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    database
        .execute("alter table records rename column docked to parked")
        .await;
    cluster.produce(&City::default().records()).await;
    let mut sink = cluster.sink(&database);
    sink.wait_for("the streams of trips have stopped", |state| {
        let splits = state.streams.iter();
        let mut splits = splits.filter(|((_, module), _)| *module == Module::TripSplit);
        state.streams.len() == STREAMS
            && splits.all(|(_, stream)| stream.status == StreamStatus::Failed)
    })
    .await;
    let failures = "select module, count(failure) from stream_cursor group by 1 order by 1";
    assert_eq!(
        database.lines(failures).await,
        ["0 dock-window", "2 trip-split"]
    );
    let failure = "select failure from stream_cursor where module = 'trip-split' limit 1";
    let text = database.value(failure).await;
    assert!(text.contains("column \"docked\""), "{text}");
    sink.stop().await.unwrap();
    // Whoever takes the streams over begins anew.
    database
        .execute("alter table records rename column parked to docked")
        .await;
    let sink = cluster.sink(&database);
    sink.finish(&cluster).await;
    assert_eq!(
        database
            .value("select count(failure) from stream_cursor")
            .await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_falls_silent_is_tried_again_and_holds_no_stop_up() {
    let cluster = Cluster::start().await;
    let records = City::default().records();
    let (before, after) = split_behind_ticks(&records, 400);
    let database = Database::migrated().await;
    let hole = BlackHole::before(database.address()).await;
    let url = database.url_through(&hole);
    let mut sink = cluster.sink_with(&database, |config| {
        config.database_url = url;
        config.database_max = Duration::from_millis(700);
        config.stop_max = Duration::from_millis(200);
    });
    cluster.produce(before).await;
    sink.drained(&cluster).await;
    hole.swallow();
    cluster.produce(after).await;
    sink.wait_for("the streams notice", |state| {
        let streams = state.streams.values();
        streams.into_iter().any(|stream| {
            let error = stream.last_error.as_deref().unwrap_or_default();
            error.contains("postgres gave no response")
        })
    })
    .await;
    hole.pass();
    sink.drained(&cluster).await;
    hole.swallow();
    sink.stop().await.unwrap();
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_what_is_published_holds_the_map_up_no_longer_than_it_lasts() {
    let cluster = Cluster::start().await;
    let records = City::default().records();
    let (before, after) = records.split_at(500);
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    cluster.produce(before).await;
    sink.wait_for("it publishes", |state| state.availability.version > 0)
        .await;
    database
        .execute("begin; lock table availability in exclusive mode; select pg_sleep(4); commit")
        .await;
    let released = std::time::Instant::now();
    cluster.produce(after).await;
    sink.finish(&cluster).await;
    // The longest pause is a second; ten times the lock would be 40.
    assert!(
        released.elapsed() < Duration::from_secs(20),
        "{:?}",
        released.elapsed()
    );
}
