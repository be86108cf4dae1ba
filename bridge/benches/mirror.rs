//! How fast topics are mirrored, beside the plainest thing that copies and beside Kafka's own mirror.
//!
//! The same records, three real Kafka nodes and the embedded Fluvio, in one run: *a loop* that reads
//! from Kafka and produces into it again, *`MirrorMaker` 2* from Kafka to Kafka, at least once as it
//! comes, and the bridge in both directions, exactly once. Start with `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bridge::{BridgeConfig, Route};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, cluster};
use testkit::{Figure, Process, median};
use tokio_util::sync::CancellationToken;

/// Each way is measured this many times; the median counts.
const ROUNDS: usize = 3;
const RECORDS: usize = 300_000;
/// About a trip's.
const VALUE_BYTES: usize = 250;
const PARTITIONS: i32 = 3;

const TOPIC: &str = "bench";
const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() {
    let Some(kafka) = cluster().await else { return };
    kafka.python(&["create", TOPIC]).await;
    fill(kafka);
    let fluvio = FluvioNode::start_with(|config| config.segment_bytes_max = 64 << 20).await;
    let mut seconds = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        let there = format!("there-{round}");
        let name = |text: &str| format!("{text}-{round}");
        kafka.python(&["create", &name("loop")]).await;
        let looped = || copy_in_a_loop(kafka, &name("loop"));
        seconds[0].push(tokio::task::block_in_place(looped));
        let mirrored = || mirror_maker(kafka, &name("mm"));
        seconds[1].push(tokio::task::block_in_place(mirrored));
        let routes = [
            format!("kafka:{TOPIC}={there}"),
            format!("fluvio:{there}={}", name("back")),
        ];
        for (way, route) in routes.iter().enumerate() {
            seconds[2 + way].push(bridge_once(kafka, &fluvio, route).await);
        }
    }
    report(&seconds);
}

fn report(rounds: &[Vec<f64>; 4]) {
    let names = [
        "a loop, Kafka to Kafka",
        "MirrorMaker 2, the same",
        "bridge, Kafka to Fluvio",
        "bridge, Fluvio to Kafka",
    ];
    for (name, seconds) in names.into_iter().zip(rounds) {
        let rates = seconds.iter().map(|seconds| RECORDS as f64 / seconds);
        Figure::new("mirror", name, "records/s", rates.collect()).record();
    }
    let seconds = rounds.each_ref().map(|rounds| median(rounds));
    println!(
        "{RECORDS} records of {VALUE_BYTES} bytes, {PARTITIONS} partitions, median of {ROUNDS} \
         rounds; MirrorMaker without its start"
    );
    for (name, seconds_taken) in names.into_iter().zip(seconds) {
        println!(
            "  {name:<24} {seconds_taken:.2} s, {:.0} records/s, {:.2} of the loop's rate, {:.2} of \
             MirrorMaker's",
            RECORDS as f64 / seconds_taken,
            seconds[0] / seconds_taken,
            seconds[1] / seconds_taken,
        );
    }
}

fn client(kafka: &KafkaCluster) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka.brokers())
        .set("group.id", "bench");
    config
}

fn producer(kafka: &KafkaCluster) -> BaseProducer {
    let mut config = client(kafka);
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "20");
    config.create().unwrap()
}

fn send(producer: &BaseProducer, mut record: BaseRecord<'_, [u8], [u8]>) {
    while let Err((_, back)) = producer.send(record) {
        producer.poll(POLL);
        record = back;
    }
}

fn fill(kafka: &KafkaCluster) {
    let producer = producer(kafka);
    let mut value = vec![b'.'; VALUE_BYTES];
    for number in 0..RECORDS {
        let key = (number % 350).to_string();
        value[..7].copy_from_slice(format!("{number:07}").as_bytes());
        let partition = i32::try_from(number).unwrap() % PARTITIONS;
        let record = BaseRecord::to(TOPIC).partition(partition);
        send(&producer, record.key(key.as_bytes()).payload(&value));
    }
    producer.flush(PATIENCE).unwrap();
}

