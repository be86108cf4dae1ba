//! Carries over where consumers are, so that one can move to the other side and go on there.
//!
//! ```text
//! Kafka: group "map" commits 4711 of trips/0 ─▶ batch heads of trips/0 ─▶ Fluvio: consumer "map" has seen 4702
//! Kafka: group "map" commits 4730 of copy/0  ◀─ copy-bridge-offsets ◀─ Fluvio: consumer "map" has seen 4702
//! ```
//! In the direction of the route, every few seconds and once when it ends. A consumer is only moved
//! ahead, never beyond a record that it has not read, and not where it is at work.
//!
//! Kafka's number is the next record's offset, Fluvio's the last one's that was seen.

mod batch_syncs;
mod committed;
mod offset_sync;
pub(crate) mod topic_syncs;

use std::collections::{BTreeMap, BTreeSet};

use partition_client::{Cluster, PartitionClient, TopicPartition};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::committed::Advance;
pub(crate) use self::offset_sync::OffsetSync;
use crate::config::BridgeConfig;
use crate::error::BridgeError;
use crate::kafka::Kafka;
use crate::retry::Retry;
use crate::route::{Route, Side};

/// A group's name and a partition.
type Key = (String, u32);

/// The groups of one route.
pub(crate) struct Groups<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) kafka: &'a Kafka,
    pub(crate) config: &'a BridgeConfig,
    pub(crate) route: &'a Route,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) memory: Memory,
}

/// What is known from earlier rounds, so that it is neither looked for nor logged again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Offsets in the source and in the mirror, where the second cannot change any more.
    offsets: BTreeMap<Key, (i64, i64)>,
    /// Groups that were at work on the far side.
    active: BTreeSet<String>,
    /// Consumers whose offset on the far side is not known.
    unknown: BTreeSet<Key>,
}

