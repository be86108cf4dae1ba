//! What the topic holds, read without a SmartModule.

use anyhow::{Context, Result};
use fluvio::metadata::topic::TopicSpec;
use fluvio::{ConsumerConfig, Fluvio, FluvioAdmin, FluvioClusterConfig, Offset};
use futures_util::TryStreamExt as _;
use serde_json::Value;

const TOPIC: &str = "trips";
/// Bytes of one response: a real cluster loses what is behind them.
const RESPONSE_BYTES_MAX: i32 = 64 << 20;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Trip,
    Reject,
    /// The clock alone; gives no row.
    Tick,
}

/// A record; its place in its partition is its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) source: String,
    pub(crate) seq: u64,
    pub(crate) kind: Kind,
}

/// The records of each partition.
pub(crate) type Topic = Vec<Vec<Entry>>;

pub(crate) async fn read(fluvio: &str) -> Result<Topic> {
    let config = FluvioClusterConfig::new(fluvio);
    let admin = FluvioAdmin::connect_with_config(&config).await?;
    let topics = admin.list::<TopicSpec, _>(vec![TOPIC.to_owned()]).await?;
    let topic = topics.into_iter().find(|found| found.name == TOPIC);
    let partitions = topic.context("there is no topic trips")?.spec.partitions();
    let client = Fluvio::connect_with_config(&config).await?;
    let mut topic = Topic::new();
    for partition in 0..partitions {
        topic.push(read_partition(&client, partition).await?);
    }
    Ok(topic)
}

#[expect(deprecated, reason = "nothing else gives a stream that ends")]
async fn read_partition(client: &Fluvio, partition: u32) -> Result<Vec<Entry>> {
    let consumer = client.partition_consumer(TOPIC, partition).await?;
    let config = ConsumerConfig::builder()
        .disable_continuous(true)
        .max_bytes(RESPONSE_BYTES_MAX)
        .build()?;
    let stream = consumer
        .stream_with_config(Offset::beginning(), config)
        .await?;
    let records: Vec<_> = stream.try_collect().await?;
    records.iter().map(|record| entry(record.value())).collect()
}

fn entry(json: &[u8]) -> Result<Entry> {
    let record: Value = serde_json::from_slice(json)?;
    let kind = match &record {
        record if record.get("tick").is_some() => Kind::Tick,
        record if record.get("reject").is_some() => Kind::Reject,
        _ => Kind::Trip,
    };
    Ok(Entry {
        source: record["source"]
            .as_str()
            .context("a record without a source")?
            .to_owned(),
        seq: record["seq"].as_u64().context("a record without a seq")?,
        kind,
    })
}
