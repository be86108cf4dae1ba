//! Several pollers of one live feed: the newest owns it, the others end, and no dock stays wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::source::SourceName;
use domain::{Body, Record, Service, Sources, Station, Status, Stock};
use producer::{ProducerConfig, ProducerError, Source, Summary};
use serde_json::json;
use testkit::within_patience;
use tokio_util::sync::CancellationToken;

use crate::feed::{FeedServer, Play, polls};
use crate::support::{Cluster, Stored, at_full_speed, cluster, path_source, rows, testdata};

const STATIONS: usize = 87;
const MORNING: i64 = 1_793_707_200;

/// What the feed says at its poll of this number: nearly every station changes at each.
fn changing(poll: usize) -> [u32; STATIONS] {
    std::array::from_fn(|station| u32::try_from((poll * (station + 3)) % 7).unwrap())
}

fn counts(seconds: i64, counts: &[u32]) -> Play {
    let status = |(station, bikes): (usize, &u32)| json!({"station_id": id(station), "num_bikes_available": bikes, "last_reported": 0});
    let stations: Vec<_> = counts.iter().enumerate().map(status).collect();
    let updated = MORNING + seconds;
    let file = json!({"version": "2.3", "last_updated": updated, "ttl": 0, "data": {"stations": stations}});
    Play::Text(file.to_string())
}

fn id(station: usize) -> String {
    format!("S{station:03}")
}

/// A feed of the stations that says one thing after the other, whoever asks.
async fn feed(plays: &[Play]) -> FeedServer {
    let station =
        |station| json!({"station_id": id(station), "name": "E 1 St", "lat": 40.7, "lon": -74});
    let stations: Vec<_> = (0..STATIONS).map(station).collect();
    let file = json!({"version": "2.3", "last_updated": MORNING, "ttl": 60, "data": {"stations": stations}});
    let stations = ("station_information.json", Play::Text(file.to_string()));
    FeedServer::start_with("v2.3", plays, &[stations]).await
}

/// What a reader of the topic shows: of the records that are taken the latest of each station.
fn shown(partitions: &[Vec<Stored>]) -> BTreeMap<String, u32> {
    let mut docks = BTreeMap::new();
    for partition in partitions {
        let mut sources = Sources::default();
        for (offset, stored) in partition.iter().enumerate() {
            let Record { source, seq, body } = &stored.record;
            match body {
                Body::Status(status) if sources.admit(source, *seq) => {
                    let latest = (status.at, offset, status.bikes);
                    let dock = docks.entry(status.station.station_id.clone());
                    let dock = dock.or_insert(latest);
                    *dock = latest.max(*dock);
                }
                Body::Tick(_) => {
                    sources.admit_tick(source, *seq);
                }
                _ => {}
            }
        }
    }
    let bikes = |(id, (_, _, bikes))| (id, bikes);
    docks.into_iter().map(bikes).collect()
}

fn assert_shows(partitions: &[Vec<Stored>], counts: &[u32]) {
    let shown = shown(partitions);
    let expected = counts.iter().enumerate();
    let wrong: Vec<_> = expected
        .filter(|(station, bikes)| shown.get(&id(*station)) != Some(*bikes))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {STATIONS} docks are wrong: {wrong:?}",
        wrong.len()
    );
}

/// Polls so often that several pollers overlap for some polls.
fn often() -> ProducerConfig {
    ProducerConfig {
        poll_min: Duration::from_millis(30),
        ..polls(None)
    }
}

/// Polls until the feed was asked so many times.
async fn run_until(
    cluster: &Cluster,
    server: &FeedServer,
    asked: usize,
) -> Result<Summary, ProducerError> {
    let stop = CancellationToken::new();
    let run = cluster.run(server.source(), often(), stop.clone());
    let run = within_patience("the run ends", run);
    tokio::pin!(run);
    tokio::select! {
        ended = &mut run => return ended,
        () = server.asked_for_counts(asked) => stop.cancel(),
    }
    run.await
}

