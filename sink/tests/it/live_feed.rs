//! A live feed's counts are the truth, and what is inferred from them says so.

use std::time::Duration;

use app::{AppConfig, Server};
use chrono::{DateTime, TimeDelta, Utc};
use domain::window::window_start;
use domain::{Body, Inferred, Record, Service, Status, Stock, System};
use expect_test::expect;
use producer::{ProducerConfig, ProducerError, Progress};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::PATIENCE;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::availability::assert_right;
use crate::city::{City, morning, partition, placed, resent, station, tick, trip};
use crate::delivery::WRONG_WINDOWS;
use crate::support::{Cluster, Database};

pub(crate) const FEED: &str = "gbfs:made_up_city";

fn status(
    seq: u64,
    (number, at): (u32, DateTime<Utc>),
    bikes: u32,
    inferred: Option<Inferred>,
) -> (u32, Record) {
    let station = station(number);
    let partition = partition(&station);
    let body = Body::Status(Status {
        station,
        at,
        bikes,
        inferred,
        service: Service::default(),
        stock: Stock::default(),
        last_reported: None,
        missing: false,
    });
    let source = FEED.to_owned();
    (partition, Record { source, seq, body })
}

/// Polls of a feed of six stations, each with the bikes that came and went since the one before.
pub(crate) fn polls(seed: u64, polls: u32) -> Vec<(u32, Record)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut counts = [0_u32; 6].map(|_| random.random_range(0..8));
    let mut now = morning();
    let mut records = Vec::new();
    let mut seq = 0;
    for (number, bikes) in (0..).zip(counts) {
        records.push(status(seq, (number, now), bikes, None));
        seq += 1;
    }
    for _ in 0..polls {
        now += TimeDelta::milliseconds(random.random_range(1_000..60_000));
        for (number, bikes) in (0..).zip(&mut counts) {
            let target = random.random_range(0..8);
            while *bikes != target {
                let inferred = if target < *bikes {
                    *bikes -= 1;
                    Inferred::Departure
                } else {
                    *bikes += 1;
                    Inferred::Arrival
                };
                let mut told = status(seq, (number, now), *bikes, Some(inferred));
                if let Body::Status(status) = &mut told.1.body {
                    let mut some = || random.random_bool(0.8).then(|| random.random_range(0..9));
                    status.stock = Stock::from_numbers([some(), some(), some(), some(), some()]);
                    status.last_reported = some().map(|_| now);
                }
                records.push(told);
                seq += 1;
            }
        }
        records.extend(tick(FEED, seq, now));
    }
    // The last window closes as well.
    let width = TimeDelta::seconds(5);
    records.extend(tick(FEED, seq, window_start(now, width) + width));
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_falls_is_shown_and_is_marked_departures() {
    let cluster = Cluster::start().await;
    let later = morning() + TimeDelta::seconds(62);
    let departure = Some(Inferred::Departure);
    let mut records = vec![
        status(0, (3, morning()), 7, None),
        status(1, (3, later), 6, departure),
        status(2, (3, later), 5, departure),
        status(3, (4, later), 2, Some(Inferred::Arrival)),
    ];
    records.extend(tick(FEED, 4, later + TimeDelta::seconds(5)));
    cluster.produce(&records).await;
    let database = cluster.drain().await;
    let events =
        "select id, time, station_id, docked, inferred, bike_id from records_view order by id";
    expect![[r#"
        1 2020-03-01T05:01:02+00:00 true true 3204
        2050 2020-03-01T05:01:02+00:00 false true 3203
        4098 2020-03-01T05:01:02+00:00 false true 3203"#]]
    .assert_eq(&database.lines(events).await.join("\n"));
    let statuses = "select id, time, station_id, bikes
                    from dock_status join location using (location_id) order by id";
    expect![[r#"
        1 2020-03-01T05:01:02+00:00 2 3204
        2 2020-03-01T05:00:00+00:00 7 3203
        2050 2020-03-01T05:01:02+00:00 6 3203
        4098 2020-03-01T05:01:02+00:00 5 3203"#]]
    .assert_eq(&database.lines(statuses).await.join("\n"));
    expect!["2020-03-01T05:01:00+00:00 2"]
        .assert_eq(&database.value("select * from frequency_view").await);
    let docks =
        "select station_id as a, bikes as b, estimated as c from availability_view order by 1";
    expect![[r#"
        3203 5 false
        3204 2 false"#]]
    .assert_eq(&database.lines(docks).await.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_station_offers_and_when_it_was_seen_is_published() {
    let cluster = Cluster::start().await;
    let minute = |minutes| morning() + TimeDelta::minutes(minutes);
    let with = |(partition, mut record): (u32, Record), change: fn(&mut Status)| {
        if let Body::Status(status) = &mut record.body {
            change(status);
        }
        (partition, record)
    };
    let clocks = System {
        timezone: "Europe/Oslo".to_owned(),
        language: "nb".to_owned(),
    };
    let mut records = vec![
        (
            1,
            Record {
                source: FEED.to_owned(),
                seq: 0,
                body: Body::System(clocks),
            },
        ),
        status(0, (1, minute(0)), 7, None),
        with(status(1, (2, minute(0)), 4, None), |status| {
            status.service.renting = false;
        }),
        status(2, (3, minute(0)), 9, None),
        with(status(3, (3, minute(1)), 9, None), |status| {
            status.missing = true
        }),
        with(status(4, (1, minute(1)), 7, None), |status| {
            status.missing = true
        }),
        status(5, (1, minute(3)), 7, None),
    ];
    records.extend(tick(FEED, 6, minute(4)));
    cluster.produce(&records).await;
    let database = cluster.drain().await;
    let docks = "select station_id as a, bikes as b, is_installed as c, is_renting as d,
                     is_returning as e, last_seen as f from availability_view order by 1";
    expect![[r#"
        3201 7 true true true
        3202 4 true false true
        3203 9 true true true 2020-03-01T05:01:00+00:00"#]]
    .assert_eq(&database.lines(docks).await.join("\n"));
    expect!["Europe/Oslo nb"].assert_eq(
        &database
            .value("select timezone as a, language as b from system")
            .await,
    );
    assert_eq!(database.value("select count(*) from rejected").await, "0");
    assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dock_and_window_is_right_whatever_is_sent_again() {
    for seed in 0..3 {
        let records = polls(seed, 40);
        let cluster = Cluster::start().await;
        cluster.produce(&records).await;
        let plain = cluster.drain().await;
        assert_right(&plain).await;
        assert_eq!(plain.value(WRONG_WINDOWS).await, "0");

        let cluster = Cluster::start().await;
        cluster.produce(&resent(&records, seed)).await;
        let again = cluster.drain().await;
        assert_right(&again).await;
        assert_eq!(again.value(WRONG_WINDOWS).await, "0");
        let counts = "select station_id as a, bikes as b from availability_view order by 1";
        assert_eq!(plain.lines(counts).await, again.lines(counts).await);
        for count in [
            "select count(*) from records where inferred",
            "select count(*) from dock_status",
        ] {
            assert_eq!(plain.value(count).await, again.value(count).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dock_follows_its_trips_until_a_feed_counts_it() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    let shown = async || {
        let docks = "select station_id as a, bikes as b, estimated as c
                     from availability_view where station_id = '3203'";
        database.value(docks).await
    };
    // A nameless bike comes to station 3203: an estimate.
    let nameless = placed("a.csv#1", 0, trip(None, (1, morning()), (3, 1)));
    cluster.produce(&[nameless]).await;
    cluster
        .produce(&tick("a.csv#1", 1, morning() + TimeDelta::minutes(2)))
        .await;
    sink.drained(&cluster).await;
    assert_eq!(shown().await, "3203 1 true");
    // The feed counts it; a trip that the feed has not seen yet changes nothing.
    let counted_at = morning() + TimeDelta::minutes(3);
    let known = placed("a.csv#1", 1, trip(Some("7"), (1, counted_at), (3, 1)));
    cluster
        .produce(&[status(0, (3, counted_at), 9, None), known])
        .await;
    cluster
        .produce(&tick(FEED, 1, morning() + TimeDelta::minutes(5)))
        .await;
    sink.drained(&cluster).await;
    assert_eq!(shown().await, "3203 9 false");
    sink.stop().await.unwrap();
    assert_right(&database).await;

    // A restart without its memory reads statuses and records anew.
    database
        .execute("delete from availability_checkpoint; delete from availability")
        .await;
    let sink = cluster.sink(&database);
    sink.finish(&cluster).await;
    assert_right(&database).await;
}

/// Serves what the database holds until the token is cancelled; gives the feed's address.
pub(crate) async fn serve(database: &Database, stop: &CancellationToken) -> String {
    let config = AppConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: database.url(),
        ..AppConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let address = server.address();
    tokio::spawn(server.run(stop.clone()));
    format!("gbfs:http://{address}/gbfs/gbfs.json")
}

/// Polls the feed until told to stop.
fn poll(
    cluster: &Cluster,
    source: &str,
    stop: CancellationToken,
) -> tokio::task::JoinHandle<Result<producer::Summary, ProducerError>> {
    let source = source.parse().unwrap();
    let cluster = partition_client::Cluster::new(cluster.config(), Duration::from_secs(5));
    tokio::spawn(async move {
        let config = ProducerConfig {
            poll_min: Duration::from_millis(50),
            ..ProducerConfig::default()
        };
        let (progress, _) = watch::channel(Progress::default());
        producer::run(&cluster, source, config, progress, stop).await
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_feed_as_a_source_gives_the_same_counts() {
    let records = City {
        rows: 600,
        ..City::default()
    }
    .records();
    let (before, after) = crate::city::split_behind_ticks(&records, 300);
    let (city, copy) = (Cluster::start().await, Cluster::start().await);
    let (original, copied) = (Database::migrated().await, Database::migrated().await);
    let (mut sink, mut copying_sink) = (city.sink(&original), copy.sink(&copied));
    let stop = CancellationToken::new();

    city.produce(before).await;
    sink.drained(&city).await;
    let feed = serve(&original, &stop).await;
    let polling = poll(&copy, &feed, stop.clone());
    same_counts(&original, &copied).await;

    // What changes in the original comes through the feed as well.
    city.produce(after).await;
    sink.drained(&city).await;
    same_counts(&original, &copied).await;

    // The clock goes on, so that the last window closes in the copy too.
    let (_, last) = records.last().unwrap();
    let Body::Tick(end) = last.body else {
        panic!("a city ends with ticks")
    };
    let later = end + TimeDelta::seconds(10);
    city.produce(&tick(&last.source, last.seq, later)).await;
    sink.drained(&city).await;
    same_counts(&original, &copied).await;
    stop.cancel();
    let summary = polling.await.unwrap().unwrap();
    assert!(
        summary.rows_read > 0 && summary.rejected == 0,
        "{summary:?}"
    );

    copying_sink.drained(&copy).await;
    assert_right(&copied).await;
    assert_eq!(copied.value(WRONG_WINDOWS).await, "0");
    let inferred = copied
        .value("select count(*) from records where inferred")
        .await;
    assert_ne!(inferred, "0", "the counts differed between two polls");
    sink.stop().await.unwrap();
    copying_sink.stop().await.unwrap();
}

/// Docks as a feed can be: with e-bikes and without, closed, without returns, broken, just counted.
fn all_kinds() -> Vec<(u32, Record)> {
    let numbers = [
        (1, 5, [Some(2), Some(12), Some(20), Some(1), Some(2)]),
        (2, 4, [Some(4), Some(8), Some(12), Some(0), Some(0)]),
        (3, 2, [Some(0), Some(6), Some(8), None, None]),
        (4, 0, [Some(0), Some(0), Some(16), Some(15), Some(1)]),
        (5, 6, [None; 5]),
        (6, 3, [None, Some(9), None, None, None]),
    ];
    let mut records = Vec::new();
    for (seq, (number, bikes, stock)) in (0..).zip(numbers) {
        let (partition, mut record) = status(seq, (number, morning()), bikes, None);
        if let Body::Status(status) = &mut record.body {
            status.stock = Stock::from_numbers(stock);
            let said = stock[0].map(|_| morning() - TimeDelta::seconds(i64::from(number)));
            status.last_reported = said;
            status.service = Service {
                installed: number != 3,
                renting: number != 3,
                returning: number != 3 && number != 2,
            };
        }
        records.push((partition, record));
    }
    records.extend(tick(FEED, 6, morning() + TimeDelta::minutes(1)));
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_a_dock_is_in_the_tables_on_the_page_in_our_feed_and_in_its_copy() {
    const DOCKS: &str = "select station_id as a, bikes as b, ebikes as c, free_docks as d, capacity as e,
                             broken_bikes as f, broken_docks as g, is_installed as h, is_renting as i,
                             is_returning as j, last_reported as k
                         from availability_view order by 1";
    let (city, copy) = (Cluster::start().await, Cluster::start().await);
    let (original, copied) = (Database::migrated().await, Database::migrated().await);
    let (mut sink, mut copying_sink) = (city.sink(&original), copy.sink(&copied));
    let stop = CancellationToken::new();
    city.produce(&all_kinds()).await;
    sink.drained(&city).await;
    expect![[r#"
        3201 5 2 12 20 1 2 true true true 2020-03-01T04:59:59+00:00
        3202 4 4 8 12 0 0 true true false 2020-03-01T04:59:58+00:00
        3203 2 0 6 8 false false false 2020-03-01T04:59:57+00:00
        3204 0 0 0 16 15 1 true true true 2020-03-01T04:59:56+00:00
        3205 6 true true true
        3206 3 9 true true true"#]]
    .assert_eq(&original.lines(DOCKS).await.join("\n"));
    let statuses = DOCKS.replace(
        "availability_view",
        "dock_status join location using (location_id)",
    );
    assert_eq!(original.lines(&statuses).await, original.lines(DOCKS).await);

    let feed = serve(&original, &stop).await;
    let address = feed.trim_start_matches("gbfs:http://");
    let (address, _) = address.split_once('/').unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();
    // Of the bikes those at the closed dock cannot be taken.
    let page = testkit::get(address, "/").await;
    for said in [
        "4 of 6 docks have bikes, 18 bikes in all",
        "5 bikes, 2 of them electric · 12 free docks<",
        "<span class=\"broken\">1 broken bike, 2 broken docks<",
        "4 bikes, all electric<",
        "no returns",
        "no bikes to take<",
        "closed",
        "no bikes · no free docks<",
        "15 broken bikes, 1 broken dock<",
        "6 bikes<",
        "3 bikes · 9 free docks<",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let status = testkit::get(address, "/gbfs/3.0/station_status.json").await;
    let stations = status.split("{\"station_id\":").skip(1);
    let mut stations: Vec<_> = stations
        .map(|station| station.trim_end_matches(['}', ',', ']']))
        .collect();
    stations.sort_unstable();
    expect![[r#"
        "3201","num_vehicles_available":5,"vehicle_types_available":[{"vehicle_type_id":"bike","count":3},{"vehicle_type_id":"ebike","count":2}],"num_vehicles_disabled":1,"num_docks_available":12,"num_docks_disabled":2,"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-01T04:59:59Z"
        "3202","num_vehicles_available":4,"vehicle_types_available":[{"vehicle_type_id":"bike","count":0},{"vehicle_type_id":"ebike","count":4}],"num_vehicles_disabled":0,"num_docks_available":8,"num_docks_disabled":0,"is_installed":true,"is_renting":true,"is_returning":false,"last_reported":"2020-03-01T04:59:58Z"
        "3203","num_vehicles_available":2,"vehicle_types_available":[{"vehicle_type_id":"bike","count":2},{"vehicle_type_id":"ebike","count":0}],"num_docks_available":6,"is_installed":false,"is_renting":false,"is_returning":false,"last_reported":"2020-03-01T04:59:57Z"
        "3204","num_vehicles_available":0,"vehicle_types_available":[{"vehicle_type_id":"bike","count":0},{"vehicle_type_id":"ebike","count":0}],"num_vehicles_disabled":15,"num_docks_available":0,"num_docks_disabled":1,"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-01T04:59:56Z"
        "3205","num_vehicles_available":6,"vehicle_types_available":[],"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-01T05:01:00Z"
        "3206","num_vehicles_available":3,"vehicle_types_available":[],"num_docks_available":9,"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-01T05:01:00Z""#]].assert_eq(&stations.join("\n"));

    let polling = poll(&copy, &feed, stop.clone());
    same_counts(&original, &copied).await;
    stop.cancel();
    let summary = polling.await.unwrap().unwrap();
    assert_eq!((summary.rows_read, summary.rejected), (6, 0));
    copying_sink.drained(&copy).await;
    // Where no feed says when a station spoke, ours says when the counts held.
    let spoken = "update availability set last_reported = null where ebikes is null";
    copied.execute(spoken).await;
    assert_eq!(copied.lines(DOCKS).await, original.lines(DOCKS).await);
    sink.stop().await.unwrap();
    copying_sink.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_pollers_of_one_feed_the_newer_one_goes_on_and_every_dock_is_right() {
    let records = City {
        seed: 5,
        rows: 700,
        ..City::default()
    }
    .records();
    let (before, after) = crate::city::split_behind_ticks(&records, 250);
    let (city, copy) = (Cluster::start().await, Cluster::start().await);
    let (original, copied) = (Database::migrated().await, Database::migrated().await);
    let (mut sink, mut copying_sink) = (city.sink(&original), copy.sink(&copied));
    let stop = CancellationToken::new();
    city.produce(before).await;
    sink.drained(&city).await;
    let feed = serve(&original, &stop).await;
    let older = poll(&copy, &feed, stop.clone());
    same_counts(&original, &copied).await;

    // While the city goes on, a second one begins; the first one finds out and ends.
    city.produce(after).await;
    let newer = poll(&copy, &feed, stop.clone());
    let error = older.await.unwrap().unwrap_err();
    assert!(matches!(error, ProducerError::TakenOver { .. }), "{error}");
    sink.drained(&city).await;
    same_counts(&original, &copied).await;
    stop.cancel();
    newer.await.unwrap().unwrap();
    copying_sink.drained(&copy).await;
    assert_right(&copied).await;
    sink.stop().await.unwrap();
    copying_sink.stop().await.unwrap();

    // A cursor that is opened again keeps the newest run only.
    copy.sink(&copied).runs().await;
    let runs = "select count(distinct source) from source_cursor";
    assert_eq!(copied.value(runs).await, "1");
}

/// What two pollers that never find out about each other leave on a topic.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_fenced_poller_sends_moves_no_dock_no_window_and_no_clock() {
    let of_run = |run: u64, records: Vec<(u32, Record)>| {
        let source = format!("{FEED}@{run}-00000000000000aa");
        let named = move |(partition, record): (u32, Record)| {
            let source = source.clone();
            let seq = record.seq + 1;
            (
                partition,
                Record {
                    source,
                    seq,
                    ..record
                },
            )
        };
        records.into_iter().map(named).collect::<Vec<_>>()
    };
    let begin = || tick(FEED, 0, morning());
    let newer = of_run(2, [begin(), polls(11, 30)].concat());
    let older = of_run(1, [begin(), polls(12, 55)].concat());
    let alone = Cluster::start().await;
    alone.produce(&newer).await;
    let alone = alone.drain().await;

    // Both go on at the same ranks with other counts: one by turns, to the older one's end.
    let both = Cluster::start().await;
    let (claim, rest) = newer.split_at(3);
    both.produce(claim).await;
    let turns = older.chunks(40).zip(rest.chunks(25));
    for (older, newer) in turns {
        both.produce(older).await;
        both.produce(newer).await;
    }
    both.produce(&rest[rest.len().min(older.len().div_ceil(40) * 25)..])
        .await;
    both.produce(&older).await;
    let both = both.drain().await;
    assert_right(&both).await;
    assert_eq!(both.value(WRONG_WINDOWS).await, "0");
    for rows in [
        "select station_id as a, bikes as b from availability_view order by 1",
        "select time, station_id, docked from records_view order by 1, 2, 3",
        "select * from frequency_view order by 1",
        "select at from replay_clock",
    ] {
        assert_eq!(both.lines(rows).await, alone.lines(rows).await, "{rows}");
    }
}

/// Waits until both databases show the same bikes at the same docks at the same second.
async fn same_counts(original: &Database, copied: &Database) {
    let clock = "select date_trunc('second', at) from replay_clock";
    let docks = "select station_id as a, street as b, bikes as c from availability_view order by 1";
    let wanted = (original.value(clock).await, original.lines(docks).await);
    assert!(wanted.1.len() > 5, "{wanted:?}");
    let there = async || (copied.value(clock).await, copied.lines(docks).await);
    let started = std::time::Instant::now();
    while there().await != wanted {
        let found = there().await;
        assert!(started.elapsed() < PATIENCE, "{found:#?}, not {wanted:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
