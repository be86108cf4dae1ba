//! An embedded Fluvio for each test, and what topics hold on both sides.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bridge::{BridgeConfig, BridgeError, Route, Summary};
use bytes::{Buf, Bytes};
use embedded_broker::{Broker, BrokerConfig};
use fluvio::consumer::Record as ConsumerRecord;
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::{ConsumerConfig, Fluvio, FluvioAdmin, FluvioClusterConfig, Offset};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::kafka::KafkaCluster;

pub(crate) const PARTITIONS: u32 = 3;

/// Longer than anything a test waits for, even on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A Fluvio, with a folder of its own unless it runs elsewhere.
pub(crate) struct FluvioNode {
    /// `HOST:PORT`
    pub(crate) address: String,
    _running: Option<(Broker, TempDir)>,
}

impl FluvioNode {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = broker(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
        Self {
            address: broker.address().to_string(),
            _running: Some((broker, folder)),
        }
    }

    /// The cluster that `BIKESHARE_TEST_CLUSTER` names, or a new one.
    pub(crate) async fn named_or_new() -> Self {
        match std::env::var("BIKESHARE_TEST_CLUSTER") {
            Ok(address) => Self::at(address),
            Err(_) => Self::start().await,
        }
    }

    /// One that runs in another process.
    pub(crate) fn at(address: String) -> Self {
        Self {
            address,
            _running: None,
        }
    }

    pub(crate) fn config(&self) -> FluvioClusterConfig {
        FluvioClusterConfig::new(&self.address)
    }

    pub(crate) async fn client(&self) -> Fluvio {
        Fluvio::connect_with_config(&self.config()).await.unwrap()
    }

    pub(crate) async fn admin(&self) -> FluvioAdmin {
        FluvioAdmin::connect_with_config(&self.config())
            .await
            .unwrap()
    }

    /// Uploads a SmartModule, new or changed.
    pub(crate) async fn push(&self, name: &str, wasm: &[u8]) {
        let spec = SmartModuleSpec {
            wasm: SmartModuleWasm::from_raw_wasm_bytes(wasm).unwrap(),
            ..SmartModuleSpec::default()
        };
        let admin = self.admin().await;
        admin.create(name.to_owned(), false, spec).await.unwrap();
    }

    /// What a topic holds, read by Fluvio's own client; null values and headers are not visible.
    #[expect(deprecated, reason = "nothing else gives a stream that ends")]
    pub(crate) async fn dump(&self, topic: &str) -> Vec<Vec<Seen>> {
        let client = self.client().await;
        let mut partitions = Vec::new();
        for partition in 0..PARTITIONS {
            let consumer = client.partition_consumer(topic, partition).await.unwrap();
            let config = ConsumerConfig::builder()
                .disable_continuous(true)
                .max_bytes(64 << 20) // A real cluster loses what is behind it.
                .build()
                .unwrap();
            let stream = consumer
                .stream_with_config(Offset::beginning(), config)
                .await
                .unwrap();
            partitions.push(stream.map(|record| seen(&record.unwrap())).collect().await);
        }
        partitions
    }
}

/// A record as Fluvio's own client sees it.
pub(crate) fn seen(record: &ConsumerRecord) -> Seen {
    Seen {
        timestamp: record.timestamp(),
        key: record.key().map(Bytes::copy_from_slice),
        value: Some(Bytes::copy_from_slice(record.value())),
        headers: Vec::new(),
    }
}

pub(crate) async fn broker(folder: &Path, listen: SocketAddr) -> Broker {
    let config = BrokerConfig {
        listen,
        data_dir: folder.to_path_buf(),
        segment_bytes_max: 16 << 20,
        ..BrokerConfig::default()
    };
    Broker::start(config).await.unwrap()
}

/// A record without its offset, which differs by Kafka's transaction markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(Option<Bytes>, Option<Bytes>)>,
}

impl Seen {
    /// As Fluvio's own client shows it.
    fn as_in_fluvio(&self) -> Self {
        Self {
            value: Some(self.value.clone().unwrap_or_default()),
            headers: Vec::new(),
            ..self.clone()
        }
    }
}

impl KafkaCluster {
    /// What a topic holds, by partition, read by another client than the bridge's.
    pub(crate) async fn dump(&self, topic: &str) -> Vec<Vec<Seen>> {
        self.dump_with(topic, &[]).await
    }

    /// What the group of the topic's name has not read yet.
    pub(crate) async fn rest(&self, topic: &str) -> Vec<Vec<Seen>> {
        self.dump_with(topic, &[topic]).await
    }

    async fn dump_with(&self, topic: &str, group: &[&str]) -> Vec<Vec<Seen>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump");
        let arguments = ["dump", topic, file.to_str().unwrap()];
        self.python(&[&arguments, group].concat()).await;
        let mut bytes = Bytes::from(std::fs::read(file).unwrap());
        let mut partitions = vec![Vec::new(); PARTITIONS as usize];
        while bytes.has_remaining() {
            let partition = usize::try_from(bytes.get_i32()).unwrap();
            partitions[partition].push(Seen {
                timestamp: bytes.get_i64(),
                key: framed(&mut bytes),
                value: framed(&mut bytes),
                headers: (0..bytes.get_i32())
                    .map(|_| (framed(&mut bytes), framed(&mut bytes)))
                    .collect(),
            });
        }
        partitions
    }

    pub(crate) fn config(&self, name: &str, routes: &[&str]) -> BridgeConfig {
        config(self.brokers(), name, routes)
    }
}

/// Mirrors what is there, then ends.
pub(crate) fn config(brokers: String, name: &str, routes: &[&str]) -> BridgeConfig {
    let parse = |text: &&str| Route::parse(text, None).unwrap();
    BridgeConfig {
        kafka: brokers,
        routes: routes.iter().map(parse).collect(),
        name: name.to_owned(),
        once: true,
        ..BridgeConfig::default()
    }
}

fn framed(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(bytes.get_i32()).ok()?;
    Some(bytes.split_to(length))
}

/// Mirrors what is there.
pub(crate) async fn mirror(
    fluvio: &FluvioNode,
    config: BridgeConfig,
) -> Result<Summary, BridgeError> {
    let running = bridge::run(fluvio.config(), config, CancellationToken::new());
    within_patience("everything is mirrored", Box::pin(running)).await
}

/// Fails at the first record that differs.
pub(crate) fn assert_same(what: &str, found: &[Vec<Seen>], expected: &[Vec<Seen>]) {
    for (partition, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        let (found_len, len) = (found.len(), expected.len());
        assert!(
            same == len && same == found_len,
            "{what}, partition {partition}: {same} records are the same, then they differ; \
             {found_len} records of {len}"
        );
    }
}

/// The same, with what Fluvio's own client cannot see left out.
pub(crate) fn assert_same_in_fluvio(found: &[Vec<Seen>], expected: &[Vec<Seen>]) {
    let expected: Vec<Vec<Seen>> = expected
        .iter()
        .map(|records| records.iter().map(Seen::as_in_fluvio).collect())
        .collect();
    assert_same("fluvio", found, &expected);
}

/// The values as text.
pub(crate) fn values(records: &[Seen]) -> Vec<String> {
    let text = |seen: &Seen| String::from_utf8(seen.value.clone().unwrap().to_vec()).unwrap();
    records.iter().map(text).collect()
}

/// Fails the test, instead of hanging, if something does not happen.
pub(crate) async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("gave up waiting until {what}"),
    }
}
