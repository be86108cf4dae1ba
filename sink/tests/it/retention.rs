//! What is dropped because it is old changes nothing that is shown.

use std::time::Duration;

use chrono::{DateTime, Months, TimeDelta, Utc};
use domain::{Body, Record};
use expect_test::expect;
use sink::{Keep, SinkConfig};

use crate::audit::broken_laws;
use crate::city::{City, Placed, morning, placed, split_behind_ticks, tick, trip};
use crate::live_feed::polls;
use crate::past::Rows;
use crate::support::{Cluster, Database, RunningSink};

/// From 2020-03-01 to the beginning of July.
const SPAN: TimeDelta = TimeDelta::days(125);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTHS: &str = "select name from records_month order by start_at";

/// A slow city and the feed of some of its docks, over four months; in order of time.
pub(crate) fn slow_city(seed: u64) -> Vec<Placed> {
    let trips = City {
        seed,
        rows: 500,
        nameless: 0.4,
        ..City::default()
    };
    let mut records = stretched(trips.records());
    records.extend(stretched(polls(seed, 60)));
    records.sort_by_key(|(at, _)| *at);
    records.into_iter().map(|(_, placed)| placed).collect()
}

/// The same records from the morning on over [`SPAN`], each with its time, or that of the one before.
fn stretched(records: Vec<Placed>) -> Vec<(DateTime<Utc>, Placed)> {
    let last = records.iter().rev().find_map(|(_, record)| at(record));
    let seconds = (last.unwrap() - morning()).num_seconds();
    let slow = |at: DateTime<Utc>| {
        let micros = (at - morning()).num_microseconds().unwrap();
        let slow = i128::from(micros) * i128::from(SPAN.num_seconds()) / i128::from(seconds);
        morning() + TimeDelta::microseconds(i64::try_from(slow).unwrap())
    };
    let mut newest = morning();
    let slowed = records.into_iter().map(|(partition, mut record)| {
        match &mut record.body {
            Body::Trip(trip) => {
                let lasts = trip.arrived_at - trip.departed_at;
                trip.departed_at = slow(trip.departed_at);
                trip.arrived_at = trip.departed_at + lasts;
            }
            Body::Status(status) => status.at = slow(status.at),
            Body::Tick(at) => *at = slow(*at),
            _ => {}
        }
        newest = at(&record).unwrap_or(newest);
        (newest, (partition, record))
    });
    slowed.collect()
}

fn at(record: &Record) -> Option<DateTime<Utc>> {
    match &record.body {
        Body::Trip(trip) => Some(trip.departed_at),
        Body::Status(status) => Some(status.at),
        Body::Tick(at) => Some(*at),
        _ => None,
    }
}

/// A sink that keeps records for so many days.
fn forgetful(cluster: &Cluster, database: &Database, days: u32) -> RunningSink {
    cluster.sink_with(database, |config| keep_days(config, days))
}

/// Looks for old records all the time.
pub(crate) fn keep_days(config: &mut SinkConfig, days: u32) {
    config.keep.records = Some(DAY * days);
    config.retention_interval = Duration::ZERO;
    config.checkpoint.0 = 40;
}

/// What the page shows, now and then, by station.
async fn shown(database: &Database) -> (Vec<String>, Vec<Vec<(i32, i32)>>) {
    let now = "select station_id, bikes, estimated, ebikes, free_docks, capacity, is_renting
               from availability_view order by station_id";
    let rows = Rows::read(database).await;
    let end = morning() + SPAN;
    let seconds = (morning().timestamp()..end.timestamp()).step_by(40_011);
    let past = seconds.map(|second| {
        let docks = rows.past(second).into_iter();
        docks.map(|(dock, count)| (dock, count.bikes)).collect()
    });
    (database.lines(now).await, past.collect())
}

