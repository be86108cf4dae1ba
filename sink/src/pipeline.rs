//! The whole sink: find the partitions, share them with other sinks, follow the modules, run a task for
//! each stream, publish the availability.

use std::sync::Arc;

use domain::error_chain;
use domain::record_id::PARTITIONS_MAX;
use fluvio::FluvioClusterConfig;
use partition_client::Cluster;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::availability;
use crate::cluster::RESPONSE_MAX;
use crate::config::SinkConfig;
use crate::error::SinkError;
use crate::log_end;
use crate::membership::{self, Assignment};
use crate::module::{self, LoadedModules, ModuleSources};
use crate::pair;
use crate::partition;
use crate::shared::Shared;
use crate::state::SinkState;

/// Stores the modules' outputs until stopped; gives the last state.
///
/// Sinks of one database share its partitions: whichever join and leave, each partition has one.
/// The database must have been migrated (see [`crate::migrate`]). `sources` may change while the
/// sink runs; `state` is written at every step and read by whoever holds a receiver. A stream that
/// fails for good stops alone, with an error in the log and in `state`; the others go on.
///
/// # Errors
/// The first stream's error if all streams of all partitions have failed for good here, or if the log is
/// not the one that the tables were filled from: then all streams stop. [`SinkError::TooManyPartitions`]
/// if the topic has more than the keys of table `records` can name.
pub async fn run(
    cluster: FluvioClusterConfig,
    config: SinkConfig,
    sources: watch::Receiver<ModuleSources>,
    state: watch::Sender<SinkState>,
    stop: CancellationToken,
) -> Result<SinkState, SinkError> {
    tracing::info!(?config, endpoint = cluster.endpoint, "sink starts");
    let cluster = Arc::new(Cluster::new(cluster, RESPONSE_MAX));
    // One stream that finds another log stops all of them.
    let stop = stop.child_token();
    let (loaded, modules) = watch::channel(LoadedModules::new());
    let (assign, assignment) = watch::channel(Assignment::new());
    // Streams stop with the sink; followers stop with it or when no stream is left.
    let followers = stop.child_token();
    let shared = Shared {
        config: Arc::new(config),
        cluster: Arc::clone(&cluster),
        modules,
        state: state.clone(),
        written: Arc::new(Notify::new()),
        recent: Arc::default(),
        assignment,
        stop,
    };
    let Some(partitions) = find_topic(&shared).await? else {
        return Ok(state.borrow().clone());
    };
    pair::settle(&shared, partitions).await?;
    let following = module::follow(
        &cluster,
        sources,
        &loaded,
        shared.config.module_poll,
        &followers,
    );
    let publishing = availability::run(Shared {
        stop: followers.clone(),
        ..shared.clone()
    });
    // Not before its last commit does a member give its partitions to others.
    let member = Shared {
        stop: CancellationToken::new(),
        ..shared.clone()
    };
    let streaming = async {
        let result = run_partitions(&shared, partitions).await;
        followers.cancel();
        member.stop.cancel();
        result
    };
    let log_ends = Shared {
        stop: followers.clone(),
        ..shared.clone()
    };
    let log_ends = log_end::follow(&log_ends, partitions);
    let sharing = membership::run(&member, assign);
    let (result, (), (), (), ()) =
        tokio::join!(streaming, publishing, following, log_ends, sharing);
    result?;
    let last = state.borrow().clone();
    tracing::info!(records = last.records(), "sink has stopped");
    Ok(last)
}

/// Runs one task a partition until all have ended; the first error if all streams failed, or if the log
/// is another one.
async fn run_partitions(shared: &Shared, partitions: u32) -> Result<(), SinkError> {
    let mut tasks = JoinSet::new();
    for number in 0..partitions {
        tasks.spawn(partition::run(number, shared.clone()));
    }
    let mut first_error = None;
    let mut is_other_log = false;
    while let Some(task) = tasks.join_next().await {
        match task {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                is_other_log |= error.is_log_mismatch();
                first_error = first_error.or(Some(error));
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    match first_error {
        Some(error) if is_other_log || shared.state.borrow().all_failed() => Err(error),
        _ => Ok(()),
    }
}

/// Number of partitions; waits for cluster and topic. None if stopped before.
///
/// # Errors
/// As [`check_partitions`].
async fn find_topic(shared: &Shared) -> Result<Option<u32>, SinkError> {
    let topic = &shared.config.topic;
    let mut backoff = shared.backoff();
    let mut last_problem = String::new();
    while !shared.stop.is_cancelled() {
        let problem = match shared.cluster.topic_shape(topic).await {
            Ok(Some(shape)) if shape.partitions > 0 => {
                return check_partitions(topic, shape.partitions).map(Some);
            }
            Ok(_) => format!("the cluster has no topic {topic} (yet)"),
            Err(error) => error_chain(&error),
        };
        if last_problem != problem {
            tracing::warn!(topic, "{problem}; waiting");
            last_problem = problem;
        }
        shared.pause(backoff.next_pause()).await;
    }
    Ok(None)
}

/// Gives the partitions back if the keys of table `records` can name them.
///
/// # Errors
/// [`SinkError::TooManyPartitions`] otherwise: rows would get the keys of other records.
fn check_partitions(topic: &str, partitions: u32) -> Result<u32, SinkError> {
    if partitions > PARTITIONS_MAX {
        let topic = topic.to_owned();
        return Err(SinkError::TooManyPartitions { topic, partitions });
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_with_more_partitions_than_keys_can_name_is_refused() {
        assert_eq!(check_partitions("trips", 1_024).unwrap(), 1_024);
        let error = check_partitions("trips", 1_025).unwrap_err();
        assert!(!error.is_transient());
        assert_eq!(
            error.to_string(),
            "topic trips has 1025 partitions, but the keys of table records can name only 1024: \
             give the sink a topic with fewer"
        );
    }
}
