//! The same trips in several files: each stands on the topic once, whatever came first.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use domain::Body;
use producer::{FilesConfig, ProducerConfig, Progress, S3Config, Source, Speed, Summary};
use testkit::archives::{city, gzip, zip};
use testkit::s3::S3Server;
use testkit::within_patience;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Cluster, at_full_speed, cluster, path_source, rows};

const TRIPS: usize = 2_000;

/// A month of 2025 as it is published.
fn month(number: usize) -> Vec<u8> {
    let start = format!("start=2025-{number:02}-01,days=28,stations=60,bikes=600");
    city(&format!("seed={number},trips={TRIPS},{start}"))
}

/// The same trips without the fractions of their seconds, as some months were published again.
fn corrected(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let lines = text.lines().map(|line| {
        let fields = line
            .split(',')
            .enumerate()
            .map(|(index, field)| match index {
                1 | 2 => field.split('.').next().unwrap().trim_matches('"'),
                _ => field,
            });
        fields.collect::<Vec<_>>().join(",") + "\n"
    });
    lines.collect::<String>().into_bytes()
}

/// Fails unless the topic holds so many trips, all of them different.
async fn assert_once(cluster: &Cluster, count: usize) {
    let stored = cluster.stored().await;
    let trips: Vec<_> = stored
        .iter()
        .flat_map(|partition| rows(partition))
        .filter_map(|stored| match &stored.record.body {
            Body::Trip(trip) => Some((trip.departed_at.timestamp(), trip.bike_id.clone())),
            _ => None,
        })
        .collect();
    let different: HashSet<_> = trips.iter().collect();
    assert_eq!((trips.len(), different.len()), (count, count));
}

async fn produced(cluster: &Cluster, folder: &Path, spill: &Path) -> Summary {
    let config = ProducerConfig {
        files: FilesConfig {
            spill_dir: Some(spill.to_owned()),
            ..FilesConfig::default()
        },
        ..at_full_speed()
    };
    cluster
        .produce(path_source(folder.to_owned()), config)
        .await
}

