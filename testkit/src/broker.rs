//! Fluvio: the embedded broker, or a real cluster whose address is given.
//!
//! `BIKESHARE_TEST_CLUSTER=HOST:PORT` names a real one to the tests that can run against both.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use embedded_broker::{Broker, BrokerConfig};
use fluvio::consumer::Record;
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::metadata::topic::TopicSpec;
use fluvio::{ConsumerConfig, Fluvio, FluvioAdmin, FluvioClusterConfig, Offset};
use futures_util::StreamExt as _;
use tempfile::TempDir;

use crate::{Seen, within_patience};

/// Bytes of one answer: a real cluster loses what is behind it.
const ANSWER_BYTES_MAX: i32 = 64 << 20;

/// A broker on a free port, with segments so small that tests roll them.
pub fn config(folder: &Path) -> BrokerConfig {
    BrokerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: folder.to_path_buf(),
        segment_bytes_max: 16 << 20,
        ..BrokerConfig::default()
    }
}

/// A broker on a folder, which may hold what an earlier one has left.
pub async fn start(folder: &Path) -> Broker {
    Broker::start(config(folder)).await.unwrap()
}

/// The same at this address.
pub async fn start_at(listen: SocketAddr, folder: &Path) -> Broker {
    let config = BrokerConfig {
        listen,
        ..config(folder)
    };
    Broker::start(config).await.unwrap()
}

/// The clients of who is at `HOST:PORT`.
pub async fn connect(address: &str) -> (Fluvio, FluvioAdmin) {
    let node = FluvioNode::at(address);
    (node.client().await, node.admin().await)
}

/// What is uploaded of a SmartModule.
pub fn module_spec(wasm: &[u8]) -> SmartModuleSpec {
    SmartModuleSpec {
        wasm: SmartModuleWasm::from_raw_wasm_bytes(wasm).unwrap(),
        ..SmartModuleSpec::default()
    }
}

/// A Fluvio as long as a test needs it.
#[derive(Debug)]
pub struct FluvioNode {
    /// `HOST:PORT`
    pub address: String,
    embedded: Option<Embedded>,
}

#[derive(Debug)]
struct Embedded {
    /// None while it is stopped.
    broker: Option<Broker>,
    config: BrokerConfig,
    folder: TempDir,
}

impl FluvioNode {
    /// A new broker on a folder of its own.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The same, otherwise configured.
    pub async fn start_with(change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        let broker = Broker::start(config.clone()).await.unwrap();
        // Where it is found again after a stop.
        config.listen = broker.address();
        Self {
            address: broker.address().to_string(),
            embedded: Some(Embedded {
                broker: Some(broker),
                config,
                folder,
            }),
        }
    }

    /// One that runs elsewhere, at `HOST:PORT`.
    pub fn at(address: impl ToString) -> Self {
        Self {
            address: address.to_string(),
            embedded: None,
        }
    }

    /// The real cluster that `BIKESHARE_TEST_CLUSTER` names.
    pub fn named() -> Option<Self> {
        std::env::var("BIKESHARE_TEST_CLUSTER").ok().map(Self::at)
    }

    /// The real cluster, or a new broker.
    pub async fn named_or_new() -> Self {
        match Self::named() {
            Some(node) => node,
            None => Self::start().await,
        }
    }

    /// Whether it is a broker of this process.
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The embedded broker's data.
    pub fn folder(&self) -> &Path {
        self.embedded.as_ref().unwrap().folder.path()
    }

    /// Stops the embedded broker in good order.
    pub async fn stop(&mut self) {
        let broker = self.embedded.as_mut().unwrap().broker.take().unwrap();
        broker.shutdown().await.unwrap();
    }

    /// Starts the embedded broker again where it was, with what it had.
    pub async fn start_again(&mut self) {
        let embedded = self.embedded.as_mut().unwrap();
        embedded.broker = Some(Broker::start(embedded.config.clone()).await.unwrap());
    }

    pub fn config(&self) -> FluvioClusterConfig {
        FluvioClusterConfig::new(&self.address)
    }

    /// A new client of topics.
    pub async fn client(&self) -> Fluvio {
        Fluvio::connect_with_config(&self.config()).await.unwrap()
    }

    /// A new client of the cluster's objects.
    pub async fn admin(&self) -> FluvioAdmin {
        FluvioAdmin::connect_with_config(&self.config())
            .await
            .unwrap()
    }

    /// Makes a topic.
    pub async fn create(&self, topic: &str, partitions: u32) {
        let spec = TopicSpec::new_computed(partitions, 1, None);
        let admin = self.admin().await;
        admin.create(topic.to_owned(), false, spec).await.unwrap();
    }

    /// Uploads a SmartModule, new or changed.
    pub async fn push(&self, name: &str, wasm: &[u8]) {
        let admin = self.admin().await;
        let created = admin.create(name.to_owned(), false, module_spec(wasm));
        created.await.unwrap();
    }

    /// What a topic holds, by partition; null values and headers are not visible to Fluvio's client.
    pub async fn dump(&self, topic: &str) -> Vec<Vec<Seen>> {
        let topics = self
            .admin()
            .await
            .list::<TopicSpec, _>(vec![topic.to_owned()])
            .await
            .unwrap();
        let found = topics.iter().find(|found| found.name == topic).unwrap();
        let client = self.client().await;
        let mut partitions = Vec::new();
        for partition in 0..found.spec.partitions() {
            partitions.push(partition_of(&client, topic, partition).await);
        }
        partitions
    }
}

#[expect(deprecated, reason = "nothing else gives a stream that ends")]
async fn partition_of(client: &Fluvio, topic: &str, partition: u32) -> Vec<Seen> {
    let consumer = client.partition_consumer(topic, partition).await.unwrap();
    let config = ConsumerConfig::builder()
        .disable_continuous(true)
        .max_bytes(ANSWER_BYTES_MAX)
        .build()
        .unwrap();
    let stream = consumer.stream_with_config(Offset::beginning(), config);
    let records = stream
        .await
        .unwrap()
        .map(|record| Seen::from(&record.unwrap()));
    within_patience("the partition is read", records.collect()).await
}

impl From<&Record> for Seen {
    fn from(record: &Record) -> Self {
        Self {
            timestamp: record.timestamp(),
            key: record.key().map(Bytes::copy_from_slice),
            value: Some(Bytes::copy_from_slice(record.value())),
            headers: Vec::new(),
        }
    }
}
