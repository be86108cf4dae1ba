//! A live feed: polled over HTTP, onto the topic of a real broker.

use std::time::Duration;

use domain::source::SourceName;
use domain::{Body, Inferred, System};
use expect_test::{Expect, expect};
use producer::{ProducerConfig, ProducerError, Source, Summary};
use testkit::within_patience;
use tokio_util::sync::CancellationToken;

use crate::feed::{COUNTS, FeedServer, Play, polls, recorded};
use crate::support::{Cluster, Stored, cluster};

const POLLS: [Play; 3] = [
    Play::File("v2.3/station_status-1.json"),
    Play::File("v2.3/station_status-2.json"),
    Play::File("v2.3/station_status-3.json"),
];

/// Runs until the counts were asked for so many times, and one time more: what came at the last of
/// them is on the topic then.
async fn run_for(cluster: &Cluster, server: &FeedServer, times: usize) -> Summary {
    let stop = CancellationToken::new();
    let stopping = async {
        within_patience("the feed is polled", server.asked_for_counts(times + 1)).await;
        stop.cancel();
    };
    let run = cluster.run(server.source(), polls(None), stop.clone());
    let (summary, ()) = tokio::join!(within_patience("the run ends", run), stopping);
    let summary = summary.unwrap();
    assert!(summary.stopped);
    summary
}

/// The records of all partitions by run and `seq`, ticks once: they stand in every partition.
async fn lines(cluster: &Cluster, server: &FeedServer) -> String {
    let stored = cluster.stored().await;
    let mut records: Vec<Stored> = stored.into_iter().flatten().collect();
    let tick = |stored: &Stored| match stored.record.body {
        Body::Tick(at) => Some(at),
        _ => None,
    };
    records.sort_by_key(|stored| {
        let run = SourceName::of(&stored.record.source).run;
        let seq = stored.record.seq;
        (run, seq, tick(stored).is_none(), tick(stored))
    });
    let mut lines: Vec<String> = records.iter().map(line).collect();
    lines.dedup();
    server.readable(&lines.join("\n"))
}

fn line(stored: &Stored) -> String {
    let seq = stored.record.seq;
    let key = stored.key.as_deref().unwrap_or("-");
    match &stored.record.body {
        Body::Status(status) => {
            let event = match status.inferred {
                Some(Inferred::Departure) => ", a departure",
                Some(Inferred::Arrival) => ", an arrival",
                None => "",
            };
            let at = status.at.format("%T");
            let street = &status.station.street;
            let missing = if status.missing { ", then no more" } else { "" };
            format!(
                "{seq} {key} {at} {street}: {} bikes{event}{missing}",
                status.bikes
            )
        }
        Body::System(System { timezone, language }) => {
            format!("{seq} {key} clocks of {timezone}, names in {language}")
        }
        Body::Tick(at) => format!("{seq} tick {}", at.format("%T")),
        Body::Reject(reject) => {
            format!(
                "{seq} {key} {}:{}: {}",
                reject.file, reject.line, reject.reason
            )
        }
        Body::Trip(_) => panic!("a feed has no trips"),
    }
}

