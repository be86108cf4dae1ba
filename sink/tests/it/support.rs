//! A broker, a database and a running sink, as long as a test needs them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use domain::Record;
use fluvio::{FluvioClusterConfig, RecordKey, TopicProducerConfigBuilder};
use sink::{Module, ModuleSources, SinkConfig, SinkError, SinkState, StreamStatus};
use testkit::broker::FluvioNode;
use testkit::{PATIENCE, postgres, within_patience};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const TOPIC: &str = "trips";
pub(crate) const PARTITIONS: u32 = 2;

/// Streams of a sink: one a partition and module.
pub(crate) const STREAMS: usize = 2 * PARTITIONS as usize;

/// A database of its own.
pub(crate) struct Database(postgres::Database);

impl Database {
    /// A database with all tables.
    pub(crate) async fn migrated() -> Self {
        let database = postgres::Database::empty().await;
        sink::migrate(&database.url()).await.unwrap();
        Self(database)
    }

    /// Everything the sink has written, but for what may differ: numbers of locations and
    /// publishes, owners, wall clocks.
    pub(crate) async fn digest(&self) -> BTreeMap<&'static str, String> {
        let tables = [
            (
                "records",
                "select id, time, bike_id, docked, inferred, station_id, street, latitude, longitude
                         from records_view",
            ),
            (
                "location",
                "select station_id, street, latitude, longitude from location",
            ),
            (
                "location_history",
                "select id, station_id, since, street, latitude, longitude
                         from location_history_view",
            ),
            ("frequency", "select * from frequency"),
            (
                "dock_status",
                "select id, time, station_id, bikes from dock_status join location using (location_id)",
            ),
            ("rejected", "select * from rejected"),
            (
                "availability",
                "select station_id, bikes, estimated from availability_view",
            ),
            ("replay_clock", "select at from replay_clock"),
            ("source_cursor", "select * from source_cursor"),
            (
                "stream_cursor",
                "select topic, partition, module, next_offset, watermark, state,
                               late_events, duplicates from stream_cursor",
            ),
        ];
        let mut digest = BTreeMap::new();
        for (table, query) in tables {
            let summed = format!(
                "select count(*) || ' rows, ' || coalesce(sum(hashtextextended(to_jsonb(r)::text, 0)), 0)
                 as digest from ({query}) r");
            digest.insert(table, self.value(&summed).await);
        }
        digest
    }
}

impl Deref for Database {
    type Target = postgres::Database;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// An embedded broker with the topic and the SmartModules.
pub(crate) struct Cluster {
    node: FluvioNode,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        // Only what a test asks for: the sink says much.
        testkit::log("error");
        let node = FluvioNode::start().await;
        node.create(TOPIC, PARTITIONS).await;
        let cluster = Self { node };
        for module in Module::ALL {
            cluster.upload(module, &wasm(module)).await;
        }
        cluster
    }

    /// Takes the last `count` batches off a partition's log, as a power cut does; the broker must be
    /// stopped.
    pub(crate) fn cut(&self, partition: u32, count: usize) {
        let folder = self.node.folder().join(format!("logs/{TOPIC}/{partition}"));
        let path = folder.join(format!("{:020}.log", 0));
        let log = std::fs::read(&path).unwrap();
        let mut ends = vec![0];
        while let Some(head) = log
            .get(ends[ends.len() - 1]..)
            .filter(|rest| rest.len() > 12)
        {
            let length = u32::from_be_bytes(head[8..12].try_into().unwrap());
            ends.push(ends[ends.len() - 1] + 12 + length as usize);
        }
        let left = ends[ends.len() - 1 - count];
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(left as u64).unwrap();
    }

    pub(crate) fn config(&self) -> FluvioClusterConfig {
        self.node.config()
    }

    pub(crate) async fn upload(&self, module: Module, wasm: &[u8]) {
        self.node.push(module.name(), wasm).await;
    }

    pub(crate) async fn stop(&mut self) {
        self.node.stop().await;
    }

    pub(crate) async fn start_again(&mut self) {
        self.node.start_again().await;
    }

    /// Sends records to their partitions, in order, in small batches.
    pub(crate) async fn produce(&self, records: &[(u32, Record)]) {
        self.produce_bytes(
            records
                .iter()
                .map(|(partition, record)| (*partition, record.to_json())),
        )
        .await;
    }

    /// As [`Self::produce`], with batches of about this size.
    pub(crate) async fn produce_in_batches(&self, records: &[(u32, Record)], batch_bytes: usize) {
        let values = records
            .iter()
            .map(|(partition, record)| (*partition, record.to_json()));
        self.send(values, batch_bytes).await;
    }

    pub(crate) async fn produce_bytes(&self, values: impl IntoIterator<Item = (u32, Vec<u8>)>) {
        self.send(values, 4_096).await;
    }

