//! Reads all logs now and then, so that damage is found before the data is needed.
//!
//! Reading is all it takes: a log notes and reports the first batch that is not as it was written.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::batch;
use crate::log::{LogError, SLICE_BYTES_MAX};
use crate::node::{Node, Partition};

/// Chosen: after a start the disk is needed for other things first.
const FIRST_AFTER: Duration = Duration::from_secs(10 * 60);
/// Between the end of one pass and the beginning of the next. Chosen: as storage systems do, daily.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Chosen: a tenth of a slow disk's; 1 TB takes 14 hours.
const BYTES_PER_SEC: u32 = 20 << 20;

/// Reads everything again and again, slowly, until it is dropped.
pub(crate) async fn run(node: Arc<Node>) {
    sleep(FIRST_AFTER).await;
    loop {
        pass(&node).await;
        sleep(EVERY).await;
    }
}

/// Reads what there is of each partition.
pub(crate) async fn pass(node: &Node) {
    for (replica, partition) in node.partitions() {
        match scrub(&partition).await {
            // The log has reported it.
            Ok(()) | Err(LogError::Damaged(_)) => {}
            Err(error) => tracing::error!(
                topic = replica.topic,
                partition = replica.partition,
                error = &error as &dyn std::error::Error,
                "could not check a log"
            ),
        }
    }
    tracing::debug!("checked all logs");
}

async fn scrub(partition: &Arc<Partition>) -> Result<(), LogError> {
    let end = partition.log.end_offset();
    let mut offset = partition.log.start_offset();
    while offset < end && !partition.deleted.is_cancelled() {
        let reading = Arc::clone(partition);
        let read = spawn_blocking(move || reading.log.read(offset, SLICE_BYTES_MAX)).await;
        // A panic is reported by its hook, and ends this pass through the partition.
        let Ok(slice) = read else { return Ok(()) };
        let bytes = slice?.bytes;
        let Some(next_offset) = batch::next_offset(&bytes) else {
            return Ok(());
        };
        offset = next_offset;
        let bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        sleep(Duration::from_secs(1) * bytes / BYTES_PER_SEC).await;
    }
    Ok(())
}
