//! A cluster to test against: an embedded broker, or a real one whose address is given.
//!
//! `BIKESHARE_TEST_CLUSTER=HOST:PORT cargo test --release --workspace --test it -- conformance chains`
//! runs the same bodies against a real cluster. Each test uses topics and modules of its own.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig};
use fluvio::consumer::{ConsumerConfigExt, ConsumerConfigExtBuilder, RetryMode};
use fluvio::metadata::topic::TopicSpec;
use fluvio::{Fluvio, FluvioAdmin, FluvioClusterConfig, Offset, RecordKey};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything a test waits for, even on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Longest wait for the response to a creation.
const RESPONSE_WAIT_MAX: Duration = Duration::from_secs(10);

/// A cluster that lives as long as the test.
pub(crate) struct Cluster {
    address: String,
    pub(crate) client: Fluvio,
    pub(crate) admin: FluvioAdmin,
    /// Absent if the cluster is a real one.
    embedded: Option<(Broker, TempDir)>,
}

/// The cluster named by `BIKESHARE_TEST_CLUSTER`, or a new embedded one.
pub(crate) async fn cluster() -> Cluster {
    if let Ok(address) = std::env::var("BIKESHARE_TEST_CLUSTER") {
        let (client, admin) = connect(&address).await;
        return Cluster {
            address,
            client,
            admin,
            embedded: None,
        };
    }
    embedded().await
}

/// A new embedded broker, for what a real cluster does not do or cannot be asked for.
pub(crate) async fn embedded() -> Cluster {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let address = broker.address().to_string();
    let (client, admin) = connect(&address).await;
    Cluster {
        address,
        client,
        admin,
        embedded: Some((broker, folder)),
    }
}

/// An embedded broker on a folder, which may hold what an earlier one has left.
pub(crate) async fn start(folder: &Path) -> Broker {
    Broker::start(config(folder)).await.unwrap()
}

/// Small segments, so that tests roll them.
pub(crate) fn config(folder: &Path) -> BrokerConfig {
    BrokerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: folder.to_path_buf(),
        segment_bytes_max: 4 << 20,
        adhoc_modules: true,
        ..BrokerConfig::default()
    }
}

pub(crate) async fn connect(address: &str) -> (Fluvio, FluvioAdmin) {
    let config = FluvioClusterConfig::new(address);
    let client = Fluvio::connect_with_config(&config).await.unwrap();
    let admin = FluvioAdmin::connect_with_config(&config).await.unwrap();
    (client, admin)
}

/// A name no other test, and no other run, has used.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{next}", std::process::id())
}

impl Cluster {
    /// Creates a topic and waits until the client knows all its partitions.
    pub(crate) async fn topic(&self, prefix: &str, partitions: u32) -> String {
        let name = unique(prefix);
        let spec = TopicSpec::new_computed(partitions, 1, None);
        self.create_topic(&name, spec).await.unwrap();
        self.wait_for_topic(&name).await;
        name
    }

    /// Creates a topic.
    ///
    /// A real controller, seen now and then: it misses the change it waits for and answers only
    /// with the next one, while the topic is long there. Further calls of the same connection wait
    /// behind it, so it has one of its own.
    pub(crate) async fn create_topic(&self, name: &str, spec: TopicSpec) -> anyhow::Result<()> {
        let (_, admin) = connect(&self.address).await;
        let creation = admin.create(name.to_owned(), false, spec);
        match timeout(RESPONSE_WAIT_MAX, creation).await {
            Err(_) if self.embedded.is_none() => Ok(()),
            response => response.expect("the embedded broker answers"),
        }
    }

    /// A client learns of new topics a moment after they are created.
    pub(crate) async fn wait_for_topic(&self, name: &str) {
        wait_until("the client knows the topic", async || {
            self.client.topic_producer(name).await.is_ok()
        })
        .await;
    }

    /// Sends values to a topic, as one or more batches.
    pub(crate) async fn produce(&self, topic: &str, values: &[&str]) {
        let producer = self.client.topic_producer(topic).await.unwrap();
        for value in values {
            producer.send(RecordKey::NULL, *value).await.unwrap();
        }
        producer.flush().await.unwrap();
    }

    /// Reads so many values of partition 0 from its beginning.
    pub(crate) async fn read(&self, topic: &str, count: usize) -> Vec<String> {
        self.read_with(from_beginning(topic), count).await
    }

    /// Reads so many values of a stream.
    pub(crate) async fn read_with(&self, config: ConsumerConfigExt, count: usize) -> Vec<String> {
        let stream = self.client.consumer_with_config(config).await.unwrap();
        let records = stream
            .take(count)
            .map(|record| text(record.unwrap().value()));
        within_patience("the records arrive", records.collect()).await
    }
}

/// One stream of partition 0, errors shown to the test.
pub(crate) fn stream_of(topic: &str, start: Offset) -> ConsumerConfigExtBuilder {
    let mut builder = ConsumerConfigExtBuilder::default();
    builder
        .topic(topic.to_owned())
        .partition(0)
        .offset_start(start)
        .retry_mode(RetryMode::Disabled);
    builder
}

pub(crate) fn from_beginning(topic: &str) -> ConsumerConfigExt {
    stream_of(topic, Offset::beginning()).build().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Fails the test, instead of hanging, if something does not happen.
pub(crate) async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("gave up waiting until {what}"),
    }
}

/// Waits for a state; how it is reached is not looked at.
pub(crate) async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    within_patience(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