    async fn send(&self, values: impl IntoIterator<Item = (u32, Vec<u8>)>, batch_bytes: usize) {
        let fluvio = self.node.client().await;
        let mut producers = Vec::new();
        for partition in 0..PARTITIONS {
            let config = TopicProducerConfigBuilder::default()
                .set_specific_partitioner(partition)
                .batch_size(batch_bytes)
                .linger(Duration::from_millis(5))
                .build()
                .unwrap();
            producers.push(
                fluvio
                    .topic_producer_with_config(TOPIC, config)
                    .await
                    .unwrap(),
            );
        }
        for (partition, value) in values {
            producers[partition as usize]
                .send(RecordKey::NULL, value)
                .await
                .unwrap();
        }
        for producer in producers {
            producer.flush().await.unwrap();
        }
    }

    pub(crate) async fn log_ends(&self) -> BTreeMap<u32, i64> {
        sink::log_ends(&self.config(), TOPIC).await.unwrap()
    }

    /// Starts a sink into the database.
    pub(crate) fn sink(&self, database: &Database) -> RunningSink {
        self.sink_with(database, |_| ())
    }

    pub(crate) fn sink_with(
        &self,
        database: &Database,
        change: impl FnOnce(&mut SinkConfig),
    ) -> RunningSink {
        let mut config = SinkConfig {
            database_url: database.url(),
            module_poll: Duration::from_millis(100),
            heartbeat_interval: Duration::from_millis(50),
            ..SinkConfig::default()
        };
        change(&mut config);
        let (sources, modules) = watch::channel(ModuleSources::default());
        let (sender, state) = watch::channel(SinkState::default());
        let stop = CancellationToken::new();
        let running = sink::run(self.config(), config, modules, sender, stop.clone());
        RunningSink {
            state,
            sources,
            stop,
            task: tokio::spawn(running),
        }
    }

    /// The tables are those that an undisturbed sink makes of the same log.
    pub(crate) async fn assert_undisturbed(&self, database: &Database) {
        assert_eq!(database.digest().await, self.drain().await.digest().await);
    }

    /// Stores all that is there into a new database.
    pub(crate) async fn drain(&self) -> Database {
        let database = Database::migrated().await;
        self.sink(&database).finish(self).await;
        database
    }
}

/// A sink at work.
pub(crate) struct RunningSink {
    pub(crate) state: watch::Receiver<SinkState>,
    pub(crate) sources: watch::Sender<ModuleSources>,
    stop: CancellationToken,
    task: JoinHandle<Result<SinkState, SinkError>>,
}

impl RunningSink {
    /// Waits until the state is as wished.
    pub(crate) async fn wait_for(&mut self, what: &str, wish: impl Fn(&SinkState) -> bool) {
        let reached = tokio::time::timeout(PATIENCE, self.state.wait_for(|state| wish(state)));
        let reached = reached.await.map(|reached| reached.is_ok());
        let state = || self.state.borrow().clone();
        assert_eq!(reached, Ok(true), "waiting until {what}: {:#?}", state());
    }

    /// Waits until it has taken all streams over.
    pub(crate) async fn runs(&mut self) {
        self.wait_for("all streams run", |state| {
            state.streams.len() == STREAMS && state.streams.values().all(|stream| stream.opened > 0)
        })
        .await;
    }

    /// Waits until it owns so many partitions, and their streams run.
    pub(crate) async fn owns(&mut self, partitions: usize) {
        let what = format!("it owns {partitions} partitions");
        self.wait_for(&what, |state| {
            let streams = state.streams.values();
            let running = streams.filter(|stream| stream.status == StreamStatus::Running);
            state.membership.owned() == partitions && running.count() == 2 * partitions
        })
        .await;
    }

    /// Waits until all that is on the topic now is stored and shown.
    pub(crate) async fn drained(&mut self, cluster: &Cluster) {
        let ends = cluster.log_ends().await;
        self.wait_for("the sink has drained", |state| state.drained_to(&ends))
            .await;
    }

    /// Waits until the past is right up to all that is on the topic now.
    pub(crate) async fn past_is_right(&mut self, cluster: &Cluster) {
        self.drained(cluster).await;
        self.wait_for("the past is right", |state| {
            state.availability.past_stale_from.is_none()
        })
        .await;
    }

    /// Waits until all that is on the topic now is stored and shown, and stops the sink.
    pub(crate) async fn finish(mut self, cluster: &Cluster) {
        self.drained(cluster).await;
        self.stop().await.unwrap();
    }

    /// Stops the sink and waits for its end.
    pub(crate) async fn stop(self) -> Result<SinkState, SinkError> {
        self.stop.cancel();
        self.end().await
    }

    /// Waits for an end that comes by itself.
    pub(crate) async fn end(self) -> Result<SinkState, SinkError> {
        within_patience("the sink ends", self.task).await.unwrap()
    }

    /// Ends the sink as a kill would: at once, wherever it is.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// The SmartModule as xtask built it.
pub(crate) fn wasm(module: Module) -> Vec<u8> {
    testkit::smartmodule(module.name())
}
