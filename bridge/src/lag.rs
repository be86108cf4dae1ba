//! Measures the ends of the sources regularly: the lag.
//!
//! On connections of their own, so that it is known while a partition cannot be copied, too.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use partition_client::{Cluster, PartitionClient, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use tracing::debug;

use crate::config::BridgeConfig;
use crate::counts::AllCounts;
use crate::error::BridgeError;
use crate::kafka::{Context, Kafka, blocking, drain, partition_id, request_error};
use crate::route::{Route, Side};

/// Measures one route.
pub(crate) struct Measuring<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) kafka: &'a Kafka,
    pub(crate) config: &'a BridgeConfig,
    pub(crate) route: &'a Route,
    pub(crate) counts: &'a AllCounts,
}

/// Connections that are kept from one measurement to the next, and made anew after an error.
#[derive(Default)]
struct Connections {
    kafka: Option<Arc<BaseConsumer<Context>>>,
    fluvio: Vec<Option<PartitionClient>>,
}

impl Measuring<'_> {
    /// Measures each partition, for ever.
    pub(crate) async fn run(&self, every: Duration) -> Infallible {
        let mut connections = Connections::default();
        loop {
            let partitions = self.counts.partitions(self.route);
            for (partition, counts) in (0..).zip(partitions) {
                match self.end(&mut connections, partition).await {
                    Ok(end) => counts.measured(end),
                    // The partition's own task logs what is wrong.
                    Err(error) => {
                        debug!("{}/{partition} not measured: {}", self.route, error.chain());
                        counts.unmeasured(error.chain());
                    }
                }
            }
            tokio::time::sleep(every).await;
        }
    }

    async fn end(&self, connections: &mut Connections, partition: u32) -> Result<i64, BridgeError> {
        match self.route.from {
            Side::Kafka => self.end_in_kafka(connections, partition).await,
            Side::Fluvio => self.end_in_fluvio(connections, partition).await,
        }
    }

    /// The last stable offset: what stands behind it cannot be copied yet.
    async fn end_in_kafka(
        &self,
        connections: &mut Connections,
        partition: u32,
    ) -> Result<i64, BridgeError> {
        let consumer = match connections.kafka.take() {
            Some(consumer) => consumer,
            None => Arc::new(self.kafka.request_consumer()?),
        };
        let shared = Arc::clone(&consumer);
        let topic = self.route.source.clone();
        let within = self.config.request_timeout;
        let range = blocking(move || {
            drain(&shared);
            shared.fetch_watermarks(&topic, partition_id(partition), within)
        });
        let doing = format!("measure {}/{partition} in Kafka", self.route.source);
        let range = range
            .await
            .map_err(|error| request_error(&consumer, &doing, error));
        let (_, end) = range?;
        connections.kafka = Some(consumer);
        Ok(end)
    }

    async fn end_in_fluvio(
        &self,
        connections: &mut Connections,
        partition: u32,
    ) -> Result<i64, BridgeError> {
        let index = partition as usize;
        if connections.fluvio.len() <= index {
            connections.fluvio.resize_with(index + 1, || None);
        }
        let mut client = match connections.fluvio[index].take() {
            Some(client) => client,
            None => {
                let topic = self.route.source.clone();
                PartitionClient::open(self.cluster, TopicPartition { topic, partition }).await?
            }
        };
        let range = client.offset_range().await?;
        connections.fluvio[index] = Some(client);
        Ok(range.end)
    }
}
