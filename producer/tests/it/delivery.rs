//! What a run puts on the topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::Body;
use expect_test::expect;
use fluvio::metadata::topic::CompressionAlgorithm;
use fluvio_compression::Compression;
use partition_client::{PartitionClient, TopicPartition};
use producer::{ProducerConfig, ProducerError, Source};
use testkit::{wait_until, within_patience};
use tokio_util::sync::CancellationToken;
use trip_files::TripFilesError;
use xxhash_rust::xxh3::xxh3_64;

use crate::support::{
    PARTITIONS, assert_whole, at_full_speed, cluster, cluster_with, path_source, rows,
    start_broker, testdata,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_becomes_records_in_the_contracts_words() {
    let cluster = cluster().await;
    let source = path_source(testdata("cut-in-quotes.csv"));
    let summary = cluster.produce(source, at_full_speed()).await;
    let mut lines = vec![format!("{summary:?}")];
    for (partition, stored) in cluster.stored().await.iter().enumerate() {
        for record in stored {
            let json = String::from_utf8(record.record.to_json()).unwrap();
            lines.push(format!("{partition} {:?} {json}", record.key));
        }
    }
    expect![[r#"
        Summary { rows_read: 4, produced: 2, rejected: 2, already_produced: 0, duplicate_files: 0, refused_files: 0, ticks: 1, feed: FeedSummary { polls: 0, polls_failed: 0, stations_missing: 0 }, stopped: false }
        0 Some("101") {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":0,"trip":{"bike_id":"9001","departed_at":"2019-05-06T12:00:00Z","from":{"station_id":"101","street":"Oak St & 1 Ave","lat":40.7301,"lon":-73.9901},"arrived_at":"2019-05-06T12:10:00Z","to":{"station_id":"102","street":"Elm St & 2 Ave","lat":40.7402,"lon":-73.9802},"rider":"member"}}
        0 Some("cut-in-quotes.csv#9c508119f598bfb1") {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":1,"reject":{"file":"cut-in-quotes.csv","line":3,"reason":"row has 9 fields, the header has 15","row":"600,\"2019-05-06 08:01:00.0000\",\"2019-05-06 08:11:00.0000\",101,\"Oak St & 1 Ave\",40.7301,-73.9901,102,\"Elm St & 2"}}
        0 Some("101") {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":2,"trip":{"bike_id":"9002","departed_at":"2019-05-06T12:02:00Z","from":{"station_id":"101","street":"Oak St & 1 Ave","lat":40.7301,"lon":-73.9901},"arrived_at":"2019-05-06T12:12:00Z","to":{"station_id":"102","street":"Elm St & 2 Ave","lat":40.7402,"lon":-73.9802},"rider":"member"}}
        0 Some("cut-in-quotes.csv#9c508119f598bfb1") {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":3,"reject":{"file":"cut-in-quotes.csv","line":5,"reason":"row has 9 fields, the header has 15","row":"600,\"2019-05-06 08:03:00.0000\",\"2019-05-06 08:13:00.0000\",101,\"Oak St & 1 Ave\",40.7301,-73.9901,102,\"Elm St"}}
        0 None {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":4,"tick":"2019-05-06T12:02:05Z"}
        1 None {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":4,"tick":"2019-05-06T12:02:05Z"}
        2 None {"source":"cut-in-quotes.csv#9c508119f598bfb1","seq":4,"tick":"2019-05-06T12:02:05Z"}"#]].assert_eq(&lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_compressed_as_the_topic_asks_and_else_by_zstd() {
    for (asked, compression) in [
        (CompressionAlgorithm::Any, Compression::Zstd),
        (CompressionAlgorithm::Zstd, Compression::Zstd),
        (CompressionAlgorithm::Lz4, Compression::Lz4),
        (CompressionAlgorithm::Snappy, Compression::Snappy),
        (CompressionAlgorithm::Gzip, Compression::Gzip),
        (CompressionAlgorithm::None, Compression::None),
    ] {
        let cluster = cluster_with(asked.clone()).await;
        let source = "simulate:trips=200,stations=40,bikes=50".parse().unwrap();
        cluster.produce(source, at_full_speed()).await;
        assert_whole(&cluster.stored().await, 200);
        let partition = TopicPartition {
            topic: "trips".to_owned(),
            partition: 0,
        };
        let opening = PartitionClient::open(&cluster.partitions, partition);
        let batch = opening.await.unwrap().batch_at(0).await.unwrap();
        assert_eq!(batch.get_compression().unwrap(), compression, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_goes_to_the_partition_of_its_first_station() {
    let cluster = cluster().await;
    let source = "simulate:trips=2000,stations=40,bikes=200".parse().unwrap();
    cluster.produce(source, at_full_speed()).await;
    for (partition, stored) in cluster.stored().await.iter().enumerate() {
        assert!(rows(stored).count() > 100, "every partition has its share");
        for row in rows(stored) {
            let Body::Trip(trip) = &row.record.body else {
                panic!("the city is clean")
            };
            assert_eq!(row.key.as_ref(), Some(&trip.from.station_id));
            let expected = xxh3_64(trip.from.station_id.as_bytes()) % u64::from(PARTITIONS);
            assert_eq!(partition as u64, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_stands_once_in_order_and_every_partition_ends_with_the_last_tick() {
    let cluster = cluster().await;
    let source = "simulate:trips=30000,days=1,dirty=0.01".parse().unwrap();
    let summary = cluster.produce(source, at_full_speed()).await;
    assert_eq!(summary.rows_read, 30_000);
    assert_eq!(summary.produced + summary.rejected, 30_000);
    assert!((200..400).contains(&summary.rejected), "{summary:?}");
    let stored = cluster.stored().await;
    assert_whole(&stored, 30_000);

    let departures = |partition: &[_]| -> Vec<_> {
        rows(partition)
            .filter_map(|row| match &row.record.body {
                Body::Trip(trip) => Some(trip.departed_at),
                _ => None,
            })
            .collect()
    };
    let newest = stored.iter().flat_map(|p| departures(p)).max().unwrap();
    for partition in &stored {
        assert!(departures(partition).is_sorted());
        let last = partition.last().unwrap();
        let Body::Tick(at) = last.record.body else {
            panic!("the last record is a tick")
        };
        assert_eq!(last.record.seq, 30_000);
        assert_eq!(at.timestamp() % 5, 0);
        assert!(at > newest && at.timestamp() - newest.timestamp() <= 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_merged_by_departure() {
    let cluster = cluster().await;
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=4 {
        let config = format!("seed={seed},trips=500,stations=20,bikes=100")
            .parse()
            .unwrap();
        let mut file = std::fs::File::create(folder.path().join(format!("{seed}.csv"))).unwrap();
        trip_files::simulate::write_csv(&config, &mut file).unwrap();
    }
    std::fs::write(folder.path().join("5.csv"), "no,trips\n").unwrap();
    let source = path_source(folder.path().to_owned());
    let summary = cluster.produce(source, at_full_speed()).await;
    assert_eq!(
        (summary.rows_read, summary.produced, summary.rejected),
        (2_001, 2_000, 1)
    );
    assert_eq!(summary.refused_files, 1);
    let mut counts = BTreeMap::new();
    for partition in cluster.stored().await {
        let mut last = None;
        for row in rows(&partition) {
            *counts
                .entry(row.record.source.split('#').next().unwrap().to_owned())
                .or_insert(0) += 1;
            if let Body::Trip(trip) = &row.record.body {
                assert!(last.is_none_or(|last| last <= trip.departed_at));
                last = Some(trip.departed_at);
            }
        }
    }
    let expected = [
        ("1.csv", 500),
        ("2.csv", 500),
        ("3.csv", 500),
        ("4.csv", 500),
        ("5.csv", 1),
    ];
    assert_eq!(
        counts,
        expected
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_bad_or_missing_file_is_an_error_and_nothing_is_sent() {
    let cluster = cluster().await;
    let run = |path| cluster.run(path_source(path), at_full_speed(), CancellationToken::new());
    let refused = run(testdata("unknown-header.csv")).await;
    assert!(
        matches!(
            refused,
            Err(ProducerError::Files(TripFilesError::Refused { .. }))
        ),
        "{refused:?}"
    );
    let missing = run(testdata("nowhere.csv")).await;
    assert!(
        matches!(
            missing,
            Err(ProducerError::Files(TripFilesError::Path { .. }))
        ),
        "{missing:?}"
    );
    assert!(cluster.stored().await.iter().all(Vec::is_empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_an_error_that_names_it() {
    let cluster = cluster().await;
    let config = ProducerConfig {
        topic: "tripz".to_owned(),
        ..at_full_speed()
    };
    let source = path_source(testdata("basic.csv"));
    let result = cluster.run(source, config, CancellationToken::new()).await;
    expect![[r#"cannot use topic "tripz""#]].assert_eq(&result.unwrap_err().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_for_a_while_costs_nothing() {
    let mut cluster = cluster().await;
    let broker = cluster.broker.take().unwrap();
    let (address, folder) = (cluster.address, cluster.folder.path().to_owned());
    let away = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        broker.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        start_broker(&folder, address).await
    };
    let source = "simulate:trips=400000,days=7".parse().unwrap();
    let run = cluster.produce(source, at_full_speed());
    let (summary, broker) = tokio::join!(run, away);
    assert_eq!(summary.rows_read, 400_000);
    assert_whole(&cluster.stored().await, 400_000);
    drop(broker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stays_away_ends_the_run_with_the_position() {
    let mut cluster = cluster().await;
    let source: Source = "simulate:trips=400000,days=7".parse().unwrap();
    let config = ProducerConfig {
        give_up_after: Duration::from_millis(500),
        ..at_full_speed()
    };
    let broker = cluster.broker.take().unwrap();
    let away = async {
        wait_until("a row is stored", async || {
            let ends = cluster.partitions.log_ends("trips").await.unwrap();
            ends.values().all(|end| *end > 0)
        })
        .await;
        broker.shutdown().await.unwrap();
    };
    let run = cluster.run(source, config, CancellationToken::new());
    let both = Box::pin(async { tokio::join!(run, away) });
    let (result, ()) = within_patience("the run gives up", both).await;
    let Err(ProducerError::Undelivered { records, at, .. }) = result else {
        panic!("the run ended with {result:?}");
    };
    assert!(records > 0 && at.offset >= 0 && at.topic == "trips");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
async fn rate_at_full_speed() {
    for trips in [300_000, 1_000_000] {
        let cluster = cluster().await;
        let source: Source = format!("simulate:trips={trips},days=20").parse().unwrap();
        let started = Instant::now();
        cluster.produce(source.clone(), at_full_speed()).await;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{trips} trips in {seconds:.2} s: {:.0} trips/s",
            f64::from(trips) / seconds
        );
        let started = Instant::now();
        let again = cluster.produce(source, at_full_speed()).await;
        println!(
            "passed over again in {:.2} s: {again:?}",
            started.elapsed().as_secs_f64()
        );
        let new: Source = format!("simulate:seed=8,trips={trips},days=20,start=2027-01-01")
            .parse()
            .unwrap();
        let started = Instant::now();
        cluster
            .run(new, at_full_speed(), cancelled())
            .await
            .unwrap();
        println!(
            "a new source's look at the whole log: {:.2} s",
            started.elapsed().as_secs_f64()
        );
    }
}

fn cancelled() -> CancellationToken {
    let stop = CancellationToken::new();
    stop.cancel();
    stop
}
