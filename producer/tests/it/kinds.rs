//! What a feed says of a dock beside the number of its bikes, onto the topic.

use domain::{Body, Service, Status, Stock};
use expect_test::expect;

use crate::feed::{FeedServer, Play, polls, recorded};
use crate::support::{Cluster, cluster};

/// Statuses and rejects in the order they were sent.
async fn lines(cluster: &Cluster, server: &FeedServer) -> String {
    let stored = cluster.stored().await;
    let mut records: Vec<_> = stored.into_iter().flatten().collect();
    records.sort_by_key(|stored| stored.record.seq);
    let line = |body: &Body| match body {
        Body::Status(status) => Some(status_line(status)),
        Body::Reject(reject) => {
            let (file, line, reason) = (&reject.file, reject.line, &reject.reason);
            Some(format!("{file}:{line}: {reason}"))
        }
        _ => None,
    };
    let lines: Vec<_> = records
        .iter()
        .filter_map(|stored| line(&stored.record.body))
        .collect();
    server.readable(&lines.join("\n"))
}

fn status_line(status: &Status) -> String {
    let Stock {
        ebikes,
        free_docks,
        capacity,
        broken_bikes,
        broken_docks,
    } = status.stock;
    let show =
        |number: Option<u16>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let [ebikes, free, capacity, bad_bikes, bad_docks] =
        [ebikes, free_docks, capacity, broken_bikes, broken_docks].map(show);
    let Service {
        installed,
        renting,
        returning,
    } = status.service;
    let flags = match (installed, renting, returning) {
        (true, true, true) => "",
        (true, true, false) => ", no returns",
        (true, false, true) => ", returns only",
        _ => ", closed",
    };
    let said = status
        .last_reported
        .map(|at| format!(", said {}", at.format("%T")));
    let (id, bikes) = (&status.station.station_id, status.bikes);
    format!(
        "{id}: {bikes} bikes, {ebikes} electric, {bad_bikes} broken; {capacity} docks, {free} free, \
         {bad_docks} broken{flags}{}",
        said.unwrap_or_default()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bikes_by_kind_free_docks_and_what_is_broken_reach_the_topic_in_both_generations() {
    for folder in ["kinds-2.3", "kinds-3.0"] {
        let cluster = cluster().await;
        let plays = [1, 2]
            .map(|poll| Play::Text(recorded(&format!("{folder}/station_status-{poll}.json"))));
        let server = FeedServer::start(folder, &plays).await;
        let summary = cluster.produce(server.source(), polls(Some(2))).await;
        assert_eq!(summary.rows_read, summary.produced + summary.rejected);
        let lines = lines(&cluster, &server)
            .await
            .replace("num_vehicles_", "num_bikes_");
        expect![[r#"
            http://feed/station_information.json:5: capacity is no whole number from 0 to 1000: left out
            http://feed/station_status.json:5: vehicle_types_available is not what num_bikes_available says
            http://feed/station_status.json:5: num_ebikes_available is above the number of bikes: all are e-bikes
            http://feed/station_status.json:5: num_docks_available is no whole number from 0 to 1000: left out
            K1: 5 bikes, 2 electric, 1 broken; 20 docks, 12 free, 2 broken, said 11:59:00
            K2: 2 bikes, 1 electric, 0 broken; 10 docks, 5 free, 0 broken, said 11:59:10
            K3: 2 bikes, 0 electric, 0 broken; 8 docks, 6 free, 0 broken, closed
            K4: 4 bikes, 4 electric, 0 broken; 12 docks, 8 free, 0 broken, no returns, said 11:59:20
            K5: 3 bikes, 3 electric, 0 broken; ? docks, ? free, 0 broken, said 11:59:30
            K6: 6 bikes, 2 electric, 1 broken; 16 docks, 9 free, 0 broken, returns only, said 11:59:40
            K7: 6 bikes, ? electric, ? broken; ? docks, ? free, ? broken
            K1: 4 bikes, 1 electric, 1 broken; 20 docks, 13 free, 2 broken, said 12:00:40
            K2: 2 bikes, 1 electric, 0 broken; 10 docks, 6 free, 0 broken, said 12:00:50
            K4: 4 bikes, 3 electric, 0 broken; 12 docks, 8 free, 0 broken, no returns, said 11:59:20"#]].assert_eq(&lines);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_vehicles_that_cannot_be_read_leave_all_of_them_bikes_and_are_told_once() {
    let cluster = cluster().await;
    let plays =
        [1, 2].map(|poll| Play::Text(recorded(&format!("kinds-2.3/station_status-{poll}.json"))));
    let stations =
        recorded("kinds-2.3/station_information.json").replace(r#""ttl": 60"#, r#""ttl": 0"#);
    let instead = [
        ("vehicle_types.json", Play::File("bad/web-page.html")),
        ("station_information.json", Play::Text(stations)),
    ];
    let server = FeedServer::start_with("kinds-2.3", &plays, &instead).await;
    cluster.produce(server.source(), polls(Some(3))).await;
    assert!(server.asked("/vehicle_types.json").len() > 1);
    let lines = lines(&cluster, &server).await;
    let told = lines
        .lines()
        .filter(|line| line.contains("vehicle_types.json") || line.starts_with("K2"));
    expect![[r#"
        http://feed/vehicle_types.json:1: not JSON, it begins with "<!DOCTYPE html>\n<html><body>We will be back soon</body></htm": expected value at line 1 column 1
        K2: 5 bikes, ? electric, 0 broken; 10 docks, 5 free, 0 broken, said 11:59:10
        K2: 4 bikes, ? electric, 0 broken; 10 docks, 6 free, 0 broken, said 12:00:50"#]].assert_eq(&told.collect::<Vec<_>>().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_asked_again_for_the_types_of_vehicles_before_anything_is_counted() {
    let cluster = cluster().await;
    let plays = [Play::Text(recorded("kinds-2.3/station_status-1.json"))];
    let instead = [("vehicle_types.json", Play::Busy(1))];
    let server = FeedServer::start_with("kinds-2.3", &plays, &instead).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mending = async {
        server.asked_for("/vehicle_types.json", 1).await;
        server.change(
            "vehicle_types.json",
            recorded("kinds-2.3/vehicle_types.json"),
        );
        server.asked_for_counts(2).await;
        stop.cancel();
    };
    let run = cluster.run(server.source(), polls(None), stop.clone());
    let (summary, ()) = tokio::join!(
        testkit::within_patience("the run ends", run),
        testkit::within_patience("the feed is polled", mending)
    );
    assert_eq!(summary.unwrap().feed.polls_failed, 1);
    let lines = lines(&cluster, &server).await;
    let scooters = lines.lines().find(|line| line.starts_with("K2")).unwrap();
    assert!(
        scooters.starts_with("K2: 2 bikes, 1 electric"),
        "{scooters}"
    );
}
