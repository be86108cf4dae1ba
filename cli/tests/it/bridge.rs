//! `bridge` as a program: what it is told by a file, how it stops, and what it refuses.
//!
//! Kafka is librdkafka's own stand-in here, for one broker is enough; the real one is in `bridge`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use expect_test::expect;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use testkit::broker::FluvioNode;

const PARTITIONS: u32 = 3;
const FEW: usize = 300;

fn bridge(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command
        .arg("bridge")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn producer(brokers: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap()
}

fn produce(producer: &BaseProducer, topic: &str, records: usize) {
    for number in 0..records {
        let value = number.to_string();
        let partition = i32::try_from(number % PARTITIONS as usize).unwrap();
        let record = BaseRecord::<str, str>::to(topic)
            .partition(partition)
            .payload(&value);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// How often each value stands in the topic.
async fn values(fluvio: &FluvioNode, topic: &str) -> BTreeMap<Option<Bytes>, usize> {
    let mut values = BTreeMap::new();
    for record in fluvio.dump(topic).await.into_iter().flatten() {
        *values.entry(record.value).or_default() += 1;
    }
    values
}

/// SIGTERM, as a service manager sends it; gives what the program left.
fn terminate(bridge: Child) -> Output {
    let pid = bridge.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(sent.success());
    bridge.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_bridge_after_its_batches_and_the_last_line_says_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("flow", 3, 1).unwrap();
    let fluvio = FluvioNode::start().await;
    let mut running = bridge(folder.path())
        .args([
            "--topic",
            "kafka:flow",
            "--kafka",
            &kafka.bootstrap_servers(),
        ])
        .args(["--fluvio", &fluvio.address])
        .spawn()
        .unwrap();
    let log = running.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let lines = BufReader::new(log).lines();
        lines.map_while(Result::ok).collect::<Vec<_>>()
    });

    let producer = producer(&kafka.bootstrap_servers());
    let stopped = tokio::task::spawn_blocking(move || {
        // Records come in all the time, also while it stops.
        let mut written = 0;
        let mut running = Some(running);
        let mut stopped = None;
        for round in 0..60 {
            produce(&producer, "flow", FEW);
            written += FEW;
            std::thread::sleep(Duration::from_millis(50));
            if round == 50 {
                stopped = running.take().map(terminate);
            }
        }
        (written, stopped.unwrap())
    });
    let (written, output) = stopped.await.unwrap();
    let log = log.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{log:?}");

    let stdout = String::from_utf8(output.stdout).unwrap();
    let (mirrored, rest) = stdout.trim().split_once(' ').unwrap();
    expect!["records mirrored, 0 offsets without a record passed over, 0 deleted before they could be mirrored"].assert_eq(rest);
    let mirrored: usize = mirrored.parse().unwrap();
    assert!(
        (FEW..=written).contains(&mirrored),
        "{mirrored} of {written}"
    );
    let stored = values(&fluvio, "flow").await;
    assert_eq!(stored.values().sum::<usize>(), mirrored);
    let goes_on = "kafka:flow=flow/0: goes on at Kafka offset 0, Fluvio offset 0";
    assert!(log.iter().any(|line| line.contains(goes_on)), "{log:?}");

    // The next one copies the rest, and nothing twice.
    let output = bridge(folder.path())
        .args([
            "--topic",
            "kafka:flow",
            "--kafka",
            &kafka.bootstrap_servers(),
        ])
        .args(["--fluvio", &fluvio.address, "--once"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stored = values(&fluvio, "flow").await;
    assert_eq!(stored.values().sum::<usize>(), written);
    assert!(stored.values().all(|times| *times == written / FEW));
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_and_both_directions_come_from_a_section_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = MockCluster::new(1).unwrap();
    for topic in ["one", "two"] {
        kafka.create_topic(topic, 3, 1).unwrap();
        produce(&producer(&kafka.bootstrap_servers()), topic, FEW);
    }
    let fluvio = FluvioNode::start().await;
    let access = format!("bootstrap.servers={}\n", kafka.bootstrap_servers());
    std::fs::write(folder.path().join("kafka.conf"), access).unwrap();
    let settings = format!(
        "fluvio = \"{}\"\n[bridge]\ntopic = [\"kafka:one\", \"kafka:two=second\"]\n\
         kafka-config = \"kafka.conf\"\nonce = true\n",
        fluvio.address
    );
    std::fs::write(folder.path().join("bikeshare.toml"), settings).unwrap();
    let output = tokio::task::block_in_place(|| bridge(folder.path()).output().unwrap());
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    expect![[r#"
        600 records mirrored, 0 offsets without a record passed over, 0 deleted before they could be mirrored
    "#]]
    .assert_eq(&stdout);
    for topic in ["one", "second"] {
        let stored = values(&fluvio, topic).await;
        assert_eq!(stored.values().sum::<usize>(), FEW, "{topic}");
    }
}

/// What a call that must fail says, without the secret in its files.
fn refused(file: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kafka.conf"), file).unwrap();
    let mut command = bridge(folder.path());
    command.args(["--topic", "kafka:a", "--fluvio", "127.0.0.1:9"]);
    let output = command.args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("secret"), "{stderr}");
    stderr.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn settings_for_kafka_that_are_wrong_are_refused_and_no_secret_is_printed() {
    let file = ["--kafka-config", "kafka.conf"];
    expect![[r#"error: could not use --kafka-config "kafka.conf": caused by line 2 is not of the form NAME=VALUE"#]].assert_eq(&refused("client.id=x\nsecret\n", &file));
    expect![[r#"error: could not read --kafka-config "missing.conf": caused by No such file or directory (os error 2)"#]].assert_eq(&refused("", &["--kafka-config", "missing.conf"]));
    expect!["error: could not use a --kafka-property: caused by a setting of the Kafka client has the form NAME=VALUE"].assert_eq(&refused("", &["--kafka-property", "secret"]));
    expect![[r#"error: the bridge has stopped: caused by the Kafka client cannot be set up so: No such configuration property: "sasl.pasword""#]].assert_eq(&refused("sasl.pasword=secret", &file));
}

#[test]
fn a_secret_in_the_file_is_not_in_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[bridge]\nkafka-property = [\"sasl.password=secret\"]\n";
    std::fs::write(folder.path().join("bikeshare.toml"), settings).unwrap();
    let output = bridge(folder.path()).arg("--help").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(!help.contains("secret"), "{help}");
}
