//! What a transaction makes of a stream's cursor. No I/O.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::last_record::LastRecord;
use crate::split::SplitChunk;
use crate::window::WindowChunk;

/// What changes beside the rows that one transaction writes.
#[derive(Debug)]
pub struct CursorUpdate<'a> {
    /// Everything before it is in the tables then.
    pub next_offset: i64,
    /// The record before it; none if none is new.
    pub last: Option<&'a LastRecord>,
    /// The newest departure, status or tick; the cursor keeps the greater of this and its own.
    pub watermark: Option<DateTime<Utc>>,
    /// The module's state as JSON; without one the cursor keeps its own.
    pub state: Option<String>,
    /// Records that were sent again.
    pub duplicates: u64,
    /// Departures that came after their window had closed.
    pub late_events: u64,
    /// The last `seq` taken of each source that advanced.
    pub sources: BTreeMap<&'a str, u64>,
}

impl<'a> CursorUpdate<'a> {
    /// Of events, statuses and rejects; `last` is the last of the chunks.
    #[must_use]
    pub fn of_split(chunks: &'a [SplitChunk], last: &SplitChunk) -> Self {
        let sources = chunks.iter().flat_map(|chunk| &chunk.sources);
        Self {
            next_offset: last.next_offset,
            last: chunks.iter().rev().find_map(|chunk| chunk.last.as_ref()),
            watermark: chunks.iter().filter_map(|chunk| chunk.watermark).max(),
            state: None,
            duplicates: chunks.iter().map(|chunk| chunk.duplicates).sum(),
            late_events: 0,
            sources: sources
                .map(|(source, seq)| (source.as_str(), *seq))
                .collect(),
        }
    }

    /// Of windows.
    ///
    /// # Errors
    /// If the module's state cannot be written as JSON.
    pub fn of_windows(chunk: &'a WindowChunk) -> serde_json::Result<Self> {
        let sources = chunk.sources.iter();
        let state = chunk.state.as_ref();
        Ok(Self {
            next_offset: chunk.next_offset,
            last: chunk.last.as_ref(),
            watermark: state.and_then(|state| state.watermark),
            state: state.map(serde_json::to_string).transpose()?,
            duplicates: 0,
            late_events: chunk.late_events(),
            sources: sources
                .map(|(source, seq)| (source.as_str(), *seq))
                .collect(),
        })
    }
}
