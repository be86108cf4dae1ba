//! A cluster to test against: an embedded broker, or a real one whose address is given.
//!
//! `BIKESHARE_TEST_CLUSTER=HOST:PORT cargo test --profile quick --workspace --test it -- conformance chains`
//! runs the same bodies against a real cluster. Each test uses topics and modules of its own.

use std::path::Path;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig};
use fluvio::consumer::{ConsumerConfigExt, ConsumerConfigExtBuilder, RetryMode};
use fluvio::metadata::topic::TopicSpec;
use fluvio::{Fluvio, FluvioAdmin, Offset, RecordKey};
use futures_util::StreamExt;
use testkit::broker::FluvioNode;
use testkit::{unique, wait_until, within_patience};
use tokio::time::timeout;

/// Longest wait for the response to a creation.
const RESPONSE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Small segments, so that tests roll them.
const SEGMENT_BYTES_MAX: u64 = 4 << 20;

/// A cluster that lives as long as the test.
pub(crate) struct Cluster {
    node: FluvioNode,
    pub(crate) client: Fluvio,
    pub(crate) admin: FluvioAdmin,
}

/// The cluster named by `BIKESHARE_TEST_CLUSTER`, or a new embedded one.
pub(crate) async fn cluster() -> Cluster {
    match FluvioNode::named() {
        Some(node) => Cluster::of(node).await,
        None => embedded().await,
    }
}

/// A new embedded broker, for what a real cluster does not do or cannot be asked for.
pub(crate) async fn embedded() -> Cluster {
    Cluster::of(FluvioNode::start_with(change).await).await
}

/// An embedded broker on a folder, which may hold what an earlier one has left.
pub(crate) async fn start(folder: &Path) -> Broker {
    Broker::start(config(folder)).await.unwrap()
}

pub(crate) fn config(folder: &Path) -> BrokerConfig {
    let mut config = testkit::broker::config(folder);
    change(&mut config);
    config
}

fn change(config: &mut BrokerConfig) {
    config.segment_bytes_max = SEGMENT_BYTES_MAX;
    config.adhoc_modules = true;
}

impl Cluster {
    async fn of(node: FluvioNode) -> Self {
        Self {
            client: node.client().await,
            admin: node.admin().await,
            node,
        }
    }

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
        let admin = self.node.admin().await;
        let creation = admin.create(name.to_owned(), false, spec);
        match timeout(RESPONSE_WAIT_MAX, creation).await {
            Err(_) if !self.node.is_embedded() => Ok(()),
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
