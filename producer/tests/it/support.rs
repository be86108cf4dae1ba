//! A broker of its own for each test, and what its topic holds.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{Body, Record};
use embedded_broker::{Broker, BrokerConfig};
use fluvio::metadata::topic::{CompressionAlgorithm, TopicSpec};
use fluvio::{
    ConsumerConfig, Fluvio, FluvioAdmin, FluvioClusterConfig, Offset, TopicProducerConfigBuilder,
};
use futures_util::StreamExt;
use producer::{ProducerConfig, ProducerError, Progress, Source, Speed, Summary};
use tempfile::TempDir;
use testkit::within_patience;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const PARTITIONS: u32 = 3;

/// No response of the broker takes longer.
pub(crate) const RESPONSE_MAX: Duration = Duration::from_secs(5);

/// A broker with topic `trips`.
pub(crate) struct Cluster {
    /// What the producer uses.
    pub(crate) partitions: partition_client::Cluster,
    pub(crate) folder: TempDir,
    pub(crate) broker: Option<Broker>,
    pub(crate) address: SocketAddr,
}

pub(crate) async fn cluster() -> Cluster {
    cluster_with(CompressionAlgorithm::Any).await
}

/// A broker whose topic asks for this compression.
pub(crate) async fn cluster_with(compression: CompressionAlgorithm) -> Cluster {
    let folder = tempfile::tempdir().unwrap();
    let broker = start_broker(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
    let address = broker.address();
    let config = FluvioClusterConfig::new(address.to_string());
    let admin = FluvioAdmin::connect_with_config(&config).await.unwrap();
    let mut spec = TopicSpec::new_computed(PARTITIONS, 1, None);
    spec.set_compression_type(compression);
    admin.create("trips".to_owned(), false, spec).await.unwrap();
    Cluster {
        partitions: partition_client::Cluster::new(config, RESPONSE_MAX),
        folder,
        broker: Some(broker),
        address,
    }
}

pub(crate) async fn start_broker(folder: &Path, listen: SocketAddr) -> Broker {
    let config = BrokerConfig {
        listen,
        data_dir: folder.to_path_buf(),
        segment_bytes_max: 4 << 20,
        ..BrokerConfig::default()
    };
    Broker::start(config).await.unwrap()
}

pub(crate) fn testdata(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/trips")
        .join(file)
}

/// A trip file, or a folder of them.
pub(crate) fn path_source(path: PathBuf) -> Source {
    trip_files::Source::Path(path).into()
}

pub(crate) fn at_full_speed() -> ProducerConfig {
    ProducerConfig::default()
}

pub(crate) fn times(times: f64) -> ProducerConfig {
    ProducerConfig {
        speed: Speed::Times(times),
        ..ProducerConfig::default()
    }
}

/// A record as it stands on the topic.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) key: Option<String>,
    pub(crate) record: Record,
}

impl Cluster {
    /// Runs the producer to the source's end.
    pub(crate) async fn produce(&self, source: Source, config: ProducerConfig) -> Summary {
        let run = self.run(source, config, CancellationToken::new());
        within_patience("the run ends", run).await.unwrap()
    }

    pub(crate) async fn run(
        &self,
        source: Source,
        config: ProducerConfig,
        stop: CancellationToken,
    ) -> Result<Summary, ProducerError> {
        let (progress, _) = watch::channel(Progress::default());
        producer::run(&self.partitions, source, config, progress, stop).await
    }

    /// Puts a count where its station's counts stand.
    pub(crate) async fn put(&self, record: &Record) {
        let Body::Status(status) = &record.body else {
            panic!("only counts are put");
        };
        let partitions = self.stored().await;
        let own = |stored: &Stored| stored.key.as_ref() == Some(&status.station.station_id);
        let partition = partitions.iter().position(|stored| stored.iter().any(own));
        let config = TopicProducerConfigBuilder::default()
            .set_specific_partitioner(u32::try_from(partition.unwrap()).unwrap())
            .build()
            .unwrap();
        let client = self.client().await;
        let producer = client.topic_producer_with_config("trips", config);
        let producer = producer.await.unwrap();
        let key = status.station.station_id.clone();
        producer.send(key, record.to_json()).await.unwrap();
        producer.flush().await.unwrap();
    }

    /// Fluvio's own client; anew each time, since the broker may have been away.
    async fn client(&self) -> Fluvio {
        let config = FluvioClusterConfig::new(self.address.to_string());
        Fluvio::connect_with_config(&config).await.unwrap()
    }

    /// Everything on the topic, by partition.
    pub(crate) async fn stored(&self) -> Vec<Vec<Stored>> {
        let mut partitions = Vec::new();
        for partition in 0..PARTITIONS {
            partitions.push(self.partition(partition).await);
        }
        partitions
    }

    /// How many rows, ticks left out, the topic holds.
    pub(crate) async fn rows_stored(&self) -> usize {
        self.stored()
            .await
            .iter()
            .map(|partition| rows(partition).count())
            .sum()
    }

    async fn partition(&self, partition: u32) -> Vec<Stored> {
        #[expect(deprecated, reason = "only it gives a stream that ends")]
        let consumer = self
            .client()
            .await
            .partition_consumer("trips", partition)
            .await
            .unwrap();
        let config = ConsumerConfig::builder()
            .disable_continuous(true)
            .build()
            .unwrap();
        let stream = consumer
            .stream_batches_with_config(Offset::beginning(), config)
            .await
            .unwrap();
        let batches: Vec<_> = within_patience("the partition is read", stream.collect()).await;
        let records = batches
            .into_iter()
            .flat_map(|batch| batch.unwrap().own_records());
        records
            .map(|stored| Stored {
                key: stored
                    .key
                    .map(|key| String::from_utf8(key.into_vec()).unwrap()),
                record: Record::from_json(stored.value.as_ref()).unwrap(),
            })
            .collect()
    }
}

/// The rows, ticks left out.
pub(crate) fn rows(partition: &[Stored]) -> impl Iterator<Item = &Stored> {
    partition
        .iter()
        .filter(|stored| !matches!(stored.record.body, Body::Tick(_)))
}

/// Fails unless every row `0..count` of the only source stands exactly once and in order, and ticks
/// say how far the source was.
pub(crate) fn assert_whole(partitions: &[Vec<Stored>], count: u64) {
    let mut seqs = Vec::new();
    for partition in partitions {
        let mut next = 0;
        for stored in partition {
            let seq = stored.record.seq;
            assert!(seq >= next, "row or tick {seq} stands after {next}");
            next = seq;
            if !matches!(stored.record.body, Body::Tick(_)) {
                seqs.push(seq);
                next += 1;
            }
        }
    }
    seqs.sort_unstable();
    let expected: Vec<_> = (0..count).collect();
    assert!(seqs == expected, "{} rows of {count}", seqs.len());
}
