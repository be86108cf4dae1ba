//! What stands behind the replicated part of a log.

use std::time::Duration;

use crate::client::TopicPartition;
use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::stream::{PartitionStream, StreamRequest};

/// When a log that is not replicated yet says nothing for so long, its end was reached.
const QUIET_AFTER: Duration = Duration::from_millis(500);

/// Whether the log has records from `end` on, where its replicated part ends.
///
/// # Errors
/// If the leader cannot be reached.
pub async fn has_unreplicated(
    cluster: &Cluster,
    partition: &TopicPartition,
    end: i64,
) -> Result<bool, ClientError> {
    let request = StreamRequest::unreplicated(end);
    let mut stream = PartitionStream::open(cluster, partition.clone(), request).await?;
    match tokio::time::timeout(QUIET_AFTER, stream.next_response()).await {
        // Where such a log ends shows only in that nothing comes any more.
        Err(_) => Ok(false),
        Ok(response) => {
            let response = response?;
            response.check(partition)?;
            Ok(!response.batches.is_empty())
        }
    }
}
