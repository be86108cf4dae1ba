//! The whole job fed from Kafka, and its events read there: the same as without Kafka.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use domain::{SplitEvent, SplitOutput};
use embedded_broker::{Broker, BrokerConfig};
use fluvio::{ConsumerConfig, Fluvio, FluvioClusterConfig, Offset};
use futures_util::StreamExt;
use tokio::task::block_in_place;

use self::cluster::KafkaCluster;
use crate::machine::{Event, Machine, Tables};

#[expect(dead_code, reason = "the bridge's own tests kill nodes")]
#[path = "../../../bridge/tests/it/kafka.rs"]
mod cluster;

const SOURCE: &str = "simulate:seed=6,trips=20000";
const PARTITIONS: u32 = 3;

/// Longer than the sink needs, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

async fn broker(folder: &Path) -> Broker {
    let config = BrokerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: folder.to_path_buf(),
        ..BrokerConfig::default()
    };
    Broker::start(config).await.unwrap()
}

/// The topic's records in the form of the Kafka client's `dump` and `load`; their number.
#[expect(deprecated, reason = "nothing else gives a stream that ends")]
async fn write_records(broker: &Broker, topic: &str, file: &Path) -> usize {
    let config = FluvioClusterConfig::new(broker.address().to_string());
    let client = Fluvio::connect_with_config(&config).await.unwrap();
    let (mut bytes, mut count) = (Vec::new(), 0);
    for partition in 0..PARTITIONS {
        let consumer = client.partition_consumer(topic, partition).await.unwrap();
        let config = ConsumerConfig::builder()
            .disable_continuous(true)
            .max_bytes(64 << 20)
            .build()
            .unwrap();
        let stream = consumer.stream_with_config(Offset::beginning(), config);
        let mut records = stream.await.unwrap();
        while let Some(record) = records.next().await {
            let record = record.unwrap();
            bytes.extend(partition.to_be_bytes());
            bytes.extend(record.timestamp().to_be_bytes());
            for part in [record.key(), Some(record.value())] {
                let length = part.map_or(-1, |part| i32::try_from(part.len()).unwrap());
                bytes.extend(length.to_be_bytes());
                bytes.extend(part.unwrap_or_default());
            }
            bytes.extend(0_i32.to_be_bytes());
            count += 1;
        }
    }
    std::fs::write(file, bytes).unwrap();
    count
}

/// Departures and arrivals by partition, in Kafka's order, from what the client has dumped.
fn events(dump: &[u8]) -> Vec<Vec<Event>> {
    let mut partitions = vec![Vec::new(); PARTITIONS as usize];
    let mut rest = dump;
    while !rest.is_empty() {
        let partition = usize::try_from(take_number(&mut rest)).unwrap();
        take(&mut rest, 8);
        let key = take_number(&mut rest);
        assert_eq!(key, -1, "the module gives no keys");
        let length = usize::try_from(take_number(&mut rest)).unwrap();
        let output: SplitOutput = serde_json::from_slice(take(&mut rest, length)).unwrap();
        assert_eq!(take_number(&mut rest), 0, "headers");
        let offset = output.offset;
        let (docked, event) = match output.event {
            SplitEvent::Departure(event) => (false, event),
            SplitEvent::Arrival(event) => (true, event),
            _ => continue,
        };
        let station = event.station.station_id;
        partitions[partition].push((offset, docked, event.at, event.bike_id, station));
    }
    partitions
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken
}

fn take_number(rest: &mut &[u8]) -> i32 {
    i32::from_be_bytes(take(rest, 4).try_into().unwrap())
}

/// Runs `bikeshare` to its good end, while the broker runs on other threads.
fn run(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    let output = block_in_place(|| command.args(arguments).output().unwrap());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

fn bridge(kafka: &KafkaCluster, fluvio: &str, route: &str) {
    let brokers = kafka.brokers();
    run(&[
        "bridge", "--once", "--kafka", &brokers, "--fluvio", fluvio, "--topic", route,
    ]);
}

/// A running `bikeshare sink`; ends with the test.
struct Sink(Child);

impl Sink {
    fn start(fluvio: &str, tables: &Tables) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command.args(["sink", "--fluvio", fluvio, "--database-url", tables.url()]);
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trips_from_kafka_fill_the_tables_of_a_direct_load_and_their_events_are_read_in_kafka() {
    let Some(kafka) = cluster::cluster().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records");
    let path = file.to_str().unwrap();

    // The records are those that the producer has written for a direct load, ticks included.
    let direct = Machine::new();
    block_in_place(|| direct.once(SOURCE));
    let producers = broker(&direct.fluvio_dir()).await;
    let count = write_records(&producers, "trips", &file).await;
    producers.shutdown().await.unwrap();
    assert!(count > 20_000, "{count} records are not trips and ticks");
    kafka.python(&["create", "trips"]).await;
    kafka.python(&["load", "trips", path]).await;
    let mut expected = direct.tables().await;
    let digest = expected.digest().await;

    let fed = Machine::new();
    std::fs::create_dir_all(fed.data_dir()).unwrap();
    let mut tables = fed.tables().await;
    let mirror = broker(&fed.fluvio_dir()).await;
    let fluvio = mirror.address().to_string();
    run(&["cluster", "apply", "--fluvio", &fluvio]);
    sink::migrate(tables.url()).await.unwrap();
    let sink = Sink::start(&fluvio, &tables);
    bridge(kafka, &fluvio, "kafka:trips");
    let deadline = Instant::now() + PATIENCE;
    while tables.digest().await != digest && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(tables.digest().await, digest);
    assert_eq!(tables.windows_that_differ().await, 0);

    bridge(kafka, &fluvio, "fluvio:trips+trip-split=bike-events");
    kafka.python(&["dump", "bike-events", path]).await;
    let found = events(&std::fs::read(&file).unwrap());
    for (partition, found) in (0..).zip(found) {
        let stored = expected.events(partition).await;
        assert!(!stored.is_empty());
        assert!(found == stored, "partition {partition} differs");
    }
    drop(sink);
    mirror.shutdown().await.unwrap();
    tables.close().await;
    expected.close().await;
}