/// As many polls as there are, each of them said once, the last one for ever.
fn plays(polls: usize) -> Vec<Play> {
    let seconds = |poll| i64::try_from(poll).unwrap() * 20;
    (0..polls)
        .map(|poll| counts(seconds(poll), &changing(poll)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_poller_takes_the_feed_over_and_the_first_one_ends_with_an_error() {
    const POLLS: usize = 40;
    let cluster = cluster().await;
    let server = feed(&plays(POLLS)).await;
    let first = run_until(&cluster, &server, usize::MAX);
    let second = async {
        server.asked_for_counts(8).await;
        run_until(&cluster, &server, POLLS + 5).await.unwrap()
    };
    let (first, second) = tokio::join!(first, second);
    assert!(second.stopped);
    let error = first.unwrap_err();
    assert!(
        matches!(&error, ProducerError::TakenOver { run, by, .. } if (run.number, by.number) == (1, 2)),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with("another producer of \"gbfs:made_up_city\" has taken over"),
        "{text}"
    );
    assert_shows(&cluster.stored().await, &changing(POLLS - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_pollers_that_begin_in_the_same_moment_one_goes_on() {
    const POLLS: usize = 30;
    let cluster = cluster().await;
    let server = feed(&plays(POLLS)).await;
    let run = || run_until(&cluster, &server, POLLS + 5);
    let ended: [_; 3] = tokio::join!(run(), run(), run()).into();
    let taken_over =
        |ended: &&Result<Summary, _>| matches!(ended, Err(ProducerError::TakenOver { .. }));
    assert_eq!(ended.iter().filter(taken_over).count(), 2, "{ended:?}");
    assert_eq!(
        ended.iter().filter(|ended| ended.is_ok()).count(),
        1,
        "{ended:?}"
    );
    assert_shows(&cluster.stored().await, &changing(POLLS - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_poller_still_sends_is_not_taken() {
    let cluster = cluster().await;
    let server = feed(&plays(3)).await;
    run_until(&cluster, &server, 2).await.unwrap();
    let stored = cluster.stored().await;
    let old = stored[0][0].record.source.clone();
    run_until(&cluster, &server, 8).await.unwrap();
    // The older one was frozen and sends what it had in hand, with higher ranks and a later time.
    for station in 0..STATIONS {
        let seq = 10_000 + station as u64;
        cluster.put(&status(&old, seq, station, 99)).await;
    }
    let stored = cluster.stored().await;
    let runs = stored
        .iter()
        .flatten()
        .map(|stored| SourceName::of(&stored.record.source).run);
    assert_eq!(runs.collect::<std::collections::BTreeSet<_>>().len(), 2);
    assert_shows(&stored, &changing(2));
}

fn status(source: &str, seq: u64, station: usize, bikes: u32) -> Record {
    let place = Station {
        station_id: id(station),
        street: "E 1 St".to_owned(),
        lat: 40.7,
        lon: -74.0,
    };
    let at = chrono::DateTime::from_timestamp(MORNING + 60, 0).unwrap();
    let body = Body::Status(Status {
        station: place,
        at,
        bikes,
        inferred: None,
        service: Service::default(),
        stock: Stock::default(),
        last_reported: None,
        missing: false,
    });
    Record {
        source: source.to_owned(),
        seq,
        body,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_count_is_right_again_after_ten_minutes_of_the_feeds_time() {
    // 50 polls at 40 seconds, in which nothing moves.
    let still = changing(5);
    let plays: Vec<_> = (0..50).map(|poll| counts(poll * 40, &still)).collect();
    let cluster = cluster().await;
    let server = feed(&plays).await;
    let wrong = async {
        server.asked_for_counts(3).await;
        for station in [0, 1, 2, 40, 86] {
            cluster.put(&status("gbfs:somebody", 1, station, 77)).await;
        }
    };
    let config = ProducerConfig {
        poll_min: Duration::from_millis(100),
        polls_max: Some(50),
        ..often()
    };
    let run = cluster.run(server.source(), config, CancellationToken::new());
    let (summary, ()) = tokio::join!(within_patience("the run ends", run), wrong);
    let stored = cluster.stored().await;
    let wrong = stored
        .iter()
        .flatten()
        .filter(|stored| stored.record.source == "gbfs:somebody");
    assert_eq!(wrong.count(), 5);
    assert_shows(&stored, &still);
    // Each station at first, and then every ten minutes, spread over the polls.
    let produced = summary.unwrap().produced;
    let polls = 50 * 40 / 600;
    assert!(
        (STATIONS as u64 * polls..=STATIONS as u64 * (polls + 2)).contains(&produced),
        "{produced}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_producers_of_one_source_send_is_taken_once() {
    let city = "simulate:seed=4,trips=9000,stations=40,bikes=200";
    let renamed = tempfile::tempdir().unwrap();
    let copy = renamed.path().join("copy of it.csv");
    std::fs::copy(testdata("basic.csv"), &copy).unwrap();
    let file: Source = path_source(testdata("basic.csv"));
    let pairs = [
        (city.parse().unwrap(), city.parse().unwrap()),
        (file, path_source(copy)),
    ];
    for (one, other) in pairs {
        let cluster = cluster().await;
        let (first, second) = tokio::join!(
            cluster.produce(one, at_full_speed()),
            cluster.produce(other, at_full_speed()),
        );
        assert_eq!(first.rows_read, second.rows_read);
        let mut taken = Vec::new();
        for partition in cluster.stored().await {
            let mut sources = Sources::default();
            for stored in rows(&partition) {
                if sources.admit(&stored.record.source, stored.record.seq) {
                    taken.push(stored.record.seq);
                }
            }
        }
        taken.sort_unstable();
        assert_eq!(taken, (0..first.rows_read).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_edited_in_place_is_another_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trips.csv");
    let text = std::fs::read_to_string(testdata("basic.csv")).unwrap();
    let cluster = cluster().await;
    std::fs::write(&file, &text).unwrap();
    let before = cluster
        .produce(path_source(file.clone()), at_full_speed())
        .await;
    // The same length, one digit is another one.
    let (head, tail) = text.rsplit_once('7').unwrap();
    std::fs::write(&file, format!("{head}8{tail}")).unwrap();
    let after = cluster.produce(path_source(file), at_full_speed()).await;
    assert_eq!(
        (after.rows_read, after.already_produced),
        (before.rows_read, 0)
    );
}
