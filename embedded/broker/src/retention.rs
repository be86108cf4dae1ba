//! Deletes what topics have declared to keep no longer.
//!
//! A topic that declares nothing keeps everything, unlike on a real cluster, where it keeps a week.

use std::sync::Arc;
use std::time::Duration;

use fluvio_controlplane_metadata::topic::TopicSpec;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::log::Retention;
use crate::node::Node;

/// Chosen: as often as the real SPU looks.
const EVERY: Duration = Duration::from_secs(10);

/// Looks at all logs again and again, until it is dropped.
pub(crate) async fn run(node: Arc<Node>) {
    loop {
        let looking = Arc::clone(&node);
        // A panic is reported by its hook, and ends this pass.
        let _ended = spawn_blocking(move || pass(&looking)).await;
        sleep(EVERY).await;
    }
}

/// Deletes what is old of each partition. Blocks.
pub(crate) fn pass(node: &Node) {
    for (replica, partition) in node.partitions() {
        let Some(spec) = node.metadata.topic(&replica.topic) else {
            continue;
        };
        let retention = retention_of(&spec);
        if retention == Retention::default() || partition.deleted.is_cancelled() {
            continue;
        }
        match partition.log.delete_old(retention) {
            Ok(None) => {}
            Ok(Some(start)) => tracing::info!(
                topic = replica.topic,
                partition = replica.partition,
                "deleted old records: the log begins at offset {start}"
            ),
            Err(error) => tracing::error!(
                topic = replica.topic,
                partition = replica.partition,
                error = &error as &dyn std::error::Error,
                "could not delete old records"
            ),
        }
    }
}

fn retention_of(spec: &TopicSpec) -> Retention {
    let age = spec
        .get_clean_policy()
        .map(|policy| policy.retention_secs());
    Retention {
        age_max: age.map(|seconds| Duration::from_secs(seconds.into())),
        bytes_max: spec
            .get_storage()
            .and_then(|storage| storage.max_partition_size),
    }
}
