//! A cursor knows its log: with another one the sink stops loudly, until it is told what to do.

use std::time::Duration;

use expect_test::expect;
use sink::{OtherLog, SinkConfig, SinkError};

use crate::city::{City, Placed, split_behind_ticks};
use crate::delivery::assert_complete;
use crate::support::{Cluster, Database};

fn city(seed: u64, rows: u64) -> Vec<Placed> {
    City {
        seed,
        rows,
        ..City::default()
    }
    .records()
}

fn impatient(config: &mut SinkConfig) {
    config.beyond_end_max = Duration::from_millis(300);
}

fn told(on_other_log: OtherLog) -> impl FnOnce(&mut SinkConfig) {
    move |config| {
        impatient(config);
        config.on_other_log = on_other_log;
    }
}

async fn stops(cluster: &Cluster, database: &Database) -> SinkError {
    let before = database.digest().await;
    let error = cluster
        .sink_with(database, impatient)
        .end()
        .await
        .unwrap_err();
    assert_eq!(database.digest().await, before, "nothing is changed");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_another_data_folder_is_refused_before_anything_is_written() {
    let first = Cluster::start().await;
    first.produce(&city(1, 300)).await;
    let database = first.drain().await;
    let second = Cluster::start().await;
    // Longer than the first one: its offsets go on where the cursor stands.
    second.produce(&city(2, 700)).await;
    let error = stops(&second, &database).await;
    assert!(matches!(error, SinkError::OtherLog { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("of \"city.csv#0000000000000001\""), "{text}");
    assert!(text.contains("--on-other-log rebuild"), "{text}");
    // The right one goes on as if nothing had been.
    first.produce(&city(3, 50)).await;
    let sink = first.sink(&database);
    sink.finish(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_with_the_wrong_log_disturbs_none_that_runs() {
    let right = Cluster::start().await;
    let records = city(4, 400);
    let (before, after) = split_behind_ticks(&records, 250);
    right.produce(before).await;
    let database = Database::migrated().await;
    let mut sink = right.sink(&database);
    sink.drained(&right).await;
    let wrong = Cluster::start().await;
    wrong.produce(&city(5, 400)).await;
    stops(&wrong, &database).await;
    right.produce(after).await;
    sink.finish(&right).await;
    assert_complete(&database, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_tail_a_power_cut_took_is_refused_even_when_it_has_grown_again() {
    let mut cluster = Cluster::start().await;
    let records = city(6, 500);
    cluster.produce(&records).await;
    let database = cluster.drain().await;
    cluster.stop().await;
    cluster.cut(0, 3);
    cluster.start_again().await;
    let error = stops(&cluster, &database).await;
    assert!(matches!(error, SinkError::BeyondEnd { .. }), "{error}");
    cluster.produce(&city(7, 500)).await;
    let error = stops(&cluster, &database).await;
    assert!(matches!(error, SinkError::OtherLog { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_log_is_never_drained() {
    let long = Cluster::start().await;
    long.produce(&city(8, 200)).await;
    let database = long.drain().await;
    let short = Cluster::start().await;
    short.produce(&city(9, 3)).await;
    let sink = short.sink_with(&database, impatient);
    let state = sink.state.clone();
    let ends = short.log_ends().await;
    sink.end().await.unwrap_err();
    assert!(!state.borrow().drained_to(&ends));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_built_anew_from_another_log_when_the_sink_is_told_to() {
    let first = Cluster::start().await;
    first.produce(&city(10, 300)).await;
    let database = first.drain().await;
    let second = Cluster::start().await;
    let records = city(11, 350);
    second.produce(&records).await;
    let sink = second.sink_with(&database, told(OtherLog::Rebuild));
    sink.finish(&second).await;
    assert_complete(&database, &records).await;
    assert_eq!(database.digest().await, second.drain().await.digest().await);
    // And it is this log's from now on.
    stops(&first, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_take_what_another_log_has_behind_a_gap_that_is_named() {
    let mut cluster = Cluster::start().await;
    let before = city(12, 400);
    cluster.produce(&before).await;
    let database = cluster.drain().await;
    cluster.stop().await;
    cluster.cut(0, 2);
    cluster.cut(1, 1);
    cluster.start_again().await;
    let after = city(13, 300);
    cluster.produce(&after).await;
    let sink = cluster.sink_with(&database, told(OtherLog::Continue));
    sink.finish(&cluster).await;
    // All rows of both, each once.
    let all = [before, after].concat();
    assert_complete(&database, &all).await;
    expect![[r#"
        0 dock-window
        0 trip-split
        1 dock-window
        1 trip-split"#]]
    .assert_eq(
        &database
            .lines("select partition as a, module as b from log_gap order by 1, 2")
            .await
            .join("\n"),
    );
    let mut sink = cluster.sink(&database);
    sink.runs().await;
    sink.stop().await.unwrap();
}
