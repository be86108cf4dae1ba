//! What is dropped is in files first, row by row.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use sink::Archive;
use testkit::archives::parquet_lines;
use testkit::s3::{Fault, S3Server};
use trip_files::S3Config;

use crate::audit::broken_laws;
use crate::city::{morning, placed, tick, trip};
use crate::retention::{keep_days, slow_city, wait_for_months};
use crate::support::{Cluster, Database, RunningSink};

const KEPT: [&str; 4] = [
    "records_before",
    "records_y2020m06",
    "records_y2020m07",
    "records_after",
];
const RECORDS: &str =
    "select concat(id, '|', (extract(epoch from time) * 1000000)::bigint, '|', docked, '|',
        station_id, '|', street, '|', latitude, '|', longitude, '|', bike_id, '|', bike_kind, '|',
        inferred, '|', partition, '|', \"offset\") as line
    from records_view where time < '2020-06-01' order by time, id";
const STATUSES: &str = "select concat(id, '|', (extract(epoch from time) * 1000000)::bigint, '|',
        station_id, '|', bikes, '|', ebikes, '|', free_docks, '|', capacity, '|', broken_bikes, '|',
        broken_docks, '|', is_installed, '|', is_renting, '|', is_returning, '|', missing, '|',
        (extract(epoch from last_reported) * 1000000)::bigint) as line
    from dock_status join location using (location_id) where time < '2020-06-01' order by time, id";
const ARCHIVED: &str = "select file, rows from archived_month order by file collate \"C\"";

/// A sink that keeps records for twenty days, and archives the others.
fn archiving(cluster: &Cluster, database: &Database, archive: &Archive) -> RunningSink {
    cluster.sink_with(database, |config| {
        keep_days(config, 20);
        config.archive = Some(archive.clone());
    })
}

fn in_folder(folder: &Path) -> Archive {
    Archive {
        target: folder.to_str().unwrap().parse().unwrap(),
        s3: S3Config::default(),
    }
}

fn lines_of(folder: &Path, table: &str, months: &[&str]) -> Vec<String> {
    let lines = months.iter().flat_map(|month| {
        let file = folder.join(format!("{table}-{month}.parquet"));
        parquet_lines(std::fs::read(file).unwrap())
    });
    lines.collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_in_parquet_row_by_row_when_it_is_dropped() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(45)).await;
    let database = cluster.drain().await;
    let records = database.lines(RECORDS).await;
    let statuses = database.lines(STATUSES).await;

    let folder = tempfile::tempdir().unwrap();
    let sink = archiving(&cluster, &database, &in_folder(folder.path()));
    wait_for_months(&database, &KEPT).await;
    sink.stop().await.unwrap();

    let months = ["2020-03", "2020-04", "2020-05"];
    let archived = lines_of(folder.path(), "records", &months);
    assert_eq!(sorted(archived), sorted(records));
    let archived = lines_of(folder.path(), "dock_status", &months);
    assert_eq!(sorted(archived), sorted(statuses));
    let named = database.lines(ARCHIVED).await;
    let mut found: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(named.len(), found.len());
    found.retain(|file| file.as_ref().unwrap().path().extension().is_none());
    assert!(found.is_empty(), "{found:?}");
    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_takes_nothing_holds_up_the_drop_until_it_does() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(46)).await;
    let database = cluster.drain().await;
    let records = database.lines(RECORDS).await;
    let months = database.value("select count(*) from records_month").await;

    let server = S3Server::start().await;
    server.fail(|_| Fault::Status(503));
    let archive = Archive {
        target: "s3://tripdata/old".parse().unwrap(),
        s3: S3Config {
            endpoint: Some(server.endpoint()),
            path_style: true,
            anonymous: true,
            give_up_after: Duration::from_millis(50),
            ..S3Config::default()
        },
    };
    let sink = archiving(&cluster, &database, &archive);
    testkit::wait_until("it was refused twice", async || {
        server.asked_for("old/records-2020-03.parquet") > 1
    })
    .await;
    let still = database.value("select count(*) from records_month").await;
    assert_eq!(still, months);

    server.fail(|_| Fault::None);
    wait_for_months(&database, &KEPT).await;
    sink.stop().await.unwrap();
    let folder = server.path("old");
    let archived = lines_of(&folder, "records", &["2020-03", "2020-04", "2020-05"]);
    assert_eq!(sorted(archived), sorted(records));
    let files = database.lines(ARCHIVED).await;
    assert!(
        files[0].starts_with("s3://tripdata/old/dock_status-2020-03.parquet "),
        "{files:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_goes_to_a_file_of_its_own() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(47)).await;
    let database = cluster.drain().await;
    let first = database.lines(RECORDS).await;
    let folder = tempfile::tempdir().unwrap();
    let mut sink = archiving(&cluster, &database, &in_folder(folder.path()));
    wait_for_months(&database, &KEPT).await;

    let march = morning() + TimeDelta::days(9);
    let late = placed("late.csv#1", 0, trip(Some("march"), (7, march), (8, 30)));
    cluster.produce(&[late]).await;
    let now = morning() + TimeDelta::days(125);
    cluster.produce(&tick("late.csv#1", 1, now)).await;
    sink.past_is_right(&cluster).await;
    let second = folder.path().join("records-2020-03-2.parquet");
    testkit::wait_until("the late ones are archived", async || second.exists()).await;
    wait_for_months(&database, &KEPT).await;
    sink.stop().await.unwrap();

    let months = ["2020-03", "2020-04", "2020-05"];
    let archived = lines_of(folder.path(), "records", &months);
    assert_eq!(sorted(archived), sorted(first));
    let late = lines_of(folder.path(), "records", &["2020-03-2"]);
    let bikes: Vec<_> = late
        .iter()
        .filter(|line| line.contains("|march|"))
        .collect();
    assert_eq!((late.len(), bikes.len()), (2, 2), "{late:?}");
    let counted =
        "select number, rows from archived_month where file like '%/records-2020-03%' order by 1";
    let first = lines_of(folder.path(), "records", &["2020-03"]).len();
    assert_eq!(
        database.lines(counted).await,
        [format!("{first} 1"), "2 2".to_owned()]
    );
    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);
}
