//! A bucket as the source: runs that stop, fail and go on.

use std::path::Path;
use std::time::Duration;

use domain::{Body, error_chain};
use expect_test::expect;
use producer::{FilesConfig, ProducerConfig, ProducerError, S3Config, Source};
use testkit::archives::{city, shuffled, zip};
use testkit::s3::{Fault, S3Server};
use tokio_util::sync::CancellationToken;
use trip_files::TripFilesError;

use crate::support::{assert_whole, cluster, rows, testdata};

/// Sends from the server's bucket; `spill_dir` keeps what was read.
fn config(server: &S3Server, spill_dir: Option<&Path>) -> ProducerConfig {
    ProducerConfig {
        files: FilesConfig {
            spill_dir: spill_dir.map(Path::to_owned),
            s3: S3Config {
                endpoint: Some(server.endpoint()),
                path_style: true,
                anonymous: true,
                silent_after: Duration::from_millis(1_500),
                give_up_after: Duration::from_secs(30),
                ..S3Config::default()
            },
            ..FilesConfig::default()
        },
        ..ProducerConfig::default()
    }
}

fn source(prefix: &str) -> Source {
    format!("s3://tripdata/{prefix}").parse().unwrap()
}

fn test_file(name: &str) -> Vec<u8> {
    std::fs::read(testdata(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_asks_for_credentials_is_read_with_them_and_not_without() {
    let cluster = cluster().await;
    let server = S3Server::start_with(|builder| {
        builder.set_auth(s3s::auth::SimpleAuth::from_single("rider", "secret"));
    })
    .await;
    server.put("x.csv", &test_file("basic.csv"));
    let anonymous = config(&server, None);
    let result = cluster
        .run(source(""), anonymous, CancellationToken::new())
        .await;
    expect!["cannot use s3://tripdata/: no permission (AccessDenied): for a public bucket say --s3-anonymous, else check the credentials"]
        .assert_eq(&error_chain(&result.unwrap_err()));
    assert_eq!(cluster.rows_stored().await, 0);
    crate::life::live(&cluster, "s3://tripdata", |process| {
        process
            .env("PRODUCER_TEST_S3", server.endpoint())
            .env("AWS_ACCESS_KEY_ID", "rider")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
    })
    .await;
    assert_eq!(cluster.rows_stored().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_ends_the_run_and_refuses_no_file() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    server.put("202601-a.csv", &test_file("basic.csv"));
    server.put("202602-b.csv", &test_file("new.csv"));
    server.fail(|asked| match asked.key.as_str() {
        "202602-b.csv" => Fault::Status(503),
        _ => Fault::None,
    });
    let mut config = config(&server, None);
    config.files.s3.give_up_after = Duration::from_millis(300);
    let result = cluster
        .run(source(""), config.clone(), CancellationToken::new())
        .await;
    assert!(
        matches!(
            result,
            Err(ProducerError::Files(TripFilesError::Unreachable(_)))
        ),
        "{result:?}"
    );
    assert_eq!(
        cluster.rows_stored().await,
        3,
        "what was read before is there"
    );
    server.fail(|_| Fault::None);
    let summary = cluster.produce(source(""), config).await;
    assert_eq!(
        (
            summary.rows_read,
            summary.already_produced,
            summary.rejected
        ),
        (6, 3, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_in_the_middle_of_an_object_and_does_not_read_it_again() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let spill = tempfile::tempdir().unwrap();
    server.put(
        "202606-trips.csv",
        &shuffled(&city("trips=20000,stations=60,bikes=600,days=2")),
    );
    let mut slowly = config(&server, Some(spill.path()));
    // Two days in about twenty seconds.
    slowly.speed = producer::Speed::Times(8_640.0);
    let stop = CancellationToken::new();
    let stopping = async {
        while cluster.rows_stored().await < 1_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
    };
    let (first, ()) = tokio::join!(cluster.run(source(""), slowly, stop.clone()), stopping);
    let first = first.unwrap();
    assert!(first.stopped && first.rows_read < 20_000, "{first:?}");

    server.fail(|_| Fault::None);
    let rest = cluster
        .produce(source(""), config(&server, Some(spill.path())))
        .await;
    assert_eq!(
        (rest.rows_read, rest.already_produced),
        (20_000, first.rows_read)
    );
    assert_eq!(server.asked_for("202606-trips.csv"), 0);
    assert_whole(&cluster.stored().await, 20_000);
    assert_eq!(runs_in(spill.path()), 0, "what was sent is let go");

    let again = cluster
        .produce(source(""), config(&server, Some(spill.path())))
        .await;
    assert_eq!((again.rows_read, again.already_produced), (20_000, 20_000));
    assert_eq!(server.asked_for("202606-trips.csv"), 0);

    // A note is not believed where the topic says otherwise.
    let other = crate::support::cluster().await;
    let anew = other
        .produce(source(""), config(&server, Some(spill.path())))
        .await;
    assert_eq!((anew.rows_read, anew.already_produced), (20_000, 0));
    assert_whole(&other.stored().await, 20_000);
}

fn runs_in(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => count += runs_in(&path),
            false => count += usize::from(path.extension().is_some_and(|end| end == "run")),
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn months_come_in_their_order_each_once_and_a_changed_object_is_read_again() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let spill = tempfile::tempdir().unwrap();
    let month = |month: u32, trips: u32| {
        let start = format!("start=2026-{month:02}-01,days=28,stations=20,bikes=100");
        shuffled(&city(&format!("seed={month},trips={trips},{start}")))
    };
    for (number, name) in [(3, "202603"), (1, "202601"), (2, "2026-02")] {
        let member = format!("{name}-trips.csv");
        server.put(
            &format!("{name}-trips.zip"),
            &zip(&[(&member, &month(number, 500))]),
        );
    }
    server.put(
        "2026-trips.zip",
        &zip(&[
            ("2026-trips/202601-trips_1.csv", &month(1, 500)),
            ("2026-trips/202604-trips_1.csv", &month(4, 300)),
            ("2026-trips/202604-trips_2.csv", &month(5, 200)),
        ]),
    );
    let summary = cluster
        .produce(source(""), config(&server, Some(spill.path())))
        .await;
    assert_eq!((summary.rows_read, summary.duplicate_files), (2_000, 1));
    for partition in cluster.stored().await {
        let departures = rows(&partition).filter_map(|row| match &row.record.body {
            Body::Trip(trip) => Some(trip.departed_at),
            _ => None,
        });
        assert!(departures.is_sorted());
    }
    server.fail(|_| Fault::None);
    server.put(
        "202603-trips.zip",
        &zip(&[("202603-trips.csv", &month(3, 600))]),
    );
    let again = cluster
        .produce(source(""), config(&server, Some(spill.path())))
        .await;
    assert_eq!((again.rows_read, again.already_produced), (2_100, 1_500));
    assert_eq!(server.asked_for("202601-trips.zip"), 0);
    assert_eq!(server.asked_for("202603-trips.zip"), 1);
}
