//! What a run did in the end.

use trip_files::RowCounts;

/// What a run did. `rows_read` is always `produced + rejected`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the source, a refused file counting as one.
    pub rows_read: u64,
    /// Rows that are trips on the topic.
    pub produced: u64,
    /// Rows that are rejects on the topic.
    pub rejected: u64,
    /// Of the rows produced and rejected, those an earlier run had sent.
    pub already_produced: u64,
    /// Files left out because their trips are in another file.
    pub duplicate_files: u64,
    /// Files that could not be used; each is one of `rejected`.
    pub refused_files: u64,
    /// Ticks sent, counted once for all partitions.
    pub ticks: u64,
    /// Of a live feed, what its polls were like.
    pub feed: FeedSummary,
    /// Whether the run was stopped before the source's end.
    pub stopped: bool,
}

/// What became of a live feed's polls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedSummary {
    /// Polls that succeeded, also those that brought nothing new.
    pub polls: u64,
    /// Polls without a response, or with one that could not be used.
    pub polls_failed: u64,
    /// Most stations that were missing in one poll and had been there before.
    pub stations_missing: u64,
}

impl Summary {
    /// How far the run is, so many rows of it being confirmed.
    pub(crate) fn counts(&self, confirmed: u64) -> RowCounts {
        RowCounts {
            rows: self.rows_read,
            confirmed,
            rejected: self.rejected,
            already_produced: self.already_produced,
        }
    }
}
