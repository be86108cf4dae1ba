//! Prepared files on the topic.

use std::fs;

use producer::{FilesConfig, ProducerConfig, S3Config, Source};
use testkit::archives::city;
use testkit::s3::{Fault, S3Server};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trip_files::{PrepareSummary, Progress, TripFilesError};

use crate::support::{cluster, testdata};

async fn prepare(source: &str, to: &str, s3: S3Config) -> Result<PrepareSummary, TripFilesError> {
    let (progress, _) = watch::channel(Progress::default());
    let (source, to) = (source.parse().unwrap(), to.parse().unwrap());
    trip_files::prepare(source, Some(to), s3, progress, CancellationToken::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_prepared_into_a_bucket_and_read_from_there() {
    let server = S3Server::start().await;
    let s3 = S3Config {
        endpoint: Some(server.endpoint()),
        path_style: true,
        anonymous: true,
        ..S3Config::default()
    };
    let text = city("trips=3000,stations=60,bikes=600,start=2026-06-02");
    server.put("raw/202606-trips.csv", &text);
    server.put("raw/basic.csv", &fs::read(testdata("basic.csv")).unwrap());
    let prepared = || prepare("s3://tripdata/raw/", "s3://tripdata/prepared", s3.clone());
    let first = prepared().await.unwrap();
    assert_eq!((first.rows_read, first.written), (3_003, 3_003));
    assert_eq!((first.files, first.unchanged), (2, 0));
    let bytes = fs::read(server.path("prepared/202606-trips.parquet")).unwrap();

    let again = prepared().await.unwrap();
    assert_eq!((again.written, again.files, again.unchanged), (3_003, 2, 2));
    server.put(
        "raw/202606-trips.csv",
        &city("seed=8,trips=500,start=2026-06-02"),
    );
    let changed = prepared().await.unwrap();
    assert_eq!(
        (changed.written, changed.files, changed.unchanged),
        (503, 2, 1)
    );
    server.put("raw/202606-trips.csv", &text);
    prepared().await.unwrap();
    let restored = fs::read(server.path("prepared/202606-trips.parquet")).unwrap();
    assert!(bytes == restored, "the same trips give the same bytes");

    let cluster = cluster().await;
    let source: Source = "s3://tripdata/prepared/".parse().unwrap();
    let spill = tempfile::tempdir().unwrap();
    let config = ProducerConfig {
        files: FilesConfig {
            s3,
            spill_dir: Some(spill.path().to_owned()),
            ..FilesConfig::default()
        },
        ..ProducerConfig::default()
    };
    let summary = cluster.produce(source.clone(), config.clone()).await;
    assert_eq!(
        (summary.rows_read, summary.produced, summary.refused_files),
        (3_003, 3_003, 0)
    );
    server.fail(|_| Fault::None);
    let twice = cluster.produce(source, config).await;
    assert_eq!(twice.already_produced, 3_003);
    assert_eq!(server.asked_for("prepared/202606-trips.parquet"), 0);
}
