//! The cluster that a sink reads, and how long it waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use fluvio::FluvioClusterConfig;
use partition_client::Cluster;

use crate::error::SinkError;

/// Longest wait for a response of the cluster.
pub(crate) const RESPONSE_MAX: Duration = Duration::from_secs(10);

/// The end of each partition's committed log, by partition: what a sink has to reach to have
/// stored everything that is there now.
///
/// # Errors
/// [`SinkError::Broker`] if the cluster does not respond or has no such topic.
pub async fn log_ends(
    config: &FluvioClusterConfig,
    topic: &str,
) -> Result<BTreeMap<u32, i64>, SinkError> {
    let cluster = Cluster::new(config.clone(), RESPONSE_MAX);
    Ok(cluster.log_ends(topic).await?)
}