/// Reads every record and produces it into another topic.
fn copy_in_a_loop(kafka: &KafkaCluster, target: &str) -> f64 {
    let started = Instant::now();
    let consumer: BaseConsumer = client(kafka).create().unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let offset = Offset::Beginning;
        all.add_partition_offset(TOPIC, partition, offset).unwrap();
    }
    consumer.assign(&all).unwrap();
    let producer = producer(kafka);
    for _ in 0..RECORDS {
        let message = consumer.poll(PATIENCE).unwrap().unwrap();
        let record = BaseRecord::to(target)
            .partition(message.partition())
            .key(message.key().unwrap())
            .payload(message.payload().unwrap());
        send(&producer, record);
    }
    producer.flush(PATIENCE).unwrap();
    started.elapsed().as_secs_f64()
}

/// From the first record in its target to the last, so without its start.
fn mirror_maker(kafka: &KafkaCluster, alias: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mirror.properties");
    std::fs::write(&file, properties(kafka, alias)).unwrap();
    let _process = start_mirror_maker(kafka, &file, &folder.path().join("log"));
    let target = format!("{alias}.{TOPIC}");
    let consumer: BaseConsumer = client(kafka).create().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut started = None;
    loop {
        assert!(Instant::now() < deadline, "MirrorMaker does not end");
        match stored(&consumer, &target) {
            0 => {}
            RECORDS => break,
            _ => started = started.or_else(|| Some(Instant::now())),
        }
        std::thread::sleep(POLL);
    }
    started.unwrap().elapsed().as_secs_f64()
}

fn start_mirror_maker(kafka: &KafkaCluster, properties: &Path, log: &Path) -> Process {
    let log = std::fs::File::create(log).unwrap();
    let mut command = Command::new("java");
    command.arg("-Xmx512m").arg("-cp").arg(kafka.class_path());
    command.arg("org.apache.kafka.connect.mirror.MirrorMaker");
    command
        .arg(properties)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    Process::start(&mut command)
}

/// Both clusters are the same one, so that both ways have the same brokers.
fn properties(kafka: &KafkaCluster, alias: &str) -> String {
    let brokers = kafka.brokers();
    format!(
        "clusters={alias},to-{alias}\n\
         {alias}.bootstrap.servers={brokers}\n\
         to-{alias}.bootstrap.servers={brokers}\n\
         {alias}->to-{alias}.enabled=true\n\
         {alias}->to-{alias}.topics={TOPIC}\n\
         to-{alias}->{alias}.enabled=false\n\
         replication.factor=2\n\
         offset-syncs.topic.replication.factor=2\n\
         offset.storage.replication.factor=2\n\
         status.storage.replication.factor=2\n\
         config.storage.replication.factor=2\n\
         emit.heartbeats.enabled=false\n\
         emit.checkpoints.enabled=false\n\
         tasks.max=3\n"
    )
}

/// How many records a topic of Kafka holds, without transactions.
fn stored(consumer: &BaseConsumer, topic: &str) -> usize {
    let count = |partition| {
        let range = consumer.fetch_watermarks(topic, partition, Duration::from_secs(10));
        range.map_or(0, |(start, end)| end - start)
    };
    usize::try_from((0..PARTITIONS).map(count).sum::<i64>()).unwrap()
}

/// From its start to its end.
async fn bridge_once(kafka: &KafkaCluster, fluvio: &FluvioNode, route: &str) -> f64 {
    let config = BridgeConfig {
        kafka: kafka.brokers(),
        routes: vec![Route::parse(route, None).unwrap()],
        name: route.replace([':', '='], "-"),
        once: true,
        ..BridgeConfig::default()
    };
    let started = Instant::now();
    let summary = bridge::run(fluvio.config(), config, CancellationToken::new()).await;
    assert_eq!(summary.unwrap().copied, RECORDS as u64);
    started.elapsed().as_secs_f64()
}