impl Groups<'_> {
    /// Carries over until everything is copied, and once more then.
    pub(crate) async fn follow(mut self, copied: &CancellationToken) -> Result<(), BridgeError> {
        let mut is_last = !self.config.has_groups_of(self.route);
        while !is_last {
            is_last = tokio::select! {
                () = tokio::time::sleep(self.config.groups_every) => false,
                () = copied.cancelled() => true,
            };
            self.carry_over().await?;
        }
        Ok(())
    }

    /// Tries until it is done, or told to stop.
    async fn carry_over(&mut self) -> Result<(), BridgeError> {
        let mut retry = Retry::new();
        let what = format!("{}: groups", self.route);
        loop {
            let carried = match self.route.from {
                Side::Kafka => self.carry_to_fluvio().await,
                Side::Fluvio => self.carry_to_kafka().await,
            };
            match carried {
                Ok(()) => return Ok(()),
                Err(error) => retry.wait(&what, error, self.stop).await?,
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    async fn carry_to_fluvio(&mut self) -> Result<(), BridgeError> {
        let (config, route) = (self.config, self.route);
        let source = self.kafka.shape(&route.source).await?;
        let target = self.cluster.topic_shape(&route.target).await?;
        let (Some(source), Some(target)) = (source, target) else {
            return Ok(());
        };
        let seen = self.seen(&route.target).await?;
        let partitions = source.partitions.min(target.partitions);
        for group in &config.groups {
            let committed = committed::read(self.kafka, group, &route.source, partitions).await?;
            for (partition, next) in committed {
                let key = (group.clone(), partition);
                let seen = seen.get(&key).copied();
                self.put_in_fluvio(key, next, seen).await?;
            }
        }
        Ok(())
    }

    /// Puts a consumer of Fluvio where its group in Kafka is, unless it is further already.
    async fn put_in_fluvio(
        &mut self,
        key: Key,
        next: i64,
        seen: Option<i64>,
    ) -> Result<(), BridgeError> {
        let is_there = |offset: i64| seen.is_some_and(|seen| seen >= offset - 1);
        if self.memory.offset(&key, next).is_some_and(is_there) {
            return Ok(());
        }
        let (group, partition) = &key;
        let target = TopicPartition {
            topic: self.route.target.clone(),
            partition: *partition,
        };
        let mut client = PartitionClient::open(self.cluster, target).await?;
        let range = client.offset_range().await?;
        // Fluvio stores it of a stream, and an empty log sends nothing.
        if range.start == range.end {
            return Ok(());
        }
        let sync = batch_syncs::find(&mut client, range, next).await?;
        let offset = sync.map_or(range.start, |sync| sync.translate(next));
        if !is_there(offset) {
            let last = offset - 1;
            let at = last.clamp(range.start, range.end - 1);
            client.set_consumer_offset(group, last, at).await?;
            self.log_move(&key, next, offset);
        }
        self.memory.keep(key, next, sync);
        Ok(())
    }

    async fn carry_to_kafka(&mut self) -> Result<(), BridgeError> {
        let (config, route) = (self.config, self.route);
        let Some(written) = self.kafka.shape(&topic_syncs::topic(route)).await? else {
            return Ok(());
        };
        let seen = self.seen(&route.source).await?;
        for group in &config.groups {
            let mut offsets = BTreeMap::new();
            for partition in 0..written.partitions {
                let key = (group.clone(), partition);
                if let Some(seen) = seen.get(&key) {
                    let offset = self.offset_in_kafka(key, seen + 1).await?;
                    offsets.extend(offset.map(|offset| (partition, offset)));
                }
            }
            let advance = committed::advance(self.kafka, group, &route.target, offsets).await?;
            match advance {
                Advance::Nothing => {}
                Advance::Done => {
                    self.memory.active.remove(group);
                }
                Advance::Refused if self.memory.active.insert(group.clone()) => info!(
                    topic = route.target,
                    "{route}: group \"{group}\" is at work in Kafka: it stays where it is there"
                ),
                Advance::Refused => {}
            }
        }
        Ok(())
    }

    /// Where a group of Kafka goes on when the consumer in Fluvio goes on at `next`.
    async fn offset_in_kafka(&mut self, key: Key, next: i64) -> Result<Option<i64>, BridgeError> {
        if let Some(offset) = self.memory.offset(&key, next) {
            return Ok(Some(offset));
        }
        let sync = topic_syncs::find(self.kafka, self.route, key.1, next).await?;
        let Some(sync) = sync else {
            let (group, partition) = &key;
            let route = self.route;
            if self.memory.unknown.insert(key.clone()) {
                warn!(
                    topic = route.source,
                    partition,
                    offset = next,
                    "{route}/{partition}: consumer \"{group}\" goes on at {next}, which was copied \
                     when the bridge had no groups, or too long ago: it is left where it is in \
                     Kafka until it has read on"
                );
            }
            return Ok(None);
        };
        let offset = sync.translate(next);
        self.log_move(&key, next, offset);
        self.memory.unknown.remove(&key);
        self.memory.keep(key, next, Some(sync));
        Ok(Some(offset))
    }

    /// The last record that each consumer in Fluvio has seen of a topic.
    async fn seen(&self, topic: &str) -> Result<BTreeMap<Key, i64>, BridgeError> {
        let consumers = self.cluster.consumer_offsets().await?;
        let of_topic = consumers.into_iter().filter(|one| one.topic == topic);
        let seen = of_topic.map(|one| ((one.consumer_id, one.partition), one.offset));
        Ok(seen.collect())
    }

    fn log_move(&self, (group, partition): &Key, next: i64, offset: i64) {
        debug!(
            topic = self.route.target,
            partition,
            offset,
            "{}/{partition}: \"{group}\" goes on at {next}, in the mirror at {offset}",
            self.route
        );
    }
}

impl Memory {
    fn offset(&self, key: &Key, source: i64) -> Option<i64> {
        let (_, target) = self.offsets.get(key).filter(|pair| pair.0 == source)?;
        Some(*target)
    }

    /// Keeps an offset that stays the same whatever is copied later.
    fn keep(&mut self, key: Key, source: i64, sync: Option<OffsetSync>) {
        if let Some(sync) = sync.filter(|sync| sync.covers(source)) {
            self.offsets.insert(key, (source, sync.translate(source)));
        }
    }
}
