//! What is on the topic is in the tables: all of it, once.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{BikeKind, Body, Record, Trip};
use expect_test::expect;

use crate::city::{City, morning, placed, rejects, resent, tick, trip, trips};
use crate::support::{Cluster, Database, STREAMS};

/// Windows that differ from what `records` say.
pub(crate) const WRONG_WINDOWS: &str = "
    with there as (select time, sum(amount) as amount from frequency group by time),
        due as (select date_bin('5 seconds', time, 'epoch') as time, count(*) as amount
                from records where not docked group by 1)
    select count(*) from there full join due using (time)
    where there.amount is distinct from due.amount";

pub(crate) async fn assert_complete(database: &Database, records: &[(u32, Record)]) {
    let count = async |query: &str| database.value(query).await.parse::<usize>().unwrap();
    assert_eq!(
        count("select count(*) from records").await,
        2 * trips(records)
    );
    assert_eq!(
        count("select count(*) from records where docked").await,
        trips(records)
    );
    assert_eq!(
        count("select count(*) from rejected").await,
        rejects(records)
    );
    assert_eq!(
        count(WRONG_WINDOWS).await,
        0,
        "frequency is not what records give"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trip_becomes_a_departure_an_arrival_and_part_of_a_window() {
    let cluster = Cluster::start().await;
    let records = City::default().records();
    cluster.produce(&records).await;
    let database = cluster.drain().await;
    assert_complete(&database, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_of_bike_is_kept_where_a_trip_says_it() {
    let cluster = Cluster::start().await;
    let kinds = [
        None,
        Some(BikeKind::Classic),
        Some(BikeKind::Electric),
        Some(BikeKind::Docked),
    ];
    let mut records = Vec::new();
    for (seq, bike_kind) in (0..).zip(kinds) {
        let at = morning() + TimeDelta::seconds(i64::try_from(seq).unwrap());
        let trip = trip(None, (3, at), (4, 1));
        records.push(placed("a.csv#1", seq, Trip { bike_kind, ..trip }));
    }
    records.extend(tick("a.csv#1", 4, morning() + TimeDelta::minutes(2)));
    cluster.produce(&records).await;
    let database = cluster.drain().await;
    let kinds = "select time as a, docked as b, bike_kind as c from records_view order by id";
    expect![[r#"
        2020-03-01T05:00:00+00:00 false
        2020-03-01T05:01:00+00:00 true
        2020-03-01T05:00:01+00:00 false classic
        2020-03-01T05:01:01+00:00 true classic
        2020-03-01T05:00:02+00:00 false electric
        2020-03-01T05:01:02+00:00 true electric
        2020-03-01T05:00:03+00:00 false docked
        2020-03-01T05:01:03+00:00 true docked"#]]
    .assert_eq(&database.lines(kinds).await.join("\n"));
    // As many bytes a row as before, one more where it is known.
    let widths =
        "select bike_kind as a, pg_column_size(r) as b from records r group by 1, 2 order by 1";
    expect![[r#"
        c 47
        d 47
        e 47
        46"#]]
    .assert_eq(&database.lines(widths).await.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trip_in_the_tables() {
    let cluster = Cluster::start().await;
    let at = morning() + TimeDelta::milliseconds(7_088);
    let mut records = vec![placed("a.csv#1", 0, trip(Some("42381"), (3, at), (4, 6)))];
    records.extend(tick("a.csv#1", 1, morning() + TimeDelta::seconds(10)));
    cluster.produce(&records).await;
    let database = cluster.drain().await;
    let events = "select id, time, bike_id, station_id, street, docked, latitude, longitude
                  from records_view order by id";
    expect![[r#"
        2 2020-03-01T05:00:07.088+00:00 false 3 Av & E 3 St 42381 40.73 -74.03 3203
        3 2020-03-01T05:06:07.088+00:00 true 4 Av & E 4 St 42381 40.74 -74.04 3204"#]]
    .assert_eq(&database.lines(events).await.join("\n"));
    expect!["2020-03-01T05:00:05+00:00 1"]
        .assert_eq(&database.value("select * from frequency_view").await);
    // The bike is on its way at the clock, 05:00:10; the arrival is not due yet.
    expect!["2020-03-01T05:00:10+00:00"]
        .assert_eq(&database.value("select at from replay_clock").await);
    expect![[r#"3203 0 false"#]].assert_eq(
        &database
            .value("select station_id as a, bikes as b, estimated as c from availability_view")
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reject_is_kept_with_its_reason_and_place() {
    let cluster = Cluster::start().await;
    let reject = domain::Reject::new("a.csv", 19, "arrival \"\" is blank", "1,\0,2");
    let body = Body::Reject(reject);
    cluster
        .produce(&[(
            0,
            Record {
                source: "a.csv#1".into(),
                seq: 0,
                body,
            },
        )])
        .await;
    cluster.produce_bytes([(1, b"hello".to_vec())]).await;
    cluster.produce(&tick("a.csv#1", 1, morning())).await;
    let database = cluster.drain().await;
    let rows = "select id as a, file as b, line as c, reason as d, row as e, source as f
                from rejected order by id";
    expect![[r#"
        0 a.csv 19 arrival "" is blank 1,�,2 a.csv#1
        2 offset 0 1 not a record of topic trips: expected value at line 1 column 1 hello "#]]
    .assert_eq(&database.lines(rows).await.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resent_record_is_dropped_and_counted() {
    let cluster = Cluster::start().await;
    let records = City::default().records();
    let sent = resent(&records, 2);
    let rows = |records| trips(records) + rejects(records);
    let again = rows(&sent) - rows(&records);
    assert!(again > 100, "the test resends nothing");
    cluster.produce(&sent).await;
    let database = cluster.drain().await;
    assert_complete(&database, &records).await;
    let duplicates = "select sum(duplicates) from stream_cursor where module = 'trip-split'";
    assert_eq!(database.value(duplicates).await, again.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_sent_again_under_another_name_adds_no_event() {
    let cluster = Cluster::start().await;
    let trip = trip(Some("1"), (3, morning()), (4, 6));
    cluster
        .produce(&[
            placed("a.csv#1", 0, trip.clone()),
            placed("b.csv#1", 0, trip),
        ])
        .await;
    cluster
        .produce(&tick("b.csv#1", 1, morning() + TimeDelta::seconds(5)))
        .await;
    let database = cluster.drain().await;
    assert_eq!(database.value("select count(*) from records").await, "2");
    let departures = "select sum(amount) from frequency";
    assert_eq!(database.value(departures).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_departure_corrects_its_window_is_counted_and_turns_no_clock_back() {
    let cluster = Cluster::start().await;
    let records = City {
        rows: 300,
        ..City::default()
    }
    .records();
    cluster.produce(&records).await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    sink.drained(&cluster).await;
    let clocks = "select watermark from stream_cursor union all select at from replay_clock
         order by 1";
    let clocks_before = database.lines(clocks).await;
    // A second file, of the same morning, comes when its windows have closed long ago: one window
    // that has a row already, and one before the first.
    let mut late = vec![
        placed(
            "late.csv#2",
            0,
            trip(Some("1"), (1, morning() - TimeDelta::hours(1)), (4, 6)),
        ),
        placed("late.csv#2", 1, trip(Some("2"), (1, morning()), (4, 6))),
    ];
    late.extend(tick("late.csv#2", 2, morning()));
    cluster.produce(&late).await;
    sink.drained(&cluster).await;
    let state = sink.stop().await.unwrap();
    assert_eq!(
        state
            .streams
            .values()
            .map(|stream| stream.late_events)
            .sum::<u64>(),
        2
    );
    let all: Vec<_> = records.into_iter().chain(late).collect();
    assert_complete(&database, &all).await;
    assert_eq!(
        database
            .value("select sum(late_events) from stream_cursor")
            .await,
        "2"
    );
    assert_eq!(database.lines(clocks).await, clocks_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_goes_on_where_it_stopped() {
    let cluster = Cluster::start().await;
    let records = City::default().records();
    let (before, after) = records.split_at(400);
    cluster.produce(before).await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    // Not drained: the windows of the last records are still open, their state is in the cursor.
    let ends = cluster.log_ends().await;
    let stored = |state: &sink::SinkState| {
        ends.iter()
            .all(|(p, end)| state.streams[&(*p, sink::Module::TripSplit)].next_offset == *end)
    };
    sink.wait_for("all records are stored and shown", |state| {
        let shown = || state.clock().is_some() && state.clock() == state.availability.clock;
        state.streams.len() == STREAMS && stored(state) && shown()
    })
    .await;
    sink.stop().await.unwrap();
    cluster.produce(after).await;
    let mut sink = cluster.sink(&database);
    sink.drained(&cluster).await;
    let state = sink.stop().await.unwrap();
    assert_complete(&database, &records).await;
    let events = state.availability.events;
    assert!(
        events < 2 * trips(&records) as u64,
        "the checkpoint was not used: {events} events"
    );
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reopening_the_stream_at_every_response_changes_nothing() {
    let cluster = Cluster::start().await;
    cluster
        .produce(&resent(&City::default().records(), 3))
        .await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink_with(&database, |config| {
        config.stream_bytes_max = 1;
        // Several answers are needed: one holds no more than this.
        config.fetch_bytes_max = 60_000;
    });
    sink.drained(&cluster).await;
    let state = sink.stop().await.unwrap();
    let opened = state
        .streams
        .values()
        .map(|stream| stream.opened)
        .sum::<u64>();
    assert!(
        opened > 2 * STREAMS as u64,
        "streams were opened {opened} times only"
    );
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_transactions_give_the_same_tables() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let sink = cluster.sink_with(&database, |config| {
        config.batch_rows_max = 1;
        config.linger = Duration::ZERO;
    });
    // Record by record while the sink runs, so that answers are small as well.
    let records = City {
        rows: 300,
        ..City::default()
    }
    .records();
    for part in records.chunks(7) {
        cluster.produce(part).await;
    }
    sink.finish(&cluster).await;
    cluster.assert_undisturbed(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_too_small_for_a_batch_is_requested_again_larger() {
    let cluster = Cluster::start().await;
    let records = City {
        // Windows may be silent about fewer records than one in 1,024.
        rows: 3_000,
        ..City::default()
    }
    .records();
    cluster.produce(&records).await;
    let database = Database::migrated().await;
    // No stored batch gives so little output: the broker skips them all in silence.
    let sink = cluster.sink_with(&database, |config| {
        config.fetch_bytes_max = 500;
        config.silence_max = Duration::from_millis(300);
    });
    sink.finish(&cluster).await;
    assert_complete(&database, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_a_batch_that_did_not_fit_into_a_response_are_not_lost() {
    let cluster = Cluster::start().await;
    let records = City {
        rows: 3_000,
        ..City::default()
    }
    .records();
    cluster.produce_in_batches(&records, 8_192).await;
    let database = Database::migrated().await;
    // Room for the windows of one or two batches: the next one is run, dropped and run again.
    let mut sink = cluster.sink_with(&database, |config| config.fetch_bytes_max = 40_000);
    sink.drained(&cluster).await;
    let state = sink.stop().await.unwrap();
    assert_complete(&database, &records).await;
    let opened = state.streams.values().map(|stream| stream.opened);
    assert_eq!(opened.max(), Some(1), "no stream had to be opened again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_ends_without_a_tick_drains_too() {
    let cluster = Cluster::start().await;
    let records = City {
        rows: 100,
        ..City::default()
    }
    .records();
    let (before, _) = records.split_at(95);
    cluster.produce(before).await;
    let database = Database::migrated().await;
    // The last windows stay open: their module has nothing to say about the last records.
    let sink = cluster.sink_with(&database, |config| {
        config.silence_max = Duration::from_millis(500);
    });
    sink.finish(&cluster).await;
    assert_eq!(
        database.value("select count(*) from records").await,
        (2 * trips(before)).to_string()
    );
}
