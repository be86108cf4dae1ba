//! The past that is stored is what the definition gives, whatever came when.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Availability;
use domain::availability::{BikeEvent, DockCount, DockStatus};
use domain::past::{PackedPeriod, Period};
use domain::{Service, Stock};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::city::{City, Placed, morning, placed, split_behind_ticks, tick, trip};
use crate::support::{Cluster, Database};

type Docks = Vec<(i32, DockCount)>;
type EventRow = (i64, DateTime<Utc>, Option<String>, i32, bool);
type StatusRow = (i64, DateTime<Utc>, i32, i32, bool, Vec<Option<i16>>);

/// All that is stored.
pub(crate) struct Rows {
    events: Vec<BikeEvent>,
    statuses: Vec<DockStatus>,
    periods: Vec<Period>,
}

impl Rows {
    pub(crate) async fn read(database: &Database) -> Self {
        let connection = &mut database.connect().await;
        let events: Vec<EventRow> = sqlx::query_as(
            "select id, time, bike_id, location_id, docked from records where not inferred",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let statuses: Vec<StatusRow> = sqlx::query_as(
            "select id, time, location_id, bikes, missing,
                 array[ebikes, free_docks, capacity, broken_bikes, broken_docks] from dock_status
             where is_installed and is_renting and is_returning",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let periods: Vec<(DateTime<Utc>, DateTime<Utc>, Vec<u8>)> =
            sqlx::query_as("select start_at, end_at, docks from past_period order by start_at")
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        Self {
            events: events.into_iter().map(event).collect(),
            statuses: statuses.into_iter().map(status).collect(),
            periods: periods.into_iter().map(period).collect(),
        }
    }

    /// By the definition: all rows, in order of time, up to the second.
    fn truth(&self, second: i64) -> Docks {
        let mut availability = Availability::default();
        let events = self.events.iter().cloned();
        events.for_each(|event| availability.apply(event));
        let statuses = self.statuses.iter().copied();
        statuses.for_each(|status| availability.apply_status(status));
        availability.advance(DateTime::from_timestamp(second, 0).unwrap());
        let counts = availability.counts().map(|(id, count)| {
            let last_seen = count.last_seen.map(|at| at.timestamp());
            let last_seen = last_seen.and_then(|second| DateTime::from_timestamp(second, 0));
            (id, DockCount { last_seen, ..count })
        });
        let mut counts: Docks = counts.collect();
        counts.sort_by_key(|(id, _)| *id);
        counts
    }

    pub(crate) fn past(&self, second: i64) -> Docks {
        let period = self.periods.iter().rfind(|period| period.start() <= second);
        let docks = period.map(|period| period.at(second));
        docks.unwrap_or_default().into_iter().collect()
    }
}

fn event((id, at, bike_id, location_id, docked): EventRow) -> BikeEvent {
    BikeEvent {
        at,
        id,
        bike_id: bike_id.map(String::into_boxed_str),
        location_id,
        docked,
    }
}

fn status((id, at, location_id, bikes, missing, stock): StatusRow) -> DockStatus {
    let number = |at: usize| stock[at].and_then(|number| u16::try_from(number).ok());
    DockStatus {
        at,
        id,
        location_id,
        bikes,
        service: Service::default(),
        missing,
        stock: Stock::from_numbers(std::array::from_fn(number)),
        last_reported: None,
    }
}

fn period((start, end, bytes): (DateTime<Utc>, DateTime<Utc>, Vec<u8>)) -> Period {
    let packed = PackedPeriod {
        start: start.timestamp(),
        end: end.timestamp(),
        events: 0,
        bytes,
    };
    packed.decode().unwrap()
}

/// At seconds all over the past, and at its ends, the past is the truth; it ends where the page's clock
/// stands.
pub(crate) async fn assert_right(database: &Database) {
    let rows = Rows::read(database).await;
    let stale = "select past_stale_from from availability_checkpoint";
    assert_eq!(database.value(stale).await, "", "the past is stale");
    let (first, last) = (rows.periods.first().unwrap(), rows.periods.last().unwrap());
    let (start, end) = (first.start(), last.end());
    for second in (start - 1..=end).step_by(37).chain([end]) {
        let at = DateTime::from_timestamp(second, 0);
        assert_eq!(rows.past(second), rows.truth(second), "{at:?}");
    }
    let periods = rows.periods.windows(2);
    assert!(
        periods
            .into_iter()
            .all(|pair| pair[0].end() == pair[1].start())
    );
    let clock = "select extract(epoch from date_trunc('second', at))::int8 from replay_clock";
    assert_eq!(database.value(clock).await, end.to_string());
}

fn city(seed: u64, rows: u64) -> Vec<Placed> {
    let city = City {
        seed,
        rows,
        nameless: 0.3,
        ..City::default()
    };
    city.records()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_second_of_a_random_city_is_right_however_often_the_sink_is_killed() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut random = StdRng::seed_from_u64(3);
    let records = city(30, 900);
    for part in records.chunks(records.len() / 6) {
        cluster.produce(part).await;
        let sink = cluster.sink_with(&database, |config| {
            config.checkpoint.0 = random.random_range(1..300);
        });
        tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
        if random.random_bool(0.5) {
            sink.kill().await;
        } else {
            sink.stop().await.unwrap();
        }
    }
    cluster.sink(&database).finish(&cluster).await;
    assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_corrects_the_past_also_when_the_sink_is_killed_meanwhile() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = city(31, 600);
    let (before, after) = split_behind_ticks(&records, 400);
    cluster.produce(before).await;
    let mut sink = cluster.sink(&database);
    sink.past_is_right(&cluster).await;
    // Another file of the same morning, and of the day before.
    let other = city(32, 300);
    cluster.produce(&other).await;
    let yesterday = trip(None, (2, morning() - TimeDelta::days(1)), (3, 9));
    cluster.produce(&[placed("b.csv#1", 0, yesterday)]).await;
    cluster.produce(&tick("b.csv#1", 1, morning())).await;
    sink.drained(&cluster).await;
    sink.kill().await;
    let mut sink = cluster.sink(&database);
    sink.past_is_right(&cluster).await;
    cluster.produce(after).await;
    sink.past_is_right(&cluster).await;
    sink.stop().await.unwrap();
    assert_right(&database).await;
    crate::availability::assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_there_was_a_past_gets_it() {
    let cluster = Cluster::start().await;
    let records = city(33, 500);
    let (before, after) = split_behind_ticks(&records, 300);
    cluster.produce(before).await;
    let database = cluster.drain().await;
    for damage in [
        "truncate past_period",
        "update past_period set docks = '\\x07'",
        "update availability_checkpoint set format = 1000",
        "delete from past_period where start_at = (select max(start_at) from past_period)",
    ] {
        database.execute(damage).await;
        let mut sink = cluster.sink(&database);
        sink.past_is_right(&cluster).await;
        sink.stop().await.unwrap();
        assert_right(&database).await;
    }
    cluster.produce(after).await;
    cluster.sink(&database).finish(&cluster).await;
    assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_deleted_do_not_change_the_past_and_it_goes_on() {
    let cluster = Cluster::start().await;
    let day = |seq: u64| {
        let at = morning() + TimeDelta::hours(30) * i32::try_from(seq).unwrap();
        placed("a.csv#1", seq, trip(Some("7"), (1, at), (2, 5)))
    };
    let records: Vec<_> = (0..6).map(day).collect();
    cluster.produce(&records).await;
    let end = morning() + TimeDelta::days(9);
    cluster.produce(&tick("a.csv#1", 6, end)).await;
    let database = cluster.drain().await;
    let before = Rows::read(&database).await;
    assert!(before.periods.len() > 3);
    let deleted = "delete from records where time < '2020-03-04'";
    database.execute(deleted).await;
    let late = trip(Some("8"), (4, morning() + TimeDelta::days(2)), (5, 5));
    cluster.produce(&[placed("b.csv#1", 0, late)]).await;
    cluster.produce(&tick("b.csv#1", 1, end)).await;
    let mut sink = cluster.sink(&database);
    sink.past_is_right(&cluster).await;
    let later = trip(Some("7"), (2, end + TimeDelta::hours(1)), (3, 5));
    cluster.produce(&[placed("b.csv#1", 2, later)]).await;
    let later = end + TimeDelta::hours(2);
    cluster.produce(&tick("b.csv#1", 3, later)).await;
    sink.finish(&cluster).await;
    let after = Rows::read(&database).await;
    for second in (before.periods[0].start()..end.timestamp()).step_by(9_000) {
        assert_eq!(after.past(second), before.past(second));
    }
    let shown = |rows: &Rows, at: DateTime<Utc>| -> Vec<i32> {
        let docks = rows.past(at.timestamp());
        docks.iter().map(|(_, count)| count.bikes).collect()
    };
    let now = database.lines("select bikes from availability order by location_id");
    let now: Vec<i32> = now
        .await
        .iter()
        .map(|bikes| bikes.parse().unwrap())
        .collect();
    assert_eq!(shown(&after, later), now);
}
