//! A bucket as the source: what lies in it, and what goes wrong on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::error_chain;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use testkit::archives::{city, gzip, shuffled, zip};
use testkit::s3::{Asked, Fault, S3Server};
use trip_files::{FilesConfig, S3Config, Source};

use crate::support::{Rows, read, testdata, try_read};

/// Reads from the server's bucket.
fn config(server: &S3Server) -> FilesConfig {
    FilesConfig {
        s3: S3Config {
            endpoint: Some(server.endpoint()),
            path_style: true,
            anonymous: true,
            silent_after: Duration::from_millis(1_500),
            give_up_after: Duration::from_secs(30),
            ..S3Config::default()
        },
        ..FilesConfig::default()
    }
}

fn source(prefix: &str) -> Source {
    format!("s3://tripdata/{prefix}").parse().unwrap()
}

fn test_file(name: &str) -> Vec<u8> {
    std::fs::read(testdata(name)).unwrap()
}

/// The sources with their rows, and the rejects.
fn check_rows(found: &Rows, expected: Expect) {
    let mut lines: Vec<_> = found.rejects().collect();
    let name = |source: &str| source.split('#').next().unwrap_or_default().to_owned();
    lines.extend(
        found
            .trips()
            .map(|(source, _)| format!("{}: a trip", name(source))),
    );
    lines.sort();
    expected.assert_eq(&lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_packing_are_read_and_what_systems_leave_behind_is_not() {
    let server = S3Server::start().await;
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
    let found = read(source(""), &config(&server)).await;
    assert_eq!((found.len(), found.refused_files), (10, 0));
    check_rows(
        &found,
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
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_of_a_listing_are_read() {
    let server = S3Server::start().await;
    for number in 0..1_001 {
        server.put(&format!("a-{number}.txt"), b"");
    }
    server.put("z.csv", &test_file("basic.csv"));
    server.fail(|_| Fault::None);
    let found = read(source(""), &config(&server)).await;
    assert_eq!(found.len(), 3);
    assert_eq!(
        server.asked_for(""),
        2,
        "a page has a thousand keys at most"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_the_same_source_as_the_file_it_was_made_from() {
    let server = S3Server::start().await;
    let file = read(Source::Path(testdata("basic.csv")), &FilesConfig::default()).await;
    server.put(
        "JC-202001.csv.zip",
        &zip(&[("x.csv", &test_file("basic.csv"))]),
    );
    let object = read(source(""), &config(&server)).await;
    let identity = |rows: &Rows| rows.sources()[0].split_once('#').unwrap().1.to_owned();
    assert_eq!(identity(&object), identity(&file));
    assert_eq!((object.len(), object.contents()), (3, file.contents()));
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_cut_connections_in_one_object_lose_nothing_and_repeat_nothing() {
    let server = S3Server::start().await;
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
    let found = read(source("202606"), &config(&server)).await;
    assert_eq!((found.len(), found.trips().count()), (50_000, 50_000));
    assert!(server.asked_for("202606-trips.csv") > 30);
    found.assert_whole();
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
            let server = S3Server::start().await;
            let text = shuffled(&city("trips=2000,stations=20,bikes=90,days=2,dirty=0.01"));
            match packed {
                true => server.put("a.zip", &zip(&[("x.csv", &text)])),
                false => server.put("x.csv", &text),
            }
            let mut faults = faults.into_iter();
            server.fail(move |_| faults.next().unwrap_or(Fault::None));
            let mut config = config(&server);
            config.s3.silent_after = Duration::from_millis(300);
            let found = read(source(""), &config).await;
            assert_eq!(found.len(), 2_000);
            found.assert_whole();

            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("x.csv"), &text).unwrap();
            let path = Source::Path(folder.path().join("x.csv"));
            let expected = read(path, &FilesConfig::default()).await;
            assert!(found.contents() == expected.contents(), "rows differ");
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slow_but_alive_is_waited_for() {
    let server = S3Server::start().await;
    server.put("x.csv", &city("trips=2000,stations=20,bikes=90,days=2"));
    server.fail(|_| Fault::Slow(Duration::from_millis(50)));
    let found = read(source(""), &config(&server)).await;
    assert_eq!(found.len(), 2_000);
    assert_eq!(server.asked_for("x.csv"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanishes_is_one_reject_and_the_rest_goes_on() {
    let server = S3Server::start().await;
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
    let found = read(source(""), &config(&server)).await;
    assert_eq!(
        (found.len(), found.rejects().count(), found.refused_files),
        (19, 1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_while_it_is_read_is_one_reject() {
    let server = S3Server::start().await;
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
    let found = read(source(""), &config(&server)).await;
    assert_eq!(
        (found.len(), found.rejects().count(), found.refused_files),
        (4, 1, 1)
    );
    check_rows(
        &found,
        expect![[r#"
            a.csv, line 1: file refused: it cannot be read or decompressed: the object was replaced while it was read
            b.csv: a trip
            b.csv: a trip
            b.csv: a trip"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_hostile_archives_are_refused_within_bounds() {
    let server = S3Server::start().await;
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
    let found = read(source(""), &config(&server)).await;
    check_rows(
        &found,
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
    );
}

/// The error of a source that cannot be read.
async fn check_error(source: &str, config: &FilesConfig, expected: Expect) {
    let read = try_read(source.parse().unwrap(), config).await;
    expected.assert_eq(&error_chain(&read.err().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said_with_what_to_do() {
    let server = S3Server::start().await;
    let config = config(&server);
    check_error(
        "s3://trips/x",
        &config,
        expect![
            "cannot use s3://trips/x: the bucket does not exist: check its name and --s3-endpoint"
        ],
    )
    .await;
    check_error(
        "s3://tripdata/2099",
        &config,
        expect!["cannot use s3://tripdata/2099: no .csv, .csv.gz, .zip or .parquet object has a key that begins like this"],
    )
    .await;
    server.fail(|_| Fault::Status(403));
    check_error(
        "s3://tripdata",
        &config,
        expect!["cannot use s3://tripdata/: no permission (status 403): for a public bucket say --s3-anonymous, else check the credentials"],
    )
    .await;
    server.fail(|_| Fault::Status(503));
    let mut hasty = config.clone();
    hasty.s3.give_up_after = Duration::from_millis(300);
    check_error(
        "s3://tripdata",
        &hasty,
        expect!["cannot use s3://tripdata/: the server answers 503"],
    )
    .await;
}
