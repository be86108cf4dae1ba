//! A partition's life in this process: a task for each module while it owns the partition, none while
//! another sink does.
//!
//! Both streams move together, so that a partition has one owner. A stream that is fenced ends without
//! an error: the next heartbeat tells who owns the partition now.

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::SinkError;
use crate::membership::Assignment;
use crate::module::Module;
use crate::shared::Shared;
use crate::state::{StreamEntry, StreamStatus};
use crate::stream_key::StreamKey;
use crate::task::StreamTask;

/// Follows the assignment until the sink is stopped.
///
/// # Errors
/// Of the streams, if they have failed when the sink is stopped; one that finds another log stops the
/// sink, and so does the last one that can go on.
pub(crate) async fn run(partition: u32, shared: Shared) -> Result<(), SinkError> {
    let mut assignment = shared.assignment.clone();
    let mut ended = Ok(());
    while !shared.stop.is_cancelled() {
        unassign(partition, &shared);
        let Some(generation) = assigned(partition, &mut assignment, &shared).await else {
            break;
        };
        ended = own(partition, generation, &shared).await;
        if shared.state.borrow().all_failed() {
            shared.stop.cancel();
        }
        let lost = assignment.wait_for(|assigned| assigned.get(&partition) != Some(&generation));
        // The membership ends after the partitions.
        drop(shared.stop.run_until_cancelled(lost).await);
    }
    ended
}

/// The generation by which this process owns the partition, once it does; none if it is stopped before.
async fn assigned(
    partition: u32,
    assignment: &mut watch::Receiver<Assignment>,
    shared: &Shared,
) -> Option<i64> {
    let assigned = assignment.wait_for(|assigned| assigned.contains_key(&partition));
    let assigned = shared.stop.run_until_cancelled(assigned).await?;
    assigned.ok()?.get(&partition).copied()
}

/// Shows the streams as another sink's.
fn unassign(partition: u32, shared: &Shared) {
    for module in Module::ALL {
        let key = key(partition, module, shared);
        StreamEntry::new(&key, shared.state.clone()).update(|stream| {
            stream.status = StreamStatus::Unassigned;
            stream.last_error = None;
        });
    }
}

fn key(partition: u32, module: Module, shared: &Shared) -> StreamKey {
    StreamKey {
        topic: shared.config.topic.clone(),
        partition,
        module,
    }
}

/// Runs both streams until they have ended: because they failed, are fenced, are stopped, or because
/// another sink owns the partition.
async fn own(partition: u32, generation: i64, shared: &Shared) -> Result<(), SinkError> {
    let owned = Shared {
        stop: shared.stop.child_token(),
        ..shared.clone()
    };
    let mut tasks = JoinSet::new();
    for module in Module::ALL {
        let key = key(partition, module, shared);
        tasks.spawn(StreamTask::new(key, generation, owned.clone()).run());
    }
    let mut assignment = shared.assignment.clone();
    let losing = async {
        let is_lost = assignment.wait_for(|assigned| assigned.get(&partition) != Some(&generation));
        if is_lost.await.is_ok() {
            owned.stop.cancel();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = end_of(&mut tasks, shared) => ended,
        () = losing => Ok(()),
    }
}

/// Waits for both; the first error.
async fn end_of(
    tasks: &mut JoinSet<Result<(), SinkError>>,
    shared: &Shared,
) -> Result<(), SinkError> {
    let mut ended = Ok(());
    while let Some(task) = tasks.join_next().await {
        match task {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                if error.is_log_mismatch() {
                    shared.stop.cancel();
                }
                ended = ended.and(Err(error));
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    ended
}
