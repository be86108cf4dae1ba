//! What the page asks costs as much with a year of trips as with a day: no request of a rider reads a table
//! that grows, but for one day of windows where a day of the city is drawn, and a program's reads as many
//! rows of one as it is told.

use std::process::{Command, Stdio};

use testkit::postgres::Database;
use testkit::{Process, free_address, get, wait_until};

use crate::machine::Machine;

/// Tables that grow with each trip or each poll of a feed.
const GROWING: &str = "'^(records|dock_status)_|^(frequency|rejected)$'";

/// Partitions of the embedded broker's topic, each of which has its rows in `frequency`.
const PARTITIONS: i64 = 3;

/// A database with so many days of trips.
async fn loaded(days: u32) -> Database {
    let machine = Machine::new();
    let database = Database::empty().await;
    let mut load = machine.up(&format!("simulate:seed=5,trips=20000,days={days}"));
    machine.finish(load.args(["--once", "--database-url", &database.url()]));
    database.execute("vacuum analyze").await;
    database
}

/// Rows of growing tables that were read one by one, from the first on, and rows found by an index.
async fn rows_read(database: &Database) -> (i64, i64) {
    let sums = format!(
        "select concat_ws(' ', sum(seq_tup_read), sum(coalesce(idx_tup_fetch, 0)))
         from pg_stat_user_tables where relname ~ {GROWING}"
    );
    let sums = database.value(&sums).await;
    let (read, found) = sums.split_once(' ').unwrap();
    (read.parse().unwrap(), found.parse().unwrap())
}

/// Asks a server of the page for each path, until it tells what is expected; then stops it.
async fn ask(database: &Database, paths: &[(&str, &str)]) {
    let page = free_address().to_string();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    serve
        .args(["serve", "--listen", &page])
        .args(["--database-url", &database.url()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let serving = Process::start(&mut serve);
    wait_until("the page is there", async || {
        tokio::net::TcpStream::connect(&page).await.is_ok()
    })
    .await;
    for (path, expected) in paths {
        // A page that was started a moment ago has not read everything yet.
        wait_until(path, async || get(&*page, path).await.contains(expected)).await;
    }
    // A backend tells what it has done when it ends.
    drop(serving);
    let left =
        "select count(*) from pg_stat_activity where application_name like 'bikeshare page%'";
    wait_until("its connections are closed", async || {
        database.value(left).await == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_the_page_reads_a_table_that_grows() {
    let database = loaded(2).await;
    let before = rows_read(&database).await;
    ask(
        &database,
        &[
            ("/", "docks have bikes"),
            ("/?q=1+Park+Avenue", "1 Park Avenue"),
            ("/api/search?q=1+Park+Avenue", "40.74"),
            ("/gbfs/gbfs.json", "station_status"),
            ("/gbfs/3.0/station_status.json", "num_vehicles_available"),
            ("/?dock=3&for=docks", "Today "),
            ("/dock/past?dock=3", "Today "),
            ("/api/suggest?q=1+par", "1 Park Ave"),
            ("/api/past?at=2026-06-01T20:00", "\"docks\":[["),
            ("/api/v1/docks", "\"bikes\":"),
            ("/api/v1/docks?at=2026-06-01T20:00:00Z", "\"bikes\":"),
            ("/api/v1/docks/3/past", "\"since\":"),
            ("/healthz", "HTTP/1.1"),
        ],
    )
    .await;
    let after = rows_read(&database).await;
    assert_eq!(after, before);
    database.execute("select count(bike_id) from records").await;
    wait_until("who reads them all is seen", async || {
        rows_read(&database).await.0 > before.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_the_city_finds_that_days_windows_by_their_key() {
    const WINDOWS_OF_A_DAY: i64 = PARTITIONS * 24 * 3_600 / 5;
    let database = loaded(20).await;
    let before = rows_read(&database).await;
    let path = "/?at=2026-06-10T20:00";
    ask(&database, &[(path, "bikes taken on this day")]).await;
    let after = rows_read(&database).await;
    assert_eq!(
        after.0, before.0,
        "rows that were read from the first one on"
    );
    let found = after.1 - before.1;
    assert!((1..=WINDOWS_OF_A_DAY).contains(&found), "{found} rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_windows_finds_as_many_rows_by_their_key_as_it_tells() {
    const WINDOWS: i64 = 10;
    let database = loaded(2).await;
    let before = rows_read(&database).await;
    let path = format!("/api/v1/windows?from=2026-06-01T12:00:00Z&limit={WINDOWS}");
    ask(&database, &[("/", "docks have bikes"), (&path, "\"next\"")]).await;
    let after = rows_read(&database).await;
    assert_eq!(
        after.0, before.0,
        "rows that were read from the first one on"
    );
    let found = after.1 - before.1;
    // The next window is looked at to tell where to go on, and the one after it to tell its end.
    let expected = WINDOWS..=(WINDOWS + 2) * PARTITIONS;
    assert!(expected.contains(&found), "{found} rows");
}
