//! Where each partition's log ends, and of what time its last record is: what lag is measured from.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Body, Record};
use futures_util::future::join_all;
use partition_client::{ClientError, PartitionClient, TopicPartition};

use crate::shared::Shared;
use crate::state::LogEnd;

/// How often a log's end is looked at.
const POLL: Duration = Duration::from_secs(5);

/// Keeps the ends in the state current, until stopped.
pub(crate) async fn follow(shared: &Shared, partitions: u32) {
    join_all((0..partitions).map(|partition| follow_one(shared, partition))).await;
}

async fn follow_one(shared: &Shared, partition: u32) {
    let mut client = None;
    while !shared.stop.is_cancelled() {
        let last = shared.state.borrow().log_ends.get(&partition).copied();
        let looking = look(shared, partition, &mut client, last.unwrap_or_default());
        match shared.stop.run_until_cancelled(looking).await {
            Some(Ok(end)) => {
                shared
                    .state
                    .send_if_modified(|state| state.log_ends.insert(partition, end) != Some(end));
            }
            // The streams say what is wrong; the end stays as it was last seen.
            Some(Err(error)) => tracing::debug!(partition, %error, "the log's end is not known"),
            None => return,
        }
        shared.pause(POLL).await;
    }
}

/// Looks at the end; a connection that failed is not kept.
async fn look(
    shared: &Shared,
    partition: u32,
    kept: &mut Option<PartitionClient>,
    last: LogEnd,
) -> Result<LogEnd, ClientError> {
    let mut client = match kept.take() {
        Some(client) => client,
        None => {
            let topic = shared.config.topic.clone();
            let partition = TopicPartition { topic, partition };
            PartitionClient::open(&shared.cluster, partition).await?
        }
    };
    let offset = client.offset_range().await?.end;
    let mut end = LogEnd { offset, ..last };
    if offset > 0 && offset != last.offset {
        let (_, value) = client.record_at(offset - 1).await?;
        end.at = time_of(&value).or(last.at);
    }
    *kept = Some(client);
    Ok(end)
}

/// The event time of a record; none of one that has none, as a reject.
fn time_of(value: &[u8]) -> Option<DateTime<Utc>> {
    match Record::from_json(value).ok()?.body {
        Body::Trip(trip) => Some(trip.departed_at),
        Body::Tick(at) => Some(at),
        Body::Status(status) => Some(status.at),
        Body::Reject(_) | Body::System(_) => None,
    }
}
