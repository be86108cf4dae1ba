//! How far the stream tasks have committed: which rows of `records` can be read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use crate::error::SinkError;
use crate::module::Module;

/// The `trip-split` cursors of all partitions, of this sink and of others.
#[derive(Debug, Clone, Default)]
pub struct CommittedOffsets {
    /// By number.
    pub partitions: BTreeMap<u32, CommittedPartition>,
}

/// Rows before `next_offset` are committed, and a committed row never changes, so they can be read
/// later, in any transaction.
#[derive(Debug, Clone, Copy)]
pub struct CommittedPartition {
    /// As offsets stand in ids.
    pub next_offset: i64,
    /// The newest departure, status or tick.
    pub watermark: Option<DateTime<Utc>>,
}

impl CommittedOffsets {
    pub(crate) async fn load(
        connection: &mut PgConnection,
        topic: &str,
    ) -> Result<Self, SinkError> {
        let rows: Vec<(i16, i64, Option<DateTime<Utc>>)> = sqlx::query_as(
            "select partition, next_offset + id_shift, watermark
             from stream_cursor where topic = $1 and module = $2",
        )
        .bind(topic)
        .bind(Module::TripSplit.name())
        .fetch_all(connection)
        .await
        .map_err(SinkError::database("read the cursors"))?;
        let partitions = rows.into_iter().map(|(partition, next_offset, watermark)| {
            let committed = CommittedPartition {
                next_offset,
                watermark,
            };
            (u32::from(partition.unsigned_abs()), committed)
        });
        Ok(Self {
            partitions: partitions.collect(),
        })
    }
}
