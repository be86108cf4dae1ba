//! A producer in a process of its own: to be killed, measured, or given an environment.

use std::time::Duration;

use fluvio::FluvioClusterConfig;
use producer::{FilesConfig, ProducerConfig, Progress, S3Config};
use testkit::within_patience;
use tokio::process::Command;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Cluster, RESPONSE_MAX};

const ADDRESS: &str = "PRODUCER_TEST_ADDRESS";
const SOURCE: &str = "PRODUCER_TEST_SOURCE";
const S3: &str = "PRODUCER_TEST_S3";
const SPILL: &str = "PRODUCER_TEST_SPILL";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by other tests, in a process of its own"]
#[expect(clippy::print_stdout, reason = "the figure is the result")]
async fn life() {
    let config = FluvioClusterConfig::new(std::env::var(ADDRESS).unwrap());
    let cluster = partition_client::Cluster::new(config, RESPONSE_MAX);
    let (progress, _) = watch::channel(Progress::default());
    let config = ProducerConfig {
        files: FilesConfig {
            spill_dir: std::env::var_os(SPILL).map(Into::into),
            s3: S3Config {
                endpoint: std::env::var(S3).ok(),
                path_style: true,
                anonymous: std::env::var_os("AWS_ACCESS_KEY_ID").is_none(),
                ..S3Config::default()
            },
            ..FilesConfig::default()
        },
        ..ProducerConfig::default()
    };
    let source = std::env::var(SOURCE).unwrap().parse().unwrap();
    let stop = CancellationToken::new();
    producer::run(&cluster, source, config, progress, stop)
        .await
        .unwrap();
    println!("peak {} MB", peak_bytes() / 1_000_000);
}

/// The most memory this process has had, resident.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1_024
}

/// A process that sends `source` to the cluster.
pub(crate) fn process(cluster: &Cluster, source: &str) -> Command {
    let mut process = Command::new(std::env::current_exe().unwrap());
    process
        .args(["--exact", "life::life", "--ignored", "--nocapture"])
        .env(ADDRESS, cluster.address.to_string())
        .env(SOURCE, source)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true);
    process
}

/// Runs a process to its end; gives what it has printed.
pub(crate) async fn live(
    cluster: &Cluster,
    source: &str,
    set_up: impl FnOnce(&mut Command),
) -> String {
    let mut process = process(cluster, source);
    set_up(&mut process);
    let output = within_patience("the process ends", process.output())
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// Starts a process and kills it after a while, by SIGKILL.
pub(crate) async fn live_and_die(cluster: &Cluster, process: &mut Command, after: Duration) {
    let process = process.stdout(std::process::Stdio::null());
    let mut process = process.spawn().unwrap();
    if tokio::time::timeout(after, process.wait()).await.is_err() {
        process.kill().await.unwrap();
    }
    // The broker may still have the last batch before it: what it stores after the next producer
    // has looked would stand there twice, and be dropped by readers.
    let mut before = None;
    while before != Some(cluster.rows_stored().await) {
        before = Some(cluster.rows_stored().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
async fn memory_of_a_month_of_four_million_trips() {
    use testkit::archives::{city, shuffled, zip};

    let server = testkit::s3::S3Server::start().await;
    let text = shuffled(&city("trips=4000000,days=30,stations=600,bikes=30000"));
    server.put("202606-trips.zip", &zip(&[("202606-trips.csv", &text)]));
    drop(text);
    let local = server.path("202606-trips.zip");
    for source in ["s3://tripdata", local.to_str().unwrap()] {
        let cluster = crate::support::cluster().await;
        let spill = tempfile::tempdir().unwrap();
        let started = std::time::Instant::now();
        let mut process = process(&cluster, source);
        process.env(S3, server.endpoint()).env(SPILL, spill.path());
        let output = process.output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        let peak = text.lines().find(|line| line.starts_with("peak")).unwrap();
        println!("{source}: {peak}, {:.0} s", started.elapsed().as_secs_f64());
    }
}
