//! Rows come when their time has come, and ticks meanwhile.

use std::time::{Duration, Instant};

use domain::Body;
use producer::{Progress, Source};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{assert_whole, cluster, path_source, testdata, times};

#[tokio::test(flavor = "multi_thread")]
async fn half_an_hour_passes_in_half_a_second_and_ticks_tell_the_time() {
    let cluster = cluster().await;
    // The rows depart at 0, 1 and 30 minutes.
    let source = path_source(testdata("basic.csv"));
    let started = Instant::now();
    let summary = cluster.produce(source, times(3_600.0)).await;
    let took = started.elapsed();
    assert!((450..2_500).contains(&took.as_millis()), "{took:?}");
    assert!(summary.ticks >= 3, "{summary:?}");
    let stored = cluster.stored().await;
    assert_whole(&stored, 3);
    for partition in &stored {
        let ticks: Vec<_> = partition
            .iter()
            .filter_map(|stored| match stored.record.body {
                Body::Tick(at) => Some(at),
                _ => None,
            })
            .collect();
        assert!(ticks.is_sorted() && ticks.len() as u64 == summary.ticks);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_tells_how_far_the_run_is() {
    let cluster = cluster().await;
    let (progress, seen) = watch::channel(Progress::default());
    let source = "simulate:trips=3000,stations=40,bikes=300,days=1"
        .parse()
        .unwrap();
    let stop = CancellationToken::new();
    producer::run(
        &cluster.partitions,
        source,
        times(100_000.0),
        progress,
        stop,
    )
    .await
    .unwrap();
    let end = seen.borrow().clone();
    assert_eq!(
        (end.rows, end.confirmed, end.total),
        (3_000, 3_000, Some(3_000))
    );
    assert!(end.clock.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
async fn lateness_at_a_thousand_trips_a_second() {
    let cluster = cluster().await;
    // 350 trips a minute at 170 times the speed.
    let source: Source = "simulate:trips=10000,days=1,stations=350".parse().unwrap();
    let started = Instant::now();
    let summary = cluster.produce(source, times(8_640.0)).await;
    println!("{summary:?} in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(60));
}
