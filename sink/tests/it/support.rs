//! A broker, a database and a running sink, as long as a test needs them.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use domain::Record;
use embedded_broker::{Broker, BrokerConfig};
use embedded_postgres::{Postgres, PostgresConfig};
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::metadata::topic::TopicSpec;
use fluvio::{Fluvio, FluvioAdmin, FluvioClusterConfig, RecordKey, TopicProducerConfigBuilder};
use sink::{Module, ModuleSources, SinkConfig, SinkError, SinkState};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::black_hole::BlackHole;

/// Longer than anything a test waits for, even on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const TOPIC: &str = "trips";
pub(crate) const PARTITIONS: u32 = 2;

/// Streams of a sink: one a partition and module.
pub(crate) const STREAMS: usize = 2 * PARTITIONS as usize;

/// One server for all tests that run at the same time; the last one stops it.
struct Server {
    postgres: Postgres,
    _folder: TempDir,
}

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

async fn server() -> Arc<Server> {
    let mut slot = SERVER.lock().await;
    if let Some(server) = slot.upgrade() {
        return server;
    }
    let folder = tempfile::Builder::new()
        .prefix("bikeshare-sink")
        .tempdir()
        .unwrap();
    // The server's account passes through.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    let config = PostgresConfig {
        data_dir: folder.path().join("postgres"),
        listen: None,
    };
    let postgres = Postgres::start(config).await.unwrap();
    let server = Arc::new(Server {
        postgres,
        _folder: folder,
    });
    *slot = Arc::downgrade(&server);
    server
}

/// An empty database of its own.
pub(crate) struct Database {
    server: Arc<Server>,
    pub(crate) name: String,
}

impl Database {
    /// A database without tables.
    pub(crate) async fn empty() -> Self {
        Self::empty_with("").await
    }

    /// The same, made with these words of `create database`.
    pub(crate) async fn empty_with(words: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server().await;
        let name = format!("sink_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(server.postgres.url()).await.unwrap();
        let create = AssertSqlSafe(format!("create database {name} {words}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        Self { server, name }
    }

    /// A database with all tables.
    pub(crate) async fn migrated() -> Self {
        let database = Self::empty().await;
        sink::migrate(&database.url()).await.unwrap();
        database
    }

    pub(crate) fn url(&self) -> String {
        let url = self.server.postgres.url();
        let (start, rest) = url.rsplit_once('/').unwrap();
        let query = rest
            .split_once('?')
            .map_or(String::new(), |(_, query)| format!("?{query}"));
        format!("{start}/{}{query}", self.name)
    }

    /// Where Postgres listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let url = self.url();
        let (_, rest) = url.split_once('@').unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    /// The same through a black hole.
    pub(crate) fn url_through(&self, hole: &BlackHole) -> String {
        let address = self.address().to_string();
        self.url().replace(&address, &hole.address().to_string())
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// The only value of a query, as text.
    pub(crate) async fn value(&self, query: &str) -> String {
        self.lines(query).await.join("\n")
    }

    /// A line for each row, its columns joined by blanks.
    pub(crate) async fn lines(&self, query: &str) -> Vec<String> {
        let query = format!(
            "select concat_ws(' ', variadic q.columns) from (
            select array(select value from jsonb_each_text(to_jsonb(r))) as columns
            from ({query}) r) q"
        );
        let mut connection = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .unwrap()
    }

    pub(crate) async fn execute(&self, statement: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
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

/// An embedded broker with the topic and the SmartModules.
pub(crate) struct Cluster {
    broker: Option<Broker>,
    folder: TempDir,
    address: SocketAddr,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        log();
        let folder = tempfile::tempdir().unwrap();
        let broker = start_broker(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
        let address = broker.address();
        let cluster = Self {
            broker: Some(broker),
            folder,
            address,
        };
        let admin = cluster.admin().await;
        let topic = TopicSpec::new_computed(PARTITIONS, 1, None);
        admin.create(TOPIC.to_owned(), false, topic).await.unwrap();
        for module in Module::ALL {
            cluster.upload(module, &wasm(module)).await;
        }
        cluster
    }

    /// Takes the last `count` batches off a partition's log, as a power cut does; the broker must be
    /// stopped.
    pub(crate) fn cut(&self, partition: u32, count: usize) {
        let folder = self.folder.path().join(format!("logs/{TOPIC}/{partition}"));
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
        FluvioClusterConfig::new(self.address.to_string())
    }

    pub(crate) async fn admin(&self) -> FluvioAdmin {
        FluvioAdmin::connect_with_config(&self.config())
            .await
            .unwrap()
    }

    pub(crate) async fn upload(&self, module: Module, wasm: &[u8]) {
        let spec = SmartModuleSpec {
            wasm: SmartModuleWasm::from_raw_wasm_bytes(wasm).unwrap(),
            ..SmartModuleSpec::default()
        };
        self.admin()
            .await
            .create(module.name().to_owned(), false, spec)
            .await
            .unwrap();
    }

    pub(crate) async fn stop(&mut self) {
        self.broker.take().unwrap().shutdown().await.unwrap();
    }

    /// Starts the broker again where it was, with what it had.
    pub(crate) async fn start_again(&mut self) {
        self.broker = Some(start_broker(self.folder.path(), self.address).await);
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
        let fluvio = Fluvio::connect_with_config(&self.config()).await.unwrap();
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

async fn start_broker(folder: &Path, listen: SocketAddr) -> Broker {
    let data_dir = folder.to_path_buf();
    let config = BrokerConfig {
        listen,
        data_dir,
        ..BrokerConfig::default()
    };
    Broker::start(config).await.unwrap()
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

    /// Waits until all that is on the topic now is stored and shown.
    pub(crate) async fn drained(&mut self, cluster: &Cluster) {
        let ends = cluster.log_ends().await;
        self.wait_for("the sink has drained", |state| state.drained_to(&ends))
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
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
    }

    /// Ends the sink as a kill would: at once, wherever it is.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// The SmartModule as xtask built it.
pub(crate) fn wasm(module: Module) -> Bytes {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/assets/smartmodules");
    let path = assets.join(format!("{module}.wasm"));
    let read = std::fs::read(&path);
    Bytes::from(
        read.unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask wasm", path.display())),
    )
}

/// Shows the sink's log with failed tests, as far as `RUST_LOG` asks for it.
fn log() {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer();
    // All tests but the first find it there.
    drop(subscriber.try_init());
}