/// A year in an archive, and one of its months beside it under three more kinds of names.
fn year_with_a_month_too_often(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    let members: Vec<_> = (1..=12)
        .map(|number| {
            (
                format!("2025/2025{number:02}-citibike-tripdata_1.csv"),
                month(number),
            )
        })
        .collect();
    let members: Vec<_> = members
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_slice()))
        .collect();
    write("2025-citibike-tripdata.zip", &zip(&members));
    let august = month(8);
    write("202508-citbike-tripdata.csv", &corrected(&august));
    let as_windows_saves_it = String::from_utf8(august.clone())
        .unwrap()
        .replace('\n', "\r\n");
    write(
        "202508-citibike-tripdata (1).csv",
        as_windows_saves_it.as_bytes(),
    );
    let inside = [("export.csv", corrected(&corrected(&august)))];
    let inside = inside
        .each_ref()
        .map(|(name, text)| (*name, text.as_slice()));
    write("august.zip", &zip(&inside));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_with_a_month_too_often_is_sent_and_prepared_exactly_once() {
    let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    year_with_a_month_too_often(folder.path());
    let cluster = cluster().await;
    let summary = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!((summary.produced, summary.rejected), (12 * TRIPS as u64, 0));
    assert_eq!(summary.duplicate_files, 3);
    assert_once(&cluster, 12 * TRIPS).await;

    let again = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(again.already_produced, again.rows_read);
    assert_eq!(
        (again.rows_read, again.duplicate_files),
        (12 * TRIPS as u64, 3)
    );

    let (progress, _) = watch::channel(Progress::default());
    let prepared = trip_files::prepare(
        trip_files::Source::Path(folder.path().to_owned()),
        None,
        S3Config::default(),
        progress,
        CancellationToken::new(),
    );
    let prepared = prepared.await.unwrap();
    assert_eq!(
        (prepared.written, prepared.duplicate_files),
        (12 * TRIPS as u64, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_has_sent_is_not_sent_again_under_another_name() {
    let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cluster = cluster().await;
    let text = month(3);
    // A part by its name: the least preferred of all.
    let first = folder.path().join("202503-citbike-tripdata_1.csv");
    fs::write(&first, &text).unwrap();
    let sent = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(sent.produced, TRIPS as u64);

    fs::write(
        folder.path().join("202503-citibike-tripdata.csv"),
        corrected(&text),
    )
    .unwrap();
    let again = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(
        (again.already_produced, again.duplicate_files),
        (TRIPS as u64, 1)
    );

    // The first file is gone: published again in its place.
    fs::remove_file(&first).unwrap();
    let replaced = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!((replaced.rows_read, replaced.duplicate_files), (0, 1));
    assert_once(&cluster, TRIPS).await;

    // Another topic knows nothing of all that.
    let other = self::cluster().await;
    let elsewhere = produced(&other, folder.path(), spill.path()).await;
    assert_eq!(
        (elsewhere.produced, elsewhere.duplicate_files),
        (TRIPS as u64, 0)
    );
}

/// Sends some rows of what a folder holds, then stops; gives how many.
async fn sent_in_part(cluster: &Cluster, folder: &Path, spill: &Path) -> u64 {
    let slowly = ProducerConfig {
        // A month in about a minute.
        speed: Speed::Times(40_000.0),
        files: FilesConfig {
            spill_dir: Some(spill.to_owned()),
            ..FilesConfig::default()
        },
        ..at_full_speed()
    };
    let stop = CancellationToken::new();
    let stopping = async {
        while cluster.rows_stored().await < 50 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let run = cluster.run(path_source(folder.to_owned()), slowly, stop.clone());
    let (first, ()) = within_patience("the run stops", async { tokio::join!(run, stopping) }).await;
    let first = first.unwrap();
    assert!(first.stopped && first.rows_read < TRIPS as u64, "{first:?}");
    first.rows_read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_sent_in_part_and_is_gone_is_not_taken_for_whole() {
    let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cluster = cluster().await;
    let text = month(9);
    let first = folder.path().join("202509-citbike-tripdata.csv");
    fs::write(&first, &text).unwrap();
    let sent = sent_in_part(&cluster, folder.path(), spill.path()).await;

    // Only the same trips under another name are left: they are neither doubled nor silently lost.
    fs::remove_file(&first).unwrap();
    let other = folder.path().join("202509-citibike-tripdata.csv");
    fs::write(&other, corrected(&text)).unwrap();
    let without = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(
        (without.produced, without.rejected, without.duplicate_files),
        (0, 1, 0)
    );
    let stored = cluster.stored().await;
    let mut records = stored.iter().flatten().map(|stored| &stored.record.body);
    let reason = records.find_map(|body| match body {
        Body::Reject(reject) => Some(reject.reason.as_str()),
        _ => None,
    });
    assert_eq!(
        reason.unwrap(),
        "file refused: 1975 of its 2000 trips are in \"202509-citbike-tripdata.csv\", of which an \
         earlier run has sent a part, and which is gone: put that file back, and the rest of it is sent"
    );

    fs::write(&first, &text).unwrap();
    let rest = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(
        (rest.rows_read, rest.already_produced),
        (TRIPS as u64, sent)
    );
    assert_eq!((rest.duplicate_files, rest.refused_files), (1, 0));
    assert_once(&cluster, TRIPS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_sent_in_part_goes_on_though_its_duplicate_would_be_preferred() {
    let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cluster = cluster().await;
    let text = month(6);
    fs::write(folder.path().join("202506-copy_2.csv.gz"), gzip(&text)).unwrap();
    let sent = sent_in_part(&cluster, folder.path(), spill.path()).await;

    fs::write(
        folder.path().join("202506-citibike-tripdata.csv"),
        corrected(&text),
    )
    .unwrap();
    let rest = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(
        (rest.rows_read, rest.already_produced),
        (TRIPS as u64, sent)
    );
    assert_eq!(rest.duplicate_files, 1);
    assert_once(&cluster, TRIPS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_adds_to_what_was_sent_is_refused_with_how_many_trips_are_there() {
    let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cluster = cluster().await;
    let (march, april) = (month(3), month(4));
    fs::write(folder.path().join("202503-citibike-tripdata.csv"), &march).unwrap();
    produced(&cluster, folder.path(), spill.path()).await;

    let rows_of_april = april.split_inclusive(|byte| *byte == b'\n').skip(1);
    let both: Vec<u8> = march
        .split_inclusive(|byte| *byte == b'\n')
        .chain(rows_of_april)
        .flatten()
        .copied()
        .collect();
    fs::write(folder.path().join("spring.csv"), both).unwrap();
    let again = produced(&cluster, folder.path(), spill.path()).await;
    assert_eq!(
        (again.produced, again.refused_files, again.rejected),
        (TRIPS as u64, 1, 1)
    );
    let stored = cluster.stored().await;
    let mut records = stored.iter().flatten().map(|stored| &stored.record.body);
    let reason = records.find_map(|body| match body {
        Body::Reject(reject) => Some(reject.reason.as_str()),
        _ => None,
    });
    assert_eq!(
        reason.unwrap(),
        "file refused: 2000 of its 4000 trips are in \"202503-citibike-tripdata.csv\", which is taken: \
         take one of the two away, or the trips that both have out of this one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_bucket_a_month_inside_an_archive_and_beside_it_is_sent_once() {
    let server = S3Server::start().await;
    let (text, spill) = (month(11), tempfile::tempdir().unwrap());
    server.put(
        "2025/all-months.zip",
        &zip(&[("a/202511-tripdata.csv", &text)]),
    );
    server.put(
        "2025/202511-JC-citibike-tripdata.csv.gz",
        &gzip(&corrected(&text)),
    );
    let config = ProducerConfig {
        files: FilesConfig {
            spill_dir: Some(spill.path().to_owned()),
            s3: S3Config {
                endpoint: Some(server.endpoint()),
                path_style: true,
                anonymous: true,
                ..S3Config::default()
            },
            ..FilesConfig::default()
        },
        ..at_full_speed()
    };
    let cluster = cluster().await;
    let source: Source = "s3://tripdata/2025/".parse().unwrap();
    for _ in 0..2 {
        let summary = cluster
            .produce(Source::clone(&source), config.clone())
            .await;
        assert_eq!(
            (summary.rows_read, summary.duplicate_files),
            (TRIPS as u64, 1)
        );
    }
    assert_once(&cluster, TRIPS).await;
}
