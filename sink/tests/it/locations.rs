//! A dock is where it is now, and an event where it happened.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Body, Record, Service, Station, Status, Stock, Trip};
use expect_test::{Expect, expect};
use testkit::wait_until;
use tokio_util::sync::CancellationToken;

use crate::city::{City, Placed, partition, placed, tick, wandering};
use crate::live_feed::{FEED, serve};
use crate::support::{Cluster, Database};

/// What `location` says, and what the page and the feed show.
const SHOWN: &str = "select l.station_id as a, l.street as b, l.latitude as c, l.longitude as d,
    a.bikes as e from location l left join availability a using (location_id) order by 1";
/// Where each event happened.
const EVENTS: &str = "select time as a, station_id as b, street as c, latitude as d
    from records_view order by time";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn station(number: u32, street: &str, (lat, lon): (f64, f64)) -> Station {
    Station {
        station_id: number.to_string(),
        street: street.to_owned(),
        lat,
        lon,
    }
}

fn ride(source: &str, seq: u64, departed_at: &str, from: &Station, to: &Station) -> Placed {
    let trip = Trip {
        bike_id: Some("15822".to_owned()),
        departed_at: at(departed_at),
        from: from.clone(),
        arrived_at: at(departed_at) + TimeDelta::minutes(9),
        to: to.clone(),
        rider: None,
        bike_kind: None,
    };
    placed(source, seq, trip)
}

fn depot() -> Station {
    station(279, "Sands St Gallery", (40.6995, -73.9803))
}

/// Where the number of the gallery was used again.
fn pier() -> Station {
    station(279, "Peck Slip Pier", (40.7078, -74.0016))
}

fn bridge() -> Station {
    station(540, "Bridge & York", (40.7013, -73.9866))
}

