//! How far a run is, and what it did in the end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;

/// How often progress is published (chosen: ten times a second is smooth to the eye).
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Rows taken from the source, those an earlier run had sent included.
    pub rows: u64,
    /// Rows the topic has confirmed to this run.
    pub confirmed: u64,
    /// Rows in all, where that is known.
    pub total: Option<u64>,
    /// Of `rows`, those that are no trip.
    pub rejected: u64,
    /// Of `rows`, those an earlier run had sent.
    pub already_produced: u64,
    /// Event time: the departure the replay has reached.
    pub clock: Option<DateTime<Utc>>,
    /// Rows a second, over the last tenths of a second.
    pub rows_per_second: f64,
}

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
    /// Files left out because another file of the run has the same content.
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
    /// Polls that were answered, also those that brought nothing new.
    pub polls: u64,
    /// Polls without an answer, or with one that could not be used.
    pub polls_failed: u64,
    /// Most stations that were missing in one poll and had been there before.
    pub stations_missing: u64,
}

/// Publishes progress now and then.
#[derive(Debug)]
pub(crate) struct Reporter {
    progress: watch::Sender<Progress>,
    total: Option<u64>,
    published: Instant,
    rows_then: u64,
}

impl Reporter {
    pub(crate) fn new(progress: watch::Sender<Progress>, total: Option<u64>) -> Self {
        Self {
            progress,
            total,
            published: clock::now(),
            rows_then: 0,
        }
    }

    /// Publishes if it is time to.
    pub(crate) fn report(&mut self, summary: &Summary, confirmed: u64, at: Option<i64>) {
        if self.published.elapsed() >= PUBLISH_EVERY {
            self.publish(summary, confirmed, at);
        }
    }

    /// Publishes now.
    pub(crate) fn publish(&mut self, summary: &Summary, confirmed: u64, at: Option<i64>) {
        let seconds = self.published.elapsed().as_secs_f64().max(1e-3);
        #[expect(clippy::cast_precision_loss, reason = "a rate is for the eye")]
        let rows_per_second = (summary.rows_read - self.rows_then) as f64 / seconds;
        self.published = clock::now();
        self.rows_then = summary.rows_read;
        self.progress.send_replace(Progress {
            rows: summary.rows_read,
            confirmed,
            total: self.total,
            rejected: summary.rejected,
            already_produced: summary.already_produced,
            clock: at.map(crate::compact::instant),
            rows_per_second,
        });
    }
}
