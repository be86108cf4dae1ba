//! A bucket as the source: what lies in it, and what goes wrong on the way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Body;
use expect_test::{Expect, expect};
use producer::{ProducerConfig, ProducerError, S3Config, Source};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::archives::{city, gzip, shuffled, zip};
use crate::s3_server::{Asked, Fault, S3Server};
use crate::support::{Cluster, assert_whole, cluster, rows, testdata};

/// Sends from the server's bucket; `spill_dir` keeps what was read.
fn config(server: &S3Server, spill_dir: Option<&Path>) -> ProducerConfig {
    ProducerConfig {
        spill_dir: spill_dir.map(Path::to_owned),
        s3: S3Config {
            endpoint: Some(server.endpoint()),
            path_style: true,
            anonymous: true,
            silent_after: Duration::from_millis(1_500),
            give_up_after: Duration::from_secs(30),
            ..S3Config::default()
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

/// The sources on the topic with their rows, and the rejects.
async fn check_topic(cluster: &Cluster, expected: Expect) {
    let mut lines = Vec::new();
    for record in cluster.stored().await.iter().flat_map(|p| rows(p)) {
        let name = record.record.source.split('#').next().unwrap();
        match &record.record.body {
            Body::Reject(reject) => {
                lines.push(format!(
                    "{}, line {}: {}",
                    reject.file, reject.line, reject.reason
                ));
            }
            _ => lines.push(format!("{name}: a trip")),
        }
    }
    lines.sort();
    expected.assert_eq(&lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_packing_are_read_and_what_systems_leave_behind_is_not() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let [basic, new] = ["basic.csv", "new.csv"].map(test_file);
    let [unquoted, title] = ["unquoted.csv", "title-case.csv"].map(test_file);
    let inner = zip(&[("202001-trips.csv", &unquoted)]);
    server.put("sub/a b.csv", &basic);
    server.put("c.csv.gz", &gzip(&new));
    server.put(
        "2020.zip",
        &zip(&[
            ("2020/202001-trips.zip", &inner),
            ("2020/1/202002-trips.csv", &title),
            ("__MACOSX/2020/1/._202002-trips.csv", b"\0"),
            (".DS_Store", b"\0"),
        ]),
    );
    server.put("index.html", b"<html>");
    server.put(".hidden.csv", &basic);
    let summary = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!((summary.rows_read, summary.refused_files), (10, 0));
    check_topic(
        &cluster,
        expect![[r#"
            202001-trips.csv: a trip
            202001-trips.csv: a trip
            202002-trips.csv: a trip
            202002-trips.csv: a trip
            a b.csv: a trip
            a b.csv: a trip
            a b.csv: a trip
            c.csv.gz: a trip
            c.csv.gz: a trip
            c.csv.gz: a trip"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_of_a_listing_are_read() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    for number in 0..1_001 {
        server.put(&format!("a-{number}.txt"), b"");
    }
    server.put("z.csv", &test_file("basic.csv"));
    server.fail(|_| Fault::None);
    let summary = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!(summary.rows_read, 3);
    assert_eq!(
        server.asked_for(""),
        2,
        "a page has a thousand keys at most"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_the_same_source_as_the_file_it_was_made_from() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let path = Source::Path(testdata("basic.csv"));
    cluster.produce(path, ProducerConfig::default()).await;
    server.put(
        "JC-202001.csv.zip",
        &zip(&[("x.csv", &test_file("basic.csv"))]),
    );
    let again = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!((again.rows_read, again.already_produced), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_cut_connections_in_one_object_lose_nothing_and_repeat_nothing() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let text = shuffled(&city("trips=50000,stations=60,bikes=600,days=5"));
    server.put("202606-trips.csv", &text);
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&cuts);
    // Short at first, so that there are thirty: none comes further than a thirtieth of the file.
    let step = text.len() / 40;
    server.fail(move |asked| match counted.fetch_add(1, Ordering::Relaxed) {
        count if asked.key.is_empty() || count > 40 => Fault::None,
        count => Fault::Cut(step / 2 + count * 17 % (step / 2)),
    });
    let summary = cluster
        .produce(source("202606"), config(&server, None))
        .await;
    assert_eq!((summary.rows_read, summary.produced), (50_000, 50_000));
    assert!(server.asked_for("202606-trips.csv") > 30);
    assert_whole(&cluster.stored().await, 50_000);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(12)
    })]

    #[test]
    fn any_faults_at_any_place_give_the_same_records(
        faults in prop::collection::vec(prop_oneof![
            (0_usize..400_000).prop_map(Fault::Cut),
            (1_usize..400_000).prop_map(Fault::Stall),
            Just(Fault::Status(503)),
            Just(Fault::Status(500)),
        ], 0..6),
        packed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (cluster, server) = (cluster().await, S3Server::start().await);
            let text = shuffled(&city("trips=2000,stations=20,bikes=90,days=2,dirty=0.01"));
            match packed {
                true => server.put("a.zip", &zip(&[("x.csv", &text)])),
                false => server.put("x.csv", &text),
            }
            let mut faults = faults.into_iter();
            server.fail(move |_| faults.next().unwrap_or(Fault::None));
            let mut config = config(&server, None);
            config.s3.silent_after = Duration::from_millis(300);
            let summary = cluster.produce(source(""), config).await;
            assert_eq!(summary.rows_read, 2_000);
            let stored = cluster.stored().await;
            assert_whole(&stored, 2_000);

            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("x.csv"), &text).unwrap();
            let path = Source::Path(folder.path().join("x.csv"));
            let again = cluster.produce(path, ProducerConfig::default()).await;
            assert_eq!(again.already_produced, 2_000);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slow_but_alive_is_waited_for() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    server.put("x.csv", &city("trips=2000,stations=20,bikes=90,days=2"));
    server.fail(|_| Fault::Slow(Duration::from_millis(50)));
    let summary = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!(summary.rows_read, 2_000);
    assert_eq!(server.asked_for("x.csv"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanishes_is_one_reject_and_the_rest_goes_on() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    for name in ["a.csv", "b.csv", "c.csv"] {
        server.put(
            name,
            &city(&format!(
                "seed={},trips=9",
                name.len() + name.as_bytes()[0] as usize
            )),
        );
    }
    let path = server.path("b.csv");
    server.fail(move |asked: &Asked| {
        if asked.key == "b.csv" {
            std::fs::remove_file(&path).ok();
        }
        Fault::None
    });
    let summary = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!(
        (summary.rows_read, summary.rejected, summary.refused_files),
        (19, 1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_while_it_is_read_is_one_reject() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    server.put("a.csv", &city("seed=1,trips=3000,stations=9,bikes=99"));
    server.put("b.csv", &test_file("basic.csv"));
    let (path, mut asked_before) = (server.path("a.csv"), false);
    server.fail(move |asked: &Asked| match asked.key.as_str() {
        "a.csv" if asked_before => {
            let mut text = std::fs::read(&path).unwrap();
            text[1_000] ^= 1;
            std::fs::write(&path, text).unwrap();
            Fault::None
        }
        "a.csv" => {
            asked_before = true;
            Fault::Cut(100_000)
        }
        _ => Fault::None,
    });
    let summary = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!(
        (summary.rows_read, summary.rejected, summary.refused_files),
        (4, 1, 1)
    );
    check_topic(
        &cluster,
        expect![[r#"
            a.csv, line 1: file refused: it cannot be read or decompressed: the object was replaced while it was read
            b.csv: a trip
            b.csv: a trip
            b.csv: a trip"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_hostile_archives_are_refused_within_bounds() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let basic = test_file("basic.csv");
    let whole = zip(&[("x.csv", &city("trips=5000,stations=9,bikes=99"))]);
    server.put("a-truncated.zip", &whole[..whole.len() / 2]);
    let zeros = vec![b'0'; 80 << 20];
    server.put(
        "b-bomb.zip",
        &zip(&[("bomb.csv", &zeros), ("good.csv", &basic)]),
    );
    server.put("c-bomb.csv.gz", &gzip(&zeros));
    let deep = zip(&[("1.zip", &zip(&[("2.zip", &zip(&[("x.csv", &basic)]))]))]);
    server.put("d-deep.zip", &deep);
    server.put("e-empty.zip", &zip(&[("readme.txt", b"")]));
    let many: Vec<_> = (0..10_001).map(|i| format!("{i}.csv")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    server.put("f-many.zip", &zip(&many));
    let summary = cluster.produce(source(""), config(&server, None)).await;
    assert_eq!(summary.rows_read, summary.produced + summary.rejected);
    check_topic(
        &cluster,
        expect![[r#"
            a-truncated.zip, line 1: file refused: it is not a usable zip archive: invalid Zip archive: Could not find EOCD
            b-bomb.zip/bomb.csv, line 1: file refused: it cannot be read or decompressed: more than 67108864 bytes come out of it, far more than of any trip file
            c-bomb.csv.gz, line 1: file refused: it cannot be read or decompressed: more than 67108864 bytes come out of it, far more than of any trip file
            d-deep.zip/1.zip/2.zip, line 1: file refused: it is an archive in an archive in an archive
            e-empty.zip, line 1: file refused: it holds no .csv file
            f-many.zip, line 1: file refused: it holds 10001 files
            good.csv: a trip
            good.csv: a trip
            good.csv: a trip"#]],
    )
    .await;
}

/// The error of a run that sends nothing.
async fn check_error(cluster: &Cluster, source: &str, config: ProducerConfig, expected: Expect) {
    let source = source.parse().unwrap();
    let result = cluster.run(source, config, CancellationToken::new()).await;
    let error: ProducerError = result.unwrap_err();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    expected.assert_eq(&text);
    assert!(cluster.stored().await.iter().all(Vec::is_empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said_with_what_to_do() {
    let (cluster, server) = (cluster().await, S3Server::start().await);
    let config = config(&server, None);
    check_error(
        &cluster,
        "s3://trips/x",
        config.clone(),
        expect![
            "cannot use s3://trips/x: the bucket does not exist: check its name and --s3-endpoint"
        ],
    )
    .await;
    check_error(
        &cluster,
        "s3://tripdata/2099",
        config.clone(),
        expect!["cannot use s3://tripdata/2099: no .csv, .csv.gz, .zip or .parquet object has a key that begins like this"],
    )
    .await;
    server.fail(|_| Fault::Status(403));
    check_error(
        &cluster,
        "s3://tripdata",
        config.clone(),
        expect!["cannot use s3://tripdata/: no permission (status 403): for a public bucket say --s3-anonymous, else check the credentials"],
    )
    .await;
    server.fail(|_| Fault::Status(503));
    let mut hasty = config;
    hasty.s3.give_up_after = Duration::from_millis(300);
    check_error(
        &cluster,
        "s3://tripdata",
        hasty,
        expect!["cannot use s3://tripdata/: the server answers 503"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_asks_for_credentials_is_read_with_them_and_not_without() {
    let cluster = cluster().await;
    let server = S3Server::start_with(|builder| {
        builder.set_auth(s3s::auth::SimpleAuth::from_single("rider", "secret"));
    })
    .await;
    server.put("x.csv", &test_file("basic.csv"));
    check_error(
        &cluster,
        "s3://tripdata",
        config(&server, None),
        expect!["cannot use s3://tripdata/: no permission (AccessDenied): for a public bucket say --s3-anonymous, else check the credentials"],
    )
    .await;
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
    config.s3.give_up_after = Duration::from_millis(300);
    let result = cluster
        .run(source(""), config.clone(), CancellationToken::new())
        .await;
    assert!(
        matches!(result, Err(ProducerError::Unreachable(_))),
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
