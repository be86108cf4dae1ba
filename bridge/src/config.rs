//! What the bridge is told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::properties::KafkaProperties;
use crate::route::Route;

/// Where both sides are, what goes where, and the bounds.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// Kafka's brokers, `HOST:PORT,HOST:PORT`.
    pub kafka: String,
    /// Further settings of librdkafka, by its own names; they win over the bridge's.
    pub kafka_properties: KafkaProperties,
    /// Topics and directions.
    pub routes: Vec<Route>,
    /// Names this bridge in Kafka: two with one name fence each other, so that one of them writes.
    pub name: String,
    /// Bytes of a batch towards Fluvio (default: 512 KiB; the broker takes 2 MiB).
    pub batch_bytes: usize,
    /// Bytes that Fluvio sends at once, which go to Kafka as one transaction (default: 8 MiB; more
    /// than the largest batch, or nothing would come). Where a SmartModule gave nothing for a
    /// range of records, eight times as much.
    pub fetch_bytes: i32,
    /// How long a response of either side may take before the request is sent again (default: 10 s).
    pub request_timeout: Duration,
    /// How often topics are looked at for partitions that were added (default: 30 s).
    pub partitions_every: Duration,
    /// Consumers whose positions are carried over to the mirrors: Kafka's groups and Fluvio's
    /// consumers of these names.
    pub groups: Vec<String>,
    /// How often they are (default: 5 s).
    pub groups_every: Duration,
    /// How often the cluster is checked for a changed SmartModule (default: 5 s).
    pub module_every: Duration,
    /// Bytes of a SmartModule's outputs after which its stream is opened anew (default: 48 MiB). A
    /// broker frees what a module wrote only with its stream; one was seen to end in silence after
    /// 690 MB.
    pub stream_bytes_max: u64,
    /// How long a SmartModule may be silent over records before it is taken to give nothing for
    /// them (default: 30 s; compiling it for all partitions at once was seen to take 6 s).
    pub silence_max: Duration,
    /// How often the sources' ends are read, for the lag (default: 5 s).
    pub measure_every: Duration,
    /// How often rate and lag of each route are logged (default: 30 s).
    pub report_every: Duration,
    /// Where metrics and health are served (default: nowhere).
    pub metrics: Option<SocketAddr>,
    /// End when what was there at the start is copied, instead of going on.
    pub once: bool,
}

impl BridgeConfig {
    /// Whether consumers are carried over along the route: what a SmartModule gives has no offsets
    /// of the source's, so nobody could say where they go on.
    pub(crate) fn has_groups_of(&self, route: &Route) -> bool {
        !self.groups.is_empty() && route.module.is_none()
    }
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self {
            kafka: "127.0.0.1:9092".to_owned(),
            kafka_properties: KafkaProperties::default(),
            routes: Vec::new(),
            name: "bikeshare-bridge".to_owned(),
            batch_bytes: 512 << 10,
            fetch_bytes: 8 << 20,
            request_timeout: Duration::from_secs(10),
            partitions_every: Duration::from_secs(30),
            groups: Vec::new(),
            groups_every: Duration::from_secs(5),
            module_every: Duration::from_secs(5),
            stream_bytes_max: 48 << 20,
            silence_max: Duration::from_secs(30),
            measure_every: Duration::from_secs(5),
            report_every: Duration::from_secs(30),
            metrics: None,
            once: false,
        }
    }
}
