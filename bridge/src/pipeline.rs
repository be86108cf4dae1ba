//! The flow: for each route the target topic, then a task for each partition.
//!
//! ```text
//! route ─ topics made or checked ─┬─ partition 0 ─ copy, session after session
//!                                 ├─ partition 1 ─ …
//!                                 ├─ partitions added later
//!                                 └─ groups: where consumers are
//! ```

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fluvio::FluvioClusterConfig;
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use partition_client::Cluster;
use telemetry::Role;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::BridgeConfig;
use crate::counts::{AllCounts, Summary};
use crate::error::BridgeError;
use crate::groups::{Groups, Memory, topic_syncs};
use crate::kafka::Kafka;
use crate::lag::Measuring;
use crate::metrics::BridgeRole;
use crate::module;
use crate::progress;
use crate::report;
use crate::retry::Retry;
use crate::route::{Route, Side, check_routes};
use crate::to_fluvio::ToFluvio;
use crate::to_kafka::ToKafka;
use crate::topics::{self, Fewer};

/// How often a topic is looked for that another route makes.
const TOPIC_POLL: Duration = Duration::from_millis(100);

/// Both sides, and what the routes share.
struct Bridge<'a> {
    cluster: Cluster,
    kafka: Kafka,
    config: &'a BridgeConfig,
    counts: Arc<AllCounts>,
    stop: &'a CancellationToken,
}

/// Mirrors all routes until told to stop, or to the ends that were there at the start.
///
/// # Errors
/// If routes cannot be, topics differ, or a partition met what trying again cannot mend; all others
/// stop with it; what they had under way is looked up at the next start.
pub async fn run(
    fluvio: FluvioClusterConfig,
    config: BridgeConfig,
    stop: CancellationToken,
) -> Result<Summary, BridgeError> {
    check_routes(&config.routes)?;
    let bridge = Bridge {
        cluster: Cluster::new(fluvio, config.request_timeout),
        kafka: Kafka::new(&config),
        config: &config,
        counts: Arc::new(AllCounts::new(&config.routes)),
        stop: &stop,
    };
    let _serving = match config.metrics {
        Some(address) => {
            let role: Arc<dyn Role> = Arc::new(BridgeRole(Arc::clone(&bridge.counts)));
            let version = env!("CARGO_PKG_VERSION");
            Some(telemetry::serve(address, vec![role], version).await?)
        }
        None => None,
    };
    let measured = config.routes.iter().map(|route| bridge.measure(route));
    tokio::select! {
        mirrored = try_join_all(config.routes.iter().map(|route| bridge.route(route))) => {
            mirrored?;
        }
        never = join_all(measured) => drop(never),
        never = report::regularly(&bridge.counts, config.report_every) => match never {},
    }
    Ok(bridge.counts.summary())
}

impl Bridge<'_> {
    async fn route(&self, route: &Route) -> Result<(), BridgeError> {
        let Some(partitions) = self.prepare(route, Fewer::Refuse).await? else {
            return Ok(());
        };
        let groups = Groups {
            cluster: &self.cluster,
            kafka: &self.kafka,
            config: self.config,
            route,
            stop: self.stop,
            memory: Memory::default(),
        };
        let copied = CancellationToken::new();
        let copying = async {
            let done = self.partitions(route, partitions).await;
            copied.cancel();
            done
        };
        tokio::try_join!(copying, groups.follow(&copied))?;
        Ok(())
    }

    /// Copies all partitions, and those that are added.
    async fn partitions(&self, route: &Route, mut partitions: u32) -> Result<(), BridgeError> {
        let mut tasks = FuturesUnordered::new();
        tasks.extend((0..partitions).map(|partition| self.copy(route, partition)));
        // Beside the tasks and not between them: it asks the same client as they.
        let mut growth = pin!(self.more_partitions(route, partitions));
        loop {
            tokio::select! {
                done = tasks.next() => match done {
                    Some(done) => done?,
                    None => return Ok(()),
                },
                found = &mut growth => {
                    let found = found?;
                    tasks.extend((partitions..found).map(|partition| self.copy(route, partition)));
                    partitions = found;
                    growth.set(self.more_partitions(route, partitions));
                }
            }
        }
    }

    /// Waits until the source has more partitions, and the target as many; gives their number.
    async fn more_partitions(&self, route: &Route, partitions: u32) -> Result<u32, BridgeError> {
        loop {
            match self.config.once {
                true => std::future::pending().await,
                false => tokio::time::sleep(self.config.partitions_every).await,
            }
            let found = self.prepare(route, Fewer::Add).await?.unwrap_or_default();
            if found > partitions {
                info!("{route}: {} partitions were added", found - partitions);
                return Ok(found);
            }
        }
    }

    /// Makes or checks the topics, however often it takes; none if told to stop.
    async fn prepare(&self, route: &Route, fewer: Fewer) -> Result<Option<u32>, BridgeError> {
        let mut retry = Retry::new();
        while !self.stop.is_cancelled() {
            let prepared = async {
                if route.from == Side::Fluvio {
                    progress::prepare(&self.kafka, &self.config.name).await?;
                }
                // Before topics are made for it.
                if let (Some(module), Fewer::Refuse) = (&route.module, fewer) {
                    module::load(&self.cluster, module).await?;
                }
                let partitions = topics::prepare(&self.cluster, &self.kafka, route, fewer).await?;
                if route.from == Side::Fluvio && self.config.has_groups_of(route) {
                    topic_syncs::prepare(&self.kafka, route, partitions).await?;
                }
                Ok(partitions)
            };
            let prepared = tokio::select! {
                prepared = prepared => prepared,
                () = self.stop.cancelled() => return Ok(None),
            };
            let outage = prepared.as_ref().err().map(BridgeError::chain);
            self.counts.prepared(route, outage);
            match prepared {
                Ok(partitions) => return Ok(Some(partitions)),
                // Later a password may be being changed.
                Err(error @ BridgeError::Refused { .. }) if fewer == Fewer::Refuse => {
                    return Err(error);
                }
                // The route before this one is about to make it.
                Err(BridgeError::NoTopic { .. }) if self.is_continued(route) => {
                    tokio::time::sleep(TOPIC_POLL).await;
                }
                Err(error) => retry.wait(&route.to_string(), error, self.stop).await?,
            }
        }
        Ok(None)
    }

    /// Whether the route begins where another one ends.
    fn is_continued(&self, route: &Route) -> bool {
        self.config
            .routes
            .iter()
            .any(|before| before.leads_to(route))
    }

    async fn measure(&self, route: &Route) -> Infallible {
        let measuring = Measuring {
            cluster: &self.cluster,
            kafka: &self.kafka,
            config: self.config,
            route,
            counts: &self.counts,
        };
        measuring.run(self.config.measure_every).await
    }

    async fn copy(&self, route: &Route, partition: u32) -> Result<(), BridgeError> {
        let counts = self.counts.of(route, partition);
        match route.from {
            Side::Kafka => {
                let task = ToFluvio {
                    cluster: &self.cluster,
                    kafka: &self.kafka,
                    config: self.config,
                    route,
                    partition,
                    counts: &counts,
                    stop: self.stop,
                };
                task.run().await
            }
            Side::Fluvio => {
                let task = ToKafka {
                    cluster: &self.cluster,
                    kafka: &self.kafka,
                    config: self.config,
                    route,
                    partition,
                    counts: &counts,
                    stop: self.stop,
                };
                task.run().await
            }
        }
    }
}