async fn check(cluster: &Cluster, server: &FeedServer, expected: Expect) {
    expected.assert_eq(&lines(cluster, server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_feed_becomes_counts_and_inferred_events_in_both_generations() {
    let three = POLLS.map(|play| match play {
        Play::File(file) => Play::Text(recorded(&file.replace("v2.3", "v3.0"))),
        other => other,
    });
    for (folder, plays) in [("v2.3", POLLS), ("v3.0", three)] {
        let cluster = cluster().await;
        let server = FeedServer::start(folder, &plays).await;
        let summary = cluster.produce(server.source(), polls(Some(3))).await;
        assert_eq!((summary.rows_read, summary.produced), (10, 10), "{folder}");
        // One tick claims the feed.
        assert_eq!((summary.feed.polls, summary.ticks), (3, 4), "{folder}");
        check(
            &cluster,
            &server,
            expect![[r#"
                1 tick 12:00:00
                1 gbfs:made_up_city clocks of America/New_York, names in en
                1 3201 12:00:00 E 32 St & Park Ave: 7 bikes
                2 3202 12:00:00 Café Ω & 5 Ave: 0 bikes
                3 HB103 12:00:00 Newport PATH: 12 bikes
                4 tick 12:00:00
                4 3201 12:00:30 E 32 St & Park Ave: 6 bikes, a departure
                5 3201 12:00:30 E 32 St & Park Ave: 5 bikes, a departure
                6 3201 12:00:30 E 32 St & Park Ave: 4 bikes, a departure
                7 3202 12:01:00 Café Ω & 5 Ave: 1 bikes, an arrival
                8 tick 12:01:00
                8 HB103 12:01:15 Newport PATH: 11 bikes, a departure
                9 3201 12:02:00 E 32 St & Park Ave: 5 bikes, an arrival
                10 3201 12:02:00 E 32 St & Park Ave: 6 bikes, an arrival
                11 tick 12:02:00"#]],
        )
        .await;
        let stored = cluster.stored().await;
        for stored in stored.iter().flatten() {
            let source = SourceName::of(&stored.record.source);
            assert_eq!(source.identity, "gbfs:made_up_city");
            assert_eq!(source.run.unwrap().number, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_has_not_changed_is_not_sent_again() {
    let cluster = cluster().await;
    let server = FeedServer::start("v2.3", &POLLS[..1]).await;
    let summary = cluster.produce(server.source(), polls(Some(3))).await;
    assert_eq!((summary.rows_read, summary.feed.polls), (3, 3));
    let answers: Vec<_> = server
        .asked(COUNTS)
        .iter()
        .map(|asked| asked.status)
        .collect();
    assert_eq!(answers, [200, 304, 304]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_is_told_by_its_new_name_and_place_though_no_count_has_changed() {
    const STATIONS: &str = "station_information.json";
    let cluster = cluster().await;
    let stations = recorded("v2.3/station_information.json");
    let stations = stations.replace(r#""ttl": 60"#, r#""ttl": 0"#);
    let instead = [(STATIONS, Play::Text(stations.clone()))];
    let server = FeedServer::start_with("v2.3", &POLLS[..1], &instead).await;
    let stop = CancellationToken::new();
    let renaming = async {
        server.asked_for_counts(3).await;
        let renamed = stations.replace("Newport PATH", "Newport PATH (north side)");
        server.change(STATIONS, renamed);
        // Two questions later the new list has been read, and the counts after it.
        server
            .asked_for_counts(server.asked(COUNTS).len() + 3)
            .await;
        stop.cancel();
    };
    let run = cluster.run(server.source(), polls(None), stop.clone());
    let (summary, ()) = tokio::join!(
        within_patience("the run ends", run),
        within_patience("the feed is polled", renaming)
    );
    assert_eq!(summary.unwrap().rows_read, 4);
    let told = lines(&cluster, &server).await;
    let last = told.lines().rfind(|line| !line.contains("tick")).unwrap();
    assert_eq!(last, "4 HB103 12:00:00 Newport PATH (north side): 12 bikes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_good_for_its_ttl() {
    let cluster = cluster().await;
    let second = recorded("v2.3/station_status-1.json").replace("\"ttl\": 0", "\"ttl\": 1");
    let server = FeedServer::start("v2.3", &[Play::Text(second), POLLS[1].clone()]).await;
    cluster.produce(server.source(), polls(Some(3))).await;
    let asked = server.asked(COUNTS);
    let pauses: Vec<_> = asked
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    assert!(pauses[0] >= Duration::from_secs(1), "{pauses:?}");
    // The second file has ttl 0: only the settings bound how often it is asked for.
    assert!(pauses[1] < Duration::from_secs(1), "{pauses:?}");
    assert_eq!(server.asked("/station_information.json").len(), 1, "ttl 60");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_left_alone_for_as_long_as_it_asks() {
    let cluster = cluster().await;
    let plays = [POLLS[0].clone(), Play::Busy(1), POLLS[1].clone()];
    let server = FeedServer::start("v2.3", &plays).await;
    let summary = run_for(&cluster, &server, 3).await;
    assert_eq!(summary.feed.polls_failed, 1);
    assert_eq!((summary.rows_read, summary.rejected), (7, 0));
    let asked = server.asked(COUNTS);
    assert!(asked[2].at - asked[1].at >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_grow_while_a_server_is_in_trouble() {
    let cluster = cluster().await;
    let broken = Play::File("bad/cut.json");
    let plays = [
        broken.clone(),
        broken.clone(),
        broken.clone(),
        broken,
        POLLS[0].clone(),
    ];
    let server = FeedServer::start("v2.3", &plays).await;
    let summary = run_for(&cluster, &server, 5).await;
    assert_eq!(summary.feed.polls_failed, 4);
    let asked = server.asked(COUNTS);
    let pauses: Vec<_> = asked
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    for (pause, at_least_ms) in pauses.iter().zip([20, 40, 80, 160]) {
        assert!(*pause >= Duration::from_millis(at_least_ms), "{pauses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_instead_of_a_feed_is_one_reject_and_the_rest_goes_on() {
    let cluster = cluster().await;
    let page = Play::File("bad/web-page.html");
    let plays = [POLLS[0].clone(), page.clone(), page, POLLS[1].clone()];
    let server = FeedServer::start("v2.3", &plays).await;
    let summary = run_for(&cluster, &server, 4).await;
    assert_eq!(summary.feed.polls_failed, 2);
    assert_eq!(summary.rows_read, summary.produced + summary.rejected);
    check(
        &cluster,
        &server,
        expect![[r#"
            1 tick 12:00:00
            1 gbfs:made_up_city clocks of America/New_York, names in en
            1 3201 12:00:00 E 32 St & Park Ave: 7 bikes
            2 3202 12:00:00 Café Ω & 5 Ave: 0 bikes
            3 HB103 12:00:00 Newport PATH: 12 bikes
            4 tick 12:00:00
            4 gbfs:made_up_city http://feed/station_status.json:1: not JSON, it begins with "<!DOCTYPE html>\n<html><body>We will be back soon</body></htm": expected value at line 1 column 1
            5 3201 12:00:30 E 32 St & Park Ave: 6 bikes, a departure
            6 3201 12:00:30 E 32 St & Park Ave: 5 bikes, a departure
            7 3201 12:00:30 E 32 St & Park Ave: 4 bikes, a departure
            8 3202 12:01:00 Café Ω & 5 Ave: 1 bikes, an arrival
            9 tick 12:01:00"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_goes_back_in_time_is_ignored_until_it_is_new_again() {
    let cluster = cluster().await;
    let back = Play::File("bad/back-in-time.json");
    let server = FeedServer::start("v2.3", &[POLLS[0].clone(), back, POLLS[1].clone()]).await;
    let summary = run_for(&cluster, &server, 3).await;
    assert_eq!((summary.feed.polls_failed, summary.rejected), (1, 1));
    check(
        &cluster,
        &server,
        expect![[r#"
            1 tick 12:00:00
            1 gbfs:made_up_city clocks of America/New_York, names in en
            1 3201 12:00:00 E 32 St & Park Ave: 7 bikes
            2 3202 12:00:00 Café Ω & 5 Ave: 0 bikes
            3 HB103 12:00:00 Newport PATH: 12 bikes
            4 tick 12:00:00
            4 gbfs:made_up_city http://feed/station_status.json:1: goes back in time, from 2024-11-03 12:00:00 UTC to 2024-11-03 11:59:00 UTC
            5 3201 12:00:30 E 32 St & Park Ave: 6 bikes, a departure
            6 3201 12:00:30 E 32 St & Park Ave: 5 bikes, a departure
            7 3201 12:00:30 E 32 St & Park Ave: 4 bikes, a departure
            8 3202 12:01:00 Café Ω & 5 Ave: 1 bikes, an arrival
            9 tick 12:01:00"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_of_a_time_that_has_not_come_is_refused_and_the_next_one_is_taken() {
    let cluster = cluster().await;
    let [first, last] = ["v2.3/station_status-1.json", "v2.3/station_status-2.json"];
    // Of the year 2085.
    let early = recorded(first).replace("1730635200", "3650000000");
    assert_ne!(early, recorded(first));
    let plays = [Play::File(first), Play::Text(early), Play::File(last)];
    let server = FeedServer::start("v2.3", &plays).await;
    let summary = run_for(&cluster, &server, 3).await;
    assert_eq!((summary.feed.polls_failed, summary.rejected), (1, 1));
    let lines = lines(&cluster, &server).await;
    let (refused, taken): (Vec<_>, Vec<_>) = lines
        .lines()
        .partition(|line| line.contains("is ahead of this machine's"));
    assert_eq!(refused.len(), 1);
    expect![[r#"
        1 tick 12:00:00
        1 gbfs:made_up_city clocks of America/New_York, names in en
        1 3201 12:00:00 E 32 St & Park Ave: 7 bikes
        2 3202 12:00:00 Café Ω & 5 Ave: 0 bikes
        3 HB103 12:00:00 Newport PATH: 12 bikes
        4 tick 12:00:00
        5 3201 12:00:30 E 32 St & Park Ave: 6 bikes, a departure
        6 3201 12:00:30 E 32 St & Park Ave: 5 bikes, a departure
        7 3201 12:00:30 E 32 St & Park Ave: 4 bikes, a departure
        8 3202 12:01:00 Café Ω & 5 Ave: 1 bikes, an arrival
        9 tick 12:01:00"#]]
    .assert_eq(&taken.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stations_that_a_feed_drops_keep_their_count_and_are_told_when_they_were_seen() {
    let cluster = cluster().await;
    let gone = Play::File("bad/most-stations-gone.json");
    let server = FeedServer::start("v2.3", &[POLLS[0].clone(), gone, POLLS[1].clone()]).await;
    let summary = cluster.produce(server.source(), polls(Some(3))).await;
    assert_eq!(summary.feed.stations_missing, 2);
    assert_eq!((summary.rows_read, summary.rejected), (10, 0));
    check(
        &cluster,
        &server,
        expect![[r#"
            1 tick 12:00:00
            1 gbfs:made_up_city clocks of America/New_York, names in en
            1 3201 12:00:00 E 32 St & Park Ave: 7 bikes
            2 3202 12:00:00 Café Ω & 5 Ave: 0 bikes
            3 HB103 12:00:00 Newport PATH: 12 bikes
            4 tick 12:00:00
            4 3202 12:00:00 Café Ω & 5 Ave: 0 bikes, then no more
            5 HB103 12:00:00 Newport PATH: 12 bikes, then no more
            6 tick 12:00:30
            6 3201 12:01:00 E 32 St & Park Ave: 6 bikes, a departure
            7 3201 12:01:00 E 32 St & Park Ave: 5 bikes, a departure
            8 3201 12:01:00 E 32 St & Park Ave: 4 bikes, a departure
            9 3202 12:01:00 Café Ω & 5 Ave: 1 bikes, an arrival
            10 HB103 12:01:00 Newport PATH: 12 bikes
            11 tick 12:01:00"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_cannot_be_used_are_rejected_with_their_place_and_reason() {
    let cluster = cluster().await;
    let bad = Play::File("bad/unusable-entries.json");
    let server = FeedServer::start("v2.3", &[bad]).await;
    let summary = cluster.produce(server.source(), polls(Some(2))).await;
    assert_eq!(
        (summary.rows_read, summary.produced, summary.rejected),
        (5, 1, 4)
    );
    check(
        &cluster,
        &server,
        expect![[r#"
            1 tick 12:00:30
            1 gbfs:made_up_city clocks of America/New_York, names in en
            1 gbfs:made_up_city http://feed/station_status.json:1: num_bikes_available -1 is below 0
            2 gbfs:made_up_city http://feed/station_status.json:2: num_bikes_available 1000000 is above 1000, more than any station holds
            3 gbfs:made_up_city http://feed/station_status.json:3: missing field `num_bikes_available`
            4 gbfs:made_up_city http://feed/station_status.json:4: station "9999" is not in station_information
            5 3201 12:00:30 E 32 St & Park Ave: 7 bikes
            6 tick 12:00:30"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_goes_on_with_the_clock_and_counts_anew() {
    let cluster = cluster().await;
    let server = FeedServer::start("v2.3", &POLLS[..2]).await;
    cluster.produce(server.source(), polls(Some(2))).await;
    // Between the runs the feed has moved on; an old copy comes first.
    let server = FeedServer::start("v2.3", &[POLLS[0].clone(), POLLS[2].clone()]).await;
    let summary = run_for(&cluster, &server, 2).await;
    assert_eq!((summary.rows_read, summary.rejected), (4, 1));
    let lines = lines(&cluster, &server).await;
    let second: Vec<_> = lines.lines().skip(11).collect();
    expect![[r#"
        1 tick 12:01:00
        1 gbfs:made_up_city http://feed/station_status.json:1: goes back in time, from 2024-11-03 12:01:00 UTC to 2024-11-03 12:00:00 UTC
        2 HB103 12:01:15 Newport PATH: 11 bikes
        2 gbfs:made_up_city clocks of America/New_York, names in en
        3 3202 12:01:50 Café Ω & 5 Ave: 1 bikes
        4 3201 12:02:00 E 32 St & Park Ave: 6 bikes
        5 tick 12:02:00"#]]
    .assert_eq(&second.join("\n"));
}

/// Why a feed cannot be used at all.
async fn refused(instead: &[(&'static str, Play)], config: ProducerConfig) -> String {
    let cluster = cluster().await;
    let server = FeedServer::start_with("v2.3", &POLLS, instead).await;
    let run = cluster.run(server.source(), config, CancellationToken::new());
    let error = within_patience("the run ends", run).await.unwrap_err();
    assert!(matches!(error, ProducerError::Feed(_)), "{error}");
    server.readable(&chain(&error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    error.to_string() + &source.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_feed_is_refused_before_anything_is_sent() {
    let page = || Play::File("bad/web-page.html");
    let discovery = |change: fn(String) -> String| Play::Text(change(recorded("v2.3/gbfs.json")));
    let mut errors = Vec::new();
    for (file, play) in [
        ("gbfs.json", page()),
        ("gbfs.json", Play::File("bad/version-1.1.json")),
        ("gbfs.json", Play::Text("[1, 2]".to_owned())),
        (
            "gbfs.json",
            discovery(|text| text.replace("\"station_status\"", "\"bikes\"")),
        ),
        (
            "gbfs.json",
            discovery(|text| text.replace("ORIGIN", "http://elsewhere.example")),
        ),
        (
            "system_information.json",
            Play::File("bad/no-stations.json"),
        ),
        ("gbfs.json", Play::Text(" ".repeat((8 << 20) + 1))),
    ] {
        errors.push(refused(&[(file, play)], polls(None)).await);
    }
    expect![[r#"
        cannot use the feed: http://feed/gbfs.json: not JSON, it begins with "<!DOCTYPE html>\n<html><body>We will be back soon</body></htm": expected value at line 1 column 1
        cannot use the feed: http://feed/gbfs.json: GBFS version "1.1" is not supported, only 2.x and 3.x are: ask the operator for the address of a newer one, which often has the version in it, such as …/gbfs/2.3/gbfs.json; https://gbfs.org lists systems
        cannot use the feed: http://feed/gbfs.json: not a GBFS file
        cannot use the feed: http://feed/gbfs.json: names no station_status
        cannot use the feed: http://feed/gbfs.json: names an address that is not asked: "http://elsewhere.example/system_information.json" is not the address of a feed: write gbfs:https://…/gbfs.json (http only for this machine)
        cannot use the feed: http://feed/system_information.json: system_id is missing or empty
        cannot use the feed: http://feed/gbfs.json: larger than 8388608 bytes"#]]
    .assert_eq(&errors.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_poll_that_fails_is_an_error() {
    let stations = (
        "station_information.json",
        Play::File("bad/no-stations.json"),
    );
    expect!["cannot use the feed: http://feed/station_information.json: data.stations is missing or no list"]
        .assert_eq(&refused(&[stations], polls(Some(1))).await);
    let busy = ("gbfs.json", Play::Busy(1));
    expect![
        "cannot use the feed: http://feed/gbfs.json: the server answers 503 Service Unavailable"
    ]
    .assert_eq(&refused(&[busy], polls(Some(1))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_away_is_waited_for_and_waiting_can_be_stopped() {
    let cluster = cluster().await;
    // Nothing listens on a port that was free just now.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = format!("gbfs:http://{}/gbfs.json", listener.local_addr().unwrap());
    drop(listener);
    let source: Source = source.parse().unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let summary = cluster
        .run(source.clone(), polls(None), stop)
        .await
        .unwrap();
    assert!(summary.stopped);
    let error = cluster.run(source, polls(Some(1)), CancellationToken::new());
    let error = chain(&error.await.unwrap_err());
    assert!(error.contains("/gbfs.json: no response: "), "{error}");
}
