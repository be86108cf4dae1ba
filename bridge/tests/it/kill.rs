//! kill -9 of the bridge, of Fluvio and of Kafka's nodes while records come in: no record is lost,
//! none doubled, and the order is kept.

#![expect(clippy::print_stdout, reason = "the seed belongs to a failure")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, NODES, cluster};
use testkit::{Process, free_address, modules, within_patience};
use tokio_util::sync::CancellationToken;

use crate::support::{BridgeOf as _, assert_same, assert_same_in_fluvio, config, mirror, values};

const KILLS_OF_BRIDGE: usize = 34;
const KILLS_OF_FLUVIO: usize = 10;
const KILLS_OF_KAFKA: usize = 6;

/// Times 2,000 records, while all that happens.
const WRITES: usize = 24;

/// Between two faults, long enough for some batches.
const MOMENTS_MS: std::ops::Range<u64> = 300..3_000;

/// The process to be killed.
const BRIDGE: &str = "kill::bridge_to_be_killed";

const ROUTES: [&str; 3] = [
    "kafka:kill=kill",
    "fluvio:kill=kill-back",
    "fluvio:kill+pair=kill-pairs",
];

/// What the module gives for each stored batch.
const PAIR: [&str; 2] = ["departure", "arrival"];

/// What the processes to be killed are told.
pub(crate) const FLUVIO_ADDRESS: &str = "BIKESHARE_TEST_FLUVIO_ADDRESS";
const FLUVIO_FOLDER: &str = "BIKESHARE_TEST_FLUVIO_FOLDER";
pub(crate) const KAFKA_BROKERS: &str = "BIKESHARE_TEST_KAFKA_BROKERS";

/// Not a test by itself: a process that the test below kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `killing_any_part_at_random_moments_loses_and_doubles_nothing`"]
async fn bridge_to_be_killed() {
    let (Ok(address), Ok(brokers)) = (std::env::var(FLUVIO_ADDRESS), std::env::var(KAFKA_BROKERS))
    else {
        return;
    };
    let mut config = config(brokers, "kill", &ROUTES);
    config.once = false;
    // Small, for many moments at which something can be cut in two.
    config.batch_bytes = 8 << 10;
    config.fetch_bytes = 5 << 18;
    let fluvio = FluvioNode::at(address);
    bridge::run(fluvio.config(), config, CancellationToken::new())
        .await
        .unwrap();
}

/// Not a test by itself: another one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `killing_any_part_at_random_moments_loses_and_doubles_nothing`"]
async fn fluvio_to_be_killed() {
    let (Ok(address), Ok(folder)) = (std::env::var(FLUVIO_ADDRESS), std::env::var(FLUVIO_FOLDER))
    else {
        return;
    };
    let address = address.parse().unwrap();
    let _broker = testkit::broker::start_at(address, Path::new(&folder)).await;
    std::future::pending::<()>().await;
}

/// A process in which `test` runs the bridge.
pub(crate) fn bridge_process(test: &str, kafka: &KafkaCluster, fluvio: &str) -> Process {
    let brokers = kafka.brokers();
    Process::of_test(test, &[(FLUVIO_ADDRESS, fluvio), (KAFKA_BROKERS, &brokers)])
}

fn fluvio_process(folder: &Path, address: SocketAddr) -> Process {
    let (folder, address) = (folder.to_str().unwrap(), address.to_string());
    let variables = [(FLUVIO_ADDRESS, address.as_str()), (FLUVIO_FOLDER, folder)];
    Process::of_test("kill::fluvio_to_be_killed", &variables)
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_any_part_at_random_moments_loses_and_doubles_nothing() {
    let Some(kafka) = cluster().await else { return };
    let _alone = kafka.alone.write().await;
    kafka.python(&["create", "kill"]).await;
    let seed = rand::random();
    println!("moments from seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut moment = || Duration::from_millis(random.random_range(MOMENTS_MS));

    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let mut fluvio = fluvio_process(folder.path(), address);
    let node = FluvioNode::at(address);
    within_patience("fluvio runs", async {
        while fluvio::Fluvio::connect_with_config(&node.config())
            .await
            .is_err()
        {}
    })
    .await;
    node.push("pair", &modules::giving(&PAIR)).await;
    let mut running = bridge_process(BRIDGE, kafka, &node.address);
    let write = async {
        for seed in 0..WRITES {
            let seed = seed.to_string();
            kafka.python(&["write", "kill", "2000", &seed, "1"]).await;
        }
    };
    let faults = async {
        for _ in 0..KILLS_OF_BRIDGE {
            tokio::time::sleep(moment()).await;
            drop(running);
            running = bridge_process(BRIDGE, kafka, &node.address);
        }
        for _ in 0..KILLS_OF_FLUVIO {
            tokio::time::sleep(moment()).await;
            drop(fluvio);
            fluvio = fluvio_process(folder.path(), address);
        }
        (running, fluvio)
    };
    let ((), (running, _fluvio)) = tokio::join!(write, faults);
    for node in (0..NODES).cycle().take(KILLS_OF_KAFKA) {
        let write = kafka.python(&["write", "kill", "1000", "4", "1"]);
        let fault = async {
            tokio::time::sleep(moment()).await;
            kafka.kill_node(node);
            tokio::time::sleep(moment()).await;
            kafka.start_node(node);
        };
        tokio::join!(write, fault);
        tokio::task::block_in_place(|| kafka.wait_until_complete());
    }
    drop(running);

    // The next ones finish what is left: first all that goes to Fluvio, then all that goes back. One
    // route without the other would wait a minute for the other's transaction to end by itself.
    for routes in [&ROUTES[..1], &ROUTES[1..]] {
        let finished = mirror(&node, kafka.config("kill", routes)).await.unwrap();
        println!("{routes:?}, left: {finished:?}");
    }
    let written = within_patience("kafka is read", kafka.dump("kill")).await;
    assert!(written.iter().map(Vec::len).sum::<usize>() >= 2_000 * WRITES + 1_000 * KILLS_OF_KAFKA);
    assert_same_in_fluvio(&node.dump("kill").await, &written);
    assert_same("back in Kafka", &kafka.dump("kill-back").await, &written);

    // The outputs are those of a run that nobody interrupts.
    let smooth = kafka.config("smooth", &["fluvio:kill+pair=kill-smooth"]);
    mirror(&node, smooth).await.unwrap();
    let (found, expected) = (
        kafka.dump("kill-pairs").await,
        kafka.dump("kill-smooth").await,
    );
    for (found, expected) in found.iter().zip(&expected) {
        assert!(!expected.is_empty());
        assert_eq!(values(found), values(expected));
    }
}