async fn check(database: &Database, query: &str, expected: Expect) {
    expected.assert_eq(&database.lines(query).await.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dock_is_where_its_newest_event_saw_it_and_old_events_stay_where_they_happened() {
    let cluster = Cluster::start().await;
    let first = "2014-03-01T13:00:00Z";
    let last = "2018-07-03T21:48:00Z";
    let records = [
        ride("a.csv#1", 0, first, &depot(), &bridge()),
        ride("a.csv#1", 1, "2014-03-01T15:00:00Z", &bridge(), &depot()),
        // It arrives when the clock has stopped, and yet it was there.
        ride("b.csv#2", 0, last, &bridge(), &pier()),
    ];
    cluster.produce(&records).await;
    cluster.produce(&tick("b.csv#2", 1, at(last))).await;
    let database = cluster.drain().await;
    check(
        &database,
        SHOWN,
        expect![[r#"
            279 Peck Slip Pier 40.7078 -74.0016 0
            540 Bridge & York 40.7013 -73.9866 0"#]],
    )
    .await;
    check(
        &database,
        EVENTS,
        expect![[r#"
            2014-03-01T13:00:00+00:00 279 Sands St Gallery 40.6995
            2014-03-01T13:09:00+00:00 540 Bridge & York 40.7013
            2014-03-01T15:00:00+00:00 540 Bridge & York 40.7013
            2014-03-01T15:09:00+00:00 279 Sands St Gallery 40.6995
            2018-07-03T21:48:00+00:00 540 Bridge & York 40.7013
            2018-07-03T21:57:00+00:00 279 Peck Slip Pier 40.7078"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_file_that_is_loaded_later_moves_no_dock_back() {
    let cluster = Cluster::start().await;
    let (newer, older) = ("2018-07-03T21:48:00Z", "2014-03-01T13:00:00Z");
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    for (source, departed_at, there) in [("b.csv#2", newer, pier()), ("a.csv#1", older, depot())] {
        let rides = [
            ride(source, 0, departed_at, &bridge(), &there),
            ride(source, 1, departed_at, &there, &bridge()),
        ];
        cluster.produce(&rides).await;
        cluster.produce(&tick(source, 2, at(newer))).await;
        sink.drained(&cluster).await;
    }
    sink.stop().await.unwrap();
    let name = "select street from location where station_id = '279'";
    assert_eq!(database.value(name).await, "Peck Slip Pier");
    let streets = "select time as a, street as b from records_view where station_id = '279'
                   order by time, id";
    check(
        &database,
        streets,
        expect![[r#"
            2014-03-01T13:00:00+00:00 Sands St Gallery
            2014-03-01T13:09:00+00:00 Sands St Gallery
            2018-07-03T21:48:00+00:00 Peck Slip Pier
            2018-07-03T21:57:00+00:00 Peck Slip Pier"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_that_came_back_is_there_though_another_partition_saw_it_elsewhere_last() {
    let cluster = Cluster::start().await;
    let home = station(544, "Court St & Dean St", (40.6889, -73.9926));
    let away = station(544, "Court St (works)", (40.6906, -73.9920));
    let other = station(547, "Smith St", (40.6880, -73.9901));
    assert_ne!(partition(&home), partition(&other));
    let last = "2019-05-03T12:00:00Z";
    let records = [
        ride("a.csv#1", 0, "2019-05-01T12:00:00Z", &home, &home),
        ride("a.csv#1", 1, "2019-05-02T12:00:00Z", &other, &away),
        ride("a.csv#1", 2, last, &home, &home),
    ];
    cluster.produce(&records).await;
    cluster.produce(&tick("a.csv#1", 3, at(last))).await;
    let database = cluster.drain().await;
    let name = "select street from location where station_id = '544'";
    assert_eq!(database.value(name).await, "Court St & Dean St");
    check(
        &database,
        "select street as a, since as b, until as c from location_history_view
         where station_id = '544' order by partition",
        expect![[r#"
            Court St & Dean St -infinity infinity
            Court St (works) -infinity infinity"#]],
    )
    .await;
    let works = "select count(*) from records_view where street = 'Court St (works)'";
    assert_eq!(database.value(works).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_differ_by_some_metres_are_no_move() {
    let cluster = Cluster::start().await;
    let start = at("2022-09-01T12:00:00Z");
    let records: Vec<_> = (0..60)
        .map(|seq: u32| {
            // Up to 20 m north or south, as bikes tell where they are themselves.
            let metres = f64::from(seq * 17 % 41) - 20.0;
            let jittered = station(
                544,
                "Court St & Dean St",
                (40.6889 + metres / 111_195.0, -73.9926),
            );
            let departed_at = (start + TimeDelta::minutes(i64::from(seq))).to_rfc3339();
            ride(
                "n.csv#1",
                u64::from(seq),
                &departed_at,
                &jittered,
                &bridge(),
            )
        })
        .collect();
    cluster.produce(&records).await;
    let end = start + TimeDelta::hours(1);
    cluster.produce(&tick("n.csv#1", 60, end)).await;
    let database = cluster.drain().await;
    let rows = "select count(*) from location_history";
    // One for each station of a partition: both are in the partition of the first.
    assert_eq!(database.value(rows).await, "2");
    let places = "select count(distinct latitude) from records_view where station_id = '544'";
    assert_eq!(database.value(places).await, "1");
}

fn counted(seq: u64, station: &Station, when: &str) -> Placed {
    let body = Body::Status(Status {
        station: station.clone(),
        at: at(when),
        bikes: 5,
        inferred: None,
        service: Service::default(),
        stock: Stock::default(),
        last_reported: None,
        missing: false,
    });
    let source = FEED.to_owned();
    (partition(station), Record { source, seq, body })
}

/// The answer of the feed's server to a GET.
async fn get(feed: &str, path: &str) -> String {
    let address = feed.strip_prefix("gbfs:http://").unwrap();
    testkit::get(address.split('/').next().unwrap(), path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_that_a_feed_renames_and_moves_is_told_though_its_count_is_the_same() {
    let (cluster, database) = (Cluster::start().await, Database::migrated().await);
    let mut sink = cluster.sink(&database);
    let station_before = station(5_120, "Quai du Havre", (49.4390, 1.0840));
    let renamed = station(5_120, "Quai du Havre (travaux)", (49.4302, 1.0755));
    let other = station(5_122, "Place Cauchoise", (49.4450, 1.0850));
    let (before, after) = ("2025-02-28T09:10:00Z", "2025-02-28T09:11:00Z");
    let first = [
        counted(0, &station_before, before),
        counted(1, &other, before),
    ];
    cluster.produce(&first).await;
    cluster.produce(&tick(FEED, 2, at(before))).await;
    sink.drained(&cluster).await;
    let stop = CancellationToken::new();
    let feed = serve(&database, &stop).await;
    assert!(get(&feed, "/").await.contains("Quai du Havre<"));
    let versions = "select version from availability_view order by station_id";
    let versions_before = database.lines(versions).await;

    cluster.produce(&[counted(2, &renamed, after)]).await;
    cluster.produce(&tick(FEED, 3, at(after))).await;
    sink.drained(&cluster).await;
    let versions_after = database.lines(versions).await;
    assert_ne!(
        versions_after[0], versions_before[0],
        "open pages must hear of it"
    );
    assert_eq!(versions_after[1], versions_before[1]);
    check(
        &database,
        SHOWN,
        expect![[r#"
            5120 Quai du Havre (travaux) 49.4302 1.0755 5
            5122 Place Cauchoise 49.445 1.085 5"#]],
    )
    .await;
    let information = "/gbfs/3.0/station_information.json";
    let there = async || {
        let answer = get(&feed, information).await;
        answer.contains(r#""lat":49.4302,"lon":1.0755"#)
            && answer.contains(r#""last_updated":"2025-02-28T09:11:00Z""#)
    };
    wait_until("the feed has the new place", there).await;
    assert!(get(&feed, "/").await.contains("Quai du Havre (travaux)"));
    stop.cancel();
    sink.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_was_lost_finds_the_newest_locations_again() {
    let cluster = Cluster::start().await;
    let city = City {
        rows: 300,
        ..City::default()
    };
    cluster.produce(&wandering(city.records())).await;
    let database = cluster.drain().await;
    let right = database.digest().await;
    database
        .execute(
            "delete from availability_checkpoint;
             update location set street = 'anything', latitude = 0, longitude = 0",
        )
        .await;
    cluster.sink(&database).finish(&cluster).await;
    assert_eq!(database.digest().await, right);
}
