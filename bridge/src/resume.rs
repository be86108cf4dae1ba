//! Where a session goes on, and that what comes is what should come. No I/O.

use anyhow::anyhow;
use domain::Position;
use fluvio_protocol::record::{Batch, RawRecords};
use partition_client::{OffsetRange, TopicPartition};

use crate::batch::{self, Decoded};
use crate::error::BridgeError;
use crate::progress::{BatchId, Progress};
use crate::record::Record;
use crate::stamp::{Origin, Stamp};

/// Where to go on in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextOffset {
    /// The first offset to copy.
    pub offset: i64,
    /// Records before it that the source has deleted before they could be copied.
    pub deleted: i64,
}

/// The offset to go on at in a source that must still have it; what was copied ends before `next`.
///
/// # Errors
/// [`BridgeError::BeyondEnd`] if the source's log ends before it.
pub fn next_offset(
    source: &TopicPartition,
    next: i64,
    log: OffsetRange,
) -> Result<NextOffset, BridgeError> {
    if next > log.end {
        let (at, end) = (source.at(next), log.end);
        return Err(BridgeError::BeyondEnd { at, end });
    }
    Ok(NextOffset {
        offset: next.max(log.start),
        deleted: (log.start - next).max(0),
    })
}

/// The last record of a mirror in Fluvio, as it was in Kafka, from the mirror's last batch.
///
/// # Errors
/// [`BridgeError::OtherWriter`] if another one than a bridge of this origin has written it.
pub fn last_copied(
    mirror: &TopicPartition,
    last: &Batch<RawRecords>,
    origin: Origin,
) -> Result<Record, BridgeError> {
    let found = match Stamp::read(last.get_header()) {
        Some(stamp) if stamp.origin == origin => {
            let decoded = batch::decode(last);
            let decoded = decoded.map_err(|source| BridgeError::unreadable(mirror, source));
            let last = decoded?.pop();
            let last = last.and_then(Decoded::into_kafka);
            let none = || BridgeError::unreadable(mirror, anyhow!("a batch without a record"));
            return last.ok_or_else(none);
        }
        Some(_) => "the records before it were copied from another Kafka topic",
        None => "the records before it were not copied from Kafka",
    };
    Err(BridgeError::OtherWriter {
        at: mirror.at(last.get_last_offset() + 1),
        found: found.to_owned(),
    })
}

/// Fails if others have written to a mirror in Fluvio: a batch is at `base` that should be at `expected`.
///
/// # Errors
/// [`BridgeError::OtherWriter`].
pub fn check_alone(mirror: &TopicPartition, expected: i64, base: i64) -> Result<(), BridgeError> {
    if base == expected {
        return Ok(());
    }
    Err(BridgeError::OtherWriter {
        at: mirror.at(base),
        found: format!("records {expected}..{base} came from elsewhere while the bridge wrote"),
    })
}

/// Fails if another batch stands where the last copied one was; `found` is the one before `at`.
///
/// # Errors
/// [`BridgeError::OtherLog`].
pub fn check_same_log(
    at: Position,
    progress: &Progress,
    found: &Batch<RawRecords>,
) -> Result<(), BridgeError> {
    match progress.last_batch {
        Some(copied) if copied != BatchId::of(found) => Err(BridgeError::OtherLog { at }),
        _ => Ok(()),
    }
}

/// Stored batches as they come, each record once and without a gap.
#[derive(Debug)]
pub struct Contiguous {
    partition: TopicPartition,
    next_offset: i64,
    last_batch: Option<BatchId>,
}

impl Contiguous {
    /// Goes on behind what was copied.
    #[must_use]
    pub fn resume(partition: TopicPartition, from: &Progress) -> Self {
        Self {
            partition,
            next_offset: from.next_offset,
            last_batch: from.last_batch,
        }
    }

    /// The records of the next batch that were not copied before.
    ///
    /// # Errors
    /// If the batch is none, or begins behind the record that should come.
    pub fn take(&mut self, batch: &Batch<RawRecords>) -> Result<Vec<Decoded>, BridgeError> {
        let decoded = batch::decode(batch);
        let decoded = decoded.map_err(|source| BridgeError::unreadable(&self.partition, source))?;
        let mut taken = Vec::with_capacity(decoded.len());
        for decoded in decoded {
            let offset = decoded.record.offset;
            // A batch may begin before the offset that was asked for.
            if offset < self.next_offset {
                continue;
            }
            if offset > self.next_offset {
                // Another session asks where the log starts now, and counts what was deleted.
                let expected = self.next_offset;
                let reason = anyhow!("{offset} came where {expected} should have");
                return Err(BridgeError::unreadable(&self.partition, reason));
            }
            self.next_offset += 1;
            taken.push(decoded);
        }
        self.last_batch = Some(BatchId::of(batch));
        Ok(taken)
    }

    /// How far the source was read, to be stored with what was read.
    #[must_use]
    pub fn progress(&self, next_headers_offset: i64) -> Progress {
        Progress {
            next_offset: self.next_offset,
            next_headers_offset,
            last_batch: self.last_batch,
        }
    }
}
