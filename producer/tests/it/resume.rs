//! Runs that are stopped or killed, and run again.

use std::time::Duration;

use domain::Body;
use producer::{FilesConfig, Source, Speed};
use proptest::prelude::*;
use testkit::archives::{city as city_file, shuffled};
use tokio_util::sync::CancellationToken;

use crate::life::{live_and_die, process};
use crate::support::{assert_whole, at_full_speed, cluster, path_source, rows, testdata};

const TRIPS: u64 = 100_000;

const CITY: &str = "simulate:trips=100000,days=4,dirty=0.001";

fn city() -> Source {
    CITY.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_source_again_sends_nothing_not_even_a_tick() {
    let cluster = cluster().await;
    let first = cluster.produce(city(), at_full_speed()).await;
    assert_eq!(first.already_produced, 0);
    let before: usize = cluster.stored().await.iter().map(Vec::len).sum();
    let again = cluster.produce(city(), at_full_speed()).await;
    assert_eq!(again.already_produced, TRIPS);
    assert_eq!(
        (again.rows_read, again.produced, again.rejected),
        (TRIPS, first.produced, first.rejected)
    );
    let after: usize = cluster.stored().await.iter().map(Vec::len).sum();
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_under_another_name_is_the_same_source() {
    let cluster = cluster().await;
    let folder = tempfile::tempdir().unwrap();
    cluster
        .produce(path_source(testdata("basic.csv")), at_full_speed())
        .await;
    let renamed = folder.path().join("renamed.csv");
    std::fs::copy(testdata("basic.csv"), &renamed).unwrap();
    let again = cluster.produce(path_source(renamed), at_full_speed()).await;
    assert_eq!(again.already_produced, 3);
    assert_whole(&cluster.stored().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_added_to_a_folder_is_sent_and_the_others_are_not_sent_again() {
    let cluster = cluster().await;
    let folder = tempfile::tempdir().unwrap();
    let add = |name: &str, file: &str| {
        std::fs::copy(testdata(file), folder.path().join(name)).unwrap();
    };
    let source = path_source(folder.path().to_owned());
    add("a.csv", "basic.csv");
    cluster.produce(source.clone(), at_full_speed()).await;
    add("b.csv", "not-ordered.csv");
    let summary = cluster.produce(source, at_full_speed()).await;
    assert_eq!((summary.rows_read, summary.already_produced), (8, 3));
    let stored: usize = cluster.stored().await.iter().map(|p| rows(p).count()).sum();
    assert_eq!(stored, 8);
}

proptest! {
    #![proptest_config(ProptestConfig {
        // Times are not repeatable: a smaller case says nothing.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::with_cases(6)
    })]

    #[test]
    fn producers_killed_at_any_moment_lose_nothing_and_repeat_nothing(
        lives in prop::collection::vec(20_u64..400, 2..7),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = cluster().await;
            let mut stored = Vec::new();
            for life in lives {
                let mut process = process(&cluster, CITY);
                live_and_die(&cluster, &mut process, Duration::from_millis(life)).await;
                stored.push(cluster.rows_stored().await);
            }
            assert!(stored.is_sorted(), "each life goes on: {stored:?}");
            let summary = cluster.produce(city(), at_full_speed()).await;
            assert_eq!(summary.rows_read, TRIPS);
            assert_eq!(summary.already_produced, *stored.last().unwrap() as u64);
            assert_whole(&cluster.stored().await, TRIPS);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_has_everything_confirmed_that_it_counts() {
    let cluster = cluster().await;
    let stop = CancellationToken::new();
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        stop.cancel();
        std::time::Instant::now()
    };
    let config = producer::ProducerConfig {
        // Four days in about nine seconds.
        speed: Speed::Times(40_000.0),
        ..at_full_speed()
    };
    let run = cluster.run(city(), config, stop.clone());
    let (summary, stopped) = tokio::join!(run, stopping);
    assert!(
        stopped.elapsed() < Duration::from_millis(500),
        "{:?}",
        stopped.elapsed()
    );
    let summary = summary.unwrap();
    assert!(summary.stopped && summary.rows_read < TRIPS, "{summary:?}");
    assert_whole(&cluster.stored().await, summary.rows_read);

    let rest = cluster.produce(city(), at_full_speed()).await;
    assert_eq!(rest.already_produced, summary.rows_read);
    assert_whole(&cluster.stored().await, TRIPS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_before_its_last_tick_sends_it_the_next_time() {
    let cluster = cluster().await;
    let source = path_source(testdata("basic.csv"));
    let stop = CancellationToken::new();
    let config = producer::ProducerConfig {
        // The last row departs half an hour after the first: 0.3 s, and a long time after nothing.
        speed: Speed::Times(1.0),
        ..at_full_speed()
    };
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    };
    let (first, ()) = tokio::join!(cluster.run(source.clone(), config, stop.clone()), stopping);
    assert_eq!(first.unwrap().rows_read, 1);
    cluster.produce(source, at_full_speed()).await;
    for partition in cluster.stored().await {
        assert!(
            matches!(partition.last().unwrap().record.body, Body::Tick(at) if at.timestamp() % 5 == 0)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_rows_lie_on_the_disk_is_not_read_again() {
    let cluster = cluster().await;
    let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("202606-trips.csv");
    let text = shuffled(&city_file("trips=20000,stations=60,bikes=600,days=2"));
    std::fs::write(&path, &text).unwrap();
    let source = || path_source(folder.path().to_owned());
    let config = producer::ProducerConfig {
        files: FilesConfig {
            // About a thousand rows.
            sort_bytes: 100_000,
            spill_dir: Some(spill.path().to_owned()),
            ..FilesConfig::default()
        },
        ..at_full_speed()
    };
    let slowly = producer::ProducerConfig {
        // Two days in about twenty seconds.
        speed: Speed::Times(8_640.0),
        ..config.clone()
    };
    let stop = CancellationToken::new();
    let stopping = async {
        while cluster.rows_stored().await < 1_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
    };
    let (first, ()) = tokio::join!(cluster.run(source(), slowly, stop.clone()), stopping);
    let first = first.unwrap();
    assert!(first.stopped && first.rows_read < 20_000, "{first:?}");

    // As if it could not be read any more: the same file by its size and time.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, vec![b'x'; text.len()]).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    let rest = cluster.produce(source(), config.clone()).await;
    assert_eq!(
        (rest.rows_read, rest.already_produced),
        (20_000, first.rows_read)
    );
    assert_whole(&cluster.stored().await, 20_000);

    let again = cluster.produce(source(), config).await;
    assert_eq!((again.rows_read, again.already_produced), (20_000, 20_000));
}
