//! Sends records, each partition on its own, until the topic has confirmed them.
//!
//! ```text
//!  pipeline ─ queue ─▶ task 0 ─ one batch at a time ─▶ trips/0
//!          └─ queue ─▶ task 1 ─ one batch at a time ─▶ trips/1
//! ```
//!
//! Only one batch of a partition is under way at a time: with two, the second could be stored and
//! the first not, and sending the first again would put rows behind their successors. While one is
//! under way the next one gathers. Not here: which row goes where (see [`crate::partition`]).

mod batch;
mod stored;
mod task;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::try_join_all;
use partition_client::Cluster;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::stored::StoredPrefix;
use self::task::Task;
use crate::config::ProducerConfig;
use crate::error::ProducerError;
use crate::partition::Partitions;

/// Records that wait for a partition (chosen: about 1.5 MB, a few batches).
const QUEUE_RECORDS: usize = 4_096;

/// A record on its way.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// None for a tick.
    pub key: Option<Bytes>,
    /// The record's bytes.
    pub value: Bytes,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, Bytes::len);
        // A record's own fields take some 10 bytes.
        self.value.len() + key + 16
    }
}

/// The pipeline's end of the queues, one for each partition; dropped at the end of the rows.
#[derive(Debug)]
pub(crate) struct Queues(Vec<mpsc::Sender<Outgoing>>);

/// The tasks' end of the queues.
#[derive(Debug)]
pub(crate) struct Waiting(Vec<mpsc::Receiver<Outgoing>>);

/// The partition's task has ended; its error ends the run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// How many rows, without ticks, each partition has confirmed to this run.
///
/// Written by the partitions' tasks, read by the pipeline.
#[derive(Debug)]
pub(crate) struct Confirmed(Vec<AtomicU64>);

impl Confirmed {
    pub(crate) fn new(partitions: Partitions) -> Self {
        Self(partitions.iter().map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn of(&self, partition: usize) -> u64 {
        self.0[partition].load(Ordering::Relaxed)
    }

    pub(crate) fn sum(&self) -> u64 {
        (0..self.0.len()).map(|partition| self.of(partition)).sum()
    }
}

/// Makes a queue for each partition.
pub(crate) fn queues(partitions: Partitions) -> (Queues, Waiting) {
    let (senders, receivers) = partitions
        .iter()
        .map(|_| mpsc::channel(QUEUE_RECORDS))
        .unzip();
    (Queues(senders), Waiting(receivers))
}

impl Queues {
    /// Puts a record at the end of a partition's queue, when there is room.
    pub(crate) async fn send(&self, partition: u32, record: Outgoing) -> Result<(), Closed> {
        let queue = &self.0[partition as usize];
        queue.send(record).await.map_err(|_| Closed)
    }

    /// Puts each record at the end of its partition's queue.
    pub(crate) async fn send_all(&self, records: Vec<(u32, Outgoing)>) -> Result<(), Closed> {
        for (partition, record) in records {
            self.send(partition, record).await?;
        }
        Ok(())
    }
}

/// Delivers what comes through the queues; ends when they are dropped and all is confirmed.
///
/// Each partition goes on at the offset in `ends`.
///
/// # Errors
/// The first error of any partition.
pub(crate) async fn deliver(
    cluster: &Cluster,
    config: &ProducerConfig,
    waiting: Waiting,
    ends: &[i64],
    confirmed: &Confirmed,
    stop: &CancellationToken,
) -> Result<(), ProducerError> {
    let each = (0..).zip(waiting.0).zip(ends.iter().zip(&confirmed.0)).map(
        |((partition, waiting), (end, confirmed))| {
            Task::new(cluster, config, partition, *end, confirmed, stop).run(waiting)
        },
    );
    try_join_all(each).await?;
    Ok(())
}
