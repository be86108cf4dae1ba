//! The whole job fed from Kafka, and its events read there: the same as without Kafka.

use std::process::{Command, Stdio};

use domain::{SplitEvent, SplitOutput};
use testkit::broker::{FluvioNode, start};
use testkit::kafka::{KafkaCluster, cluster};
use testkit::{Process, Seen, wait_until};
use tokio::task::block_in_place;

use crate::machine::{Event, Machine, Tables};

const SOURCE: &str = "simulate:seed=6,trips=20000";

/// Departures and arrivals of a partition, in Kafka's order.
fn events(partition: &[Seen]) -> Vec<Event> {
    let mut events = Vec::new();
    for record in partition {
        assert_eq!(record.key, None, "the module gives no keys");
        assert_eq!(record.headers, []);
        let value = record.value.as_deref().unwrap();
        let output: SplitOutput<'_> = serde_json::from_slice(value).unwrap();
        let (docked, event) = match output.event {
            SplitEvent::Departure(event) => (false, event),
            SplitEvent::Arrival(event) => (true, event),
            _ => continue,
        };
        let station = event.station.station_id;
        let bike_id = event.bike_id.map(String::from);
        events.push((output.offset, docked, event.at, bike_id, station.into()));
    }
    events
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
fn sink(fluvio: &str, tables: &Tables) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command.args(["sink", "--fluvio", fluvio, "--database-url", tables.url()]);
    Process::start(command.stdout(Stdio::null()))
}

#[tokio::test(flavor = "multi_thread")]
async fn trips_from_kafka_fill_the_tables_of_a_direct_load_and_their_events_are_read_in_kafka() {
    let Some(kafka) = cluster().await else { return };

    // The records are those that the producer has written for a direct load, ticks included.
    let direct = Machine::new();
    block_in_place(|| direct.once(SOURCE));
    let producers = start(&direct.fluvio_dir()).await;
    let written = FluvioNode::at(producers.address()).dump("trips").await;
    producers.shutdown().await.unwrap();
    let count = written.iter().map(Vec::len).sum::<usize>();
    assert!(count > 20_000, "{count} records are not trips and ticks");
    kafka.python(&["create", "trips"]).await;
    kafka.load("trips", &written).await;
    let mut expected = direct.tables().await;
    let digest = expected.digest().await;

    let fed = Machine::new();
    std::fs::create_dir_all(fed.data_dir()).unwrap();
    let mut tables = fed.tables().await;
    let mirror = start(&fed.fluvio_dir()).await;
    let fluvio = mirror.address().to_string();
    run(&["cluster", "apply", "--fluvio", &fluvio]);
    sink::migrate(tables.url()).await.unwrap();
    let sink = sink(&fluvio, &tables);
    bridge(kafka, &fluvio, "kafka:trips");
    wait_until("the tables are those of the direct load", async || {
        tables.digest().await == digest
    })
    .await;
    assert_eq!(tables.windows_that_differ().await, 0);

    bridge(kafka, &fluvio, "fluvio:trips+trip-split=bike-events");
    for (partition, found) in (0..).zip(kafka.dump("bike-events").await) {
        let stored = expected.events(partition).await;
        assert!(!stored.is_empty());
        assert!(events(&found) == stored, "partition {partition} differs");
    }
    drop(sink);
    mirror.shutdown().await.unwrap();
    tables.close().await;
    expected.close().await;
}
