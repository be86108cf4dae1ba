//! Log and tables are a pair: before anything is written, each cursor is compared with the log.
//!
//! Done for all streams before one of them starts, so that no partition of another log gets into the
//! tables, and before the sink joins the others, so that one with the wrong log disturbs none that
//! runs. What to do with a log and tables that do not belong together, the operator decides: [`OtherLog`].

use std::time::Instant;

use partition_client::{Backoff, Next, PartitionClient, SessionEnd};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::availability::PUBLISHER_LOCK;
use crate::config::{OtherLog, SinkConfig};
use crate::cursor::{self, Cursor};
use crate::database;
use crate::error::SinkError;
use crate::log_check;
use crate::shared::Shared;
use crate::storable::storable;
use crate::stream_key::StreamKey;

/// A stream whose cursor does not fit the log.
struct Mismatch {
    key: StreamKey,
    cursor: Cursor,
    error: SinkError,
}

impl Mismatch {
    fn is_beyond_end(&self) -> bool {
        matches!(self.error, SinkError::BeyondEnd { .. })
    }
}

/// Waits until all cursors fit the log, or makes them do so as the configuration says.
///
/// # Errors
/// The first cursor's that does not fit, if the configuration says to stop; what a retry cannot mend.
pub(crate) async fn settle(shared: &Shared, partitions: u32) -> Result<(), SinkError> {
    let (mut backoff, mut recovery) = (shared.backoff(), shared.recovery());
    while !shared.stop.is_cancelled() {
        let settled = match mismatches(shared, partitions).await {
            Ok(found) => match found.iter().find(|mismatch| mismatch.is_beyond_end()) {
                Some(_) if recovery.after(SessionEnd::BeyondEnd, Instant::now()) == Next::Retry => {
                    wait_before_retry(shared, &mut backoff, &found[0].error).await;
                    continue;
                }
                _ => resolve(shared, found).await,
            },
            Err(error) => Err(error),
        };
        match settled {
            Err(error) if error.is_transient() => {
                wait_before_retry(shared, &mut backoff, &error).await
            }
            settled => return settled,
        }
    }
    Ok(())
}

async fn wait_before_retry(shared: &Shared, backoff: &mut Backoff, error: &SinkError) {
    let pause = backoff.next_pause();
    tracing::warn!(
        error = error.chain(),
        pause_ms = pause.as_millis(),
        "log and tables could not be compared yet"
    );
    shared.pause(pause).await;
}

/// The streams whose cursors do not fit the log; those without a cursor get one.
async fn mismatches(shared: &Shared, partitions: u32) -> Result<Vec<Mismatch>, SinkError> {
    let SinkConfig {
        topic,
        database_max: limit,
        ..
    } = &*shared.config;
    let mut connection = connect(shared).await?;
    let creating = cursor::create_missing(&mut connection, topic, partitions);
    database::with_timeout(*limit, "begin the cursors", creating).await?;
    let mut found = Vec::new();
    for key in StreamKey::all(topic, partitions) {
        let peeking = cursor::peek(&mut connection, &key);
        let cursor = database::with_timeout(*limit, "read the cursors", peeking).await?;
        match log_check::check(&shared.cluster, &key, &cursor).await {
            Ok(_) => {}
            Err(error) if error.is_log_mismatch() => found.push(Mismatch { key, cursor, error }),
            Err(error) => return Err(error),
        }
    }
    database::close(connection).await;
    Ok(found)
}

async fn resolve(shared: &Shared, mut found: Vec<Mismatch>) -> Result<(), SinkError> {
    if found.is_empty() {
        return Ok(());
    }
    if shared.config.on_other_log == OtherLog::Stop {
        return Err(found.swap_remove(0).error);
    }
    let limit = shared.config.database_max;
    let mut connection = connect(shared).await?;
    if shared.config.on_other_log == OtherLog::Rebuild {
        database::with_timeout(limit, "empty the tables", empty(&mut connection)).await?;
        tracing::warn!(
            error = found[0].error.chain(),
            "emptied the tables, which were of another log: they are built anew"
        );
        return Ok(());
    }
    for mismatch in &found {
        let resuming = resume(shared, &mut connection, mismatch);
        database::with_timeout(limit, "go on with another log", resuming).await?;
    }
    Ok(())
}

async fn connect(shared: &Shared) -> Result<PgConnection, SinkError> {
    shared.connect("start").await
}

/// Continues a stream at the start of the present log, behind a gap that is noted.
///
/// What the tables have already is known by source and seq and dropped. Ids go on where they were,
/// unless it is the same log, whose start was deleted.
async fn resume(
    shared: &Shared,
    connection: &mut PgConnection,
    found: &Mismatch,
) -> Result<(), SinkError> {
    let Mismatch { key, cursor, error } = found;
    let mut client = PartitionClient::open(&shared.cluster, key.topic_partition()).await?;
    let range = client.offset_range().await?;
    let is_same_log = matches!(error, SinkError::Deleted { .. });
    let shift = if is_same_log {
        0
    } else {
        cursor.next_offset - range.start
    };
    let failed = || SinkError::database(format!("note the gap in {key}"));
    let mut transaction = connection.begin().await.map_err(failed())?;
    let moved = sqlx::query(
        "update stream_cursor set next_offset = $5, id_shift = id_shift + $6, last_epoch = null,
             last_source = null, last_seq = null, failure = null, generation = generation + 1
         where topic = $1 and partition = $2 and module = $3 and generation = $4",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .bind(cursor.generation)
    .bind(range.start)
    .bind(shift)
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    if moved.rows_affected() != 1 {
        return Err(cursor::fenced(&mut transaction, key, cursor.next_offset).await);
    }
    // Whoever owned the partition is fenced; a lease is never older than its streams.
    sqlx::query(
        "update partition_lease set member = null, generation = generation + 1
         where topic = $1 and partition = $2",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    sqlx::query(
        "insert into log_gap (topic, partition, module, next_offset, resumed_offset, id_offset, reason)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .bind(cursor.next_offset)
    .bind(range.start)
    .bind(range.start + cursor.id_shift + shift)
    .bind(storable(&error.cause()))
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    tracing::warn!(stream = %key, error = error.chain(), offset = range.start,
        "{key} goes on at offset {} behind a gap", range.start);
    Ok(())
}

/// Empties the tables and sets all cursors to the log's start, in one transaction. Stations keep their
/// numbers.
async fn empty(connection: &mut PgConnection) -> Result<(), SinkError> {
    let failed = || SinkError::database("empty the tables");
    let mut transaction = connection.begin().await.map_err(failed())?;
    let (alone,): (bool,) = sqlx::query_as("select pg_try_advisory_xact_lock($1)")
        .bind(PUBLISHER_LOCK)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed())?;
    if !alone {
        return Err(SinkError::InUse);
    }
    let statements = "
        truncate records, frequency, dock_status, rejected, location_history, source_cursor,
            availability, availability_checkpoint, past_period, log_gap, system,
            baseline, baseline_bike, baseline_dock, baseline_status, module_version;
        update stream_cursor set next_offset = 0, last_epoch = null, last_source = null,
            last_seq = null, id_shift = 0, watermark = null, state = null, late_events = 0,
            duplicates = 0, failure = null, generation = generation + 1, updated_at = now();
        update partition_lease set member = null, generation = generation + 1;
        update replay_clock set at = to_timestamp(0), version = version + 1,
            published_at = clock_timestamp();";
    sqlx::raw_sql(statements)
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(())
}

#[cfg(test)]
mod tests;