pub(crate) async fn wait_for_months(database: &Database, expected: &[&str]) {
    testkit::wait_until("the old months are gone", async || {
        database.lines(MONTHS).await == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn docks_windows_and_past_are_the_same_when_old_months_are_gone() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(40)).await;
    let database = cluster.drain().await;
    expect![[r#"
        records_before
        records_y2020m03
        records_y2020m04
        records_y2020m05
        records_y2020m06
        records_y2020m07
        records_after"#]]
    .assert_eq(&database.lines(MONTHS).await.join("\n"));
    let before = shown(&database).await;
    let windows = database
        .lines("select * from frequency order by 1, 2")
        .await;

    let sink = forgetful(&cluster, &database, 20);
    let kept = [
        "records_before",
        "records_y2020m06",
        "records_y2020m07",
        "records_after",
    ];
    wait_for_months(&database, &kept).await;
    sink.stop().await.unwrap();
    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);
    assert_eq!(shown(&database).await, before);
    let left = database
        .lines("select * from frequency order by 1, 2")
        .await;
    assert_eq!(left, windows);

    // Without its memory the sink makes the same of what is left.
    database
        .execute("delete from availability_checkpoint; truncate availability")
        .await;
    let mut sink = cluster.sink(&database);
    sink.past_is_right(&cluster).await;
    sink.stop().await.unwrap();
    assert_eq!(shown(&database).await, before);
    assert_eq!(broken_laws(&database.url()).await, none);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_counts_whether_its_month_is_gone_or_not() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(41)).await;
    let database = Database::migrated().await;
    let mut sink = forgetful(&cluster, &database, 20);
    sink.past_is_right(&cluster).await;
    let kept = [
        "records_before",
        "records_y2020m06",
        "records_y2020m07",
        "records_after",
    ];
    wait_for_months(&database, &kept).await;

    // Three files loaded later: a bike of March, one of June, and one that goes on where it was in March.
    let march = morning() + TimeDelta::days(9);
    let june = morning() + TimeDelta::days(100);
    let end = morning() + Months::new(5);
    let late = [
        placed("late.csv#1", 0, trip(Some("march"), (7, march), (8, 30))),
        placed("late.csv#1", 1, trip(Some("june"), (8, june), (9, 30))),
        placed("late.csv#1", 2, trip(Some("march"), (8, june), (10, 30))),
    ];
    cluster.produce(&late).await;
    cluster.produce(&tick("late.csv#1", 3, end)).await;
    sink.past_is_right(&cluster).await;
    let left = ["records_before", "records_y2020m07", "records_after"];
    wait_for_months(&database, &left).await;
    sink.stop().await.unwrap();

    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);
    let docks = "select station_id, bikes from availability_view where not estimated order by 1";
    let undisturbed = cluster.drain().await;
    assert_eq!(database.lines(docks).await, undisturbed.lines(docks).await);
    let bikes = "select bike_id, time, location_id, docked from baseline_bike
                 where bike_id in ('march', 'june') order by 1";
    assert_eq!(database.lines(bikes).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_and_past_go_when_they_are_old_and_never_before_their_records() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(42)).await;
    let database = cluster.drain().await;
    let before = shown(&database).await;
    let oldest =
        "select (select min(time) from frequency) as a, (select min(end_at) from past_period) as b";
    for (keep, expected) in [
        // Where records stay, so does what is made of them.
        (
            Keep {
                records: None,
                past: Some(DAY),
            },
            "2020-03-01",
        ),
        (
            Keep {
                records: Some(DAY * 60),
                past: Some(DAY),
            },
            "2020-05-0",
        ),
    ] {
        let mut sink = cluster.sink_with(&database, |config| {
            config.keep = keep;
            config.retention_interval = Duration::ZERO;
        });
        sink.drained(&cluster).await;
        let is_done = keep.records.is_none();
        sink.wait_for("it has dropped what is old", |state| {
            is_done || state.availability.rows_dropped > 0
        })
        .await;
        sink.stop().await.unwrap();
        let oldest = database.value(oldest).await;
        assert!(oldest.starts_with(expected), "{oldest}");
    }
    assert_eq!(shown(&database).await.0, before.0);
    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_dropped_that_the_checkpoint_has_not() {
    let cluster = Cluster::start().await;
    cluster.produce(&slow_city(43)).await;
    let database = cluster.drain().await;
    let drop = "select waits_for from drop_month('2020-06-15')";
    for (damage, reason) in [
        (
            "update availability_checkpoint set next_offsets = jsonb_set(next_offsets, '{1}', '3')",
            "the availability's next checkpoint",
        ),
        (
            "update availability_checkpoint set clock = '2020-03-31 23:59:59Z'",
            "the availability's next checkpoint",
        ),
        (
            "update availability_checkpoint set past_stale_from = '2020-03-05'",
            "the past, which is made anew",
        ),
        (
            "delete from availability_checkpoint",
            "the availability's next checkpoint",
        ),
    ] {
        let held = "create table held as select * from availability_checkpoint";
        database.execute(&format!("{held}; {damage}")).await;
        assert_eq!(database.value(drop).await, reason, "{damage}");
        database
            .execute(
                "delete from availability_checkpoint;
                 insert into availability_checkpoint select * from held; drop table held",
            )
            .await;
    }
    for month in ["03", "04", "05"] {
        let dropped = database
            .value("select name from drop_month('2020-06-15')")
            .await;
        assert_eq!(dropped, format!("records_y2020m{month}"));
    }
    let nothing = "select name is null from drop_month('2020-06-15')";
    assert_eq!(database.value(nothing).await, "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_old_records_holds_up_their_drop_and_nothing_else() {
    let cluster = Cluster::start().await;
    let records = slow_city(44);
    let (before, after) = split_behind_ticks(&records, records.len() * 3 / 4);
    cluster.produce(before).await;
    let database = Database::migrated().await;
    let mut reader = database.connect().await;
    let reading = "begin; select count(*) from records";
    sqlx::raw_sql(reading).execute(&mut reader).await.unwrap();

    let mut sink = forgetful(&cluster, &database, 20);
    sink.drained(&cluster).await;
    let tries = "select count(*) from pg_stat_activity where application_name like '%retention'
                     and wait_event_type = 'Lock'";
    testkit::wait_until("it waits for the reader", async || {
        database.value(tries).await != "0"
    })
    .await;
    cluster.produce(after).await;
    sink.past_is_right(&cluster).await;
    let march = "select count(*) from records where time < '2020-04-01'";
    assert_ne!(database.value(march).await, "0");

    drop(reader);
    let kept = [
        "records_before",
        "records_y2020m06",
        "records_y2020m07",
        "records_after",
    ];
    wait_for_months(&database, &kept).await;
    sink.stop().await.unwrap();
    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);
}
