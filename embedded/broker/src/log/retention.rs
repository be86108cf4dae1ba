//! Deletes the oldest segments of a log.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Log;
use super::error::LogError;
use super::segment::Segment;

/// What a topic keeps of each partition; whatever is both young and little enough stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    /// A segment goes when nothing was written to it for so long.
    pub(crate) age_max: Option<Duration>,
    /// The oldest segment goes while all have more bytes.
    pub(crate) bytes_max: Option<u64>,
}

impl Log {
    /// Deletes the oldest segments that are too old or too much, never the one that is written; gives
    /// the offset at which the log begins then, if any went. Nothing of a damaged log.
    pub(crate) fn delete_old(&self, retention: Retention) -> Result<Option<i64>, LogError> {
        let _appending = self.lock_appending();
        if self.damage().is_some() {
            return Ok(None);
        }
        let segments = self.read_segments().clone();
        let gone = count_old(&segments, retention)?;
        let (gone, kept) = segments.split_at(gone);
        let Some(first) = kept.first().filter(|_| !gone.is_empty()) else {
            return Ok(None);
        };
        let storage = &*self.config.storage;
        self.log_start.write(storage, first.base_offset())?;
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..gone.len());
        // Who reads one still has its file; what a crash leaves is removed by the next start.
        for segment in gone {
            storage
                .remove(segment.path())
                .map_err(LogError::file("remove", segment.path()))?;
        }
        Ok(Some(first.base_offset()))
    }
}

fn count_old(segments: &[Arc<Segment>], retention: Retention) -> Result<usize, LogError> {
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes()).sum();
    let closed = segments.len().saturating_sub(1);
    for (index, segment) in segments[..closed].iter().enumerate() {
        let is_too_much = retention.bytes_max.is_some_and(|max| bytes > max);
        let is_old = match retention.age_max {
            Some(age_max) => segment.age()? > age_max,
            None => false,
        };
        if !is_too_much && !is_old {
            return Ok(index);
        }
        bytes -= segment.bytes();
    }
    Ok(closed)
}
