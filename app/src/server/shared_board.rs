//! One board for all requests, and its changes for any number of browsers.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{broadcast, watch};

use super::board::Board;
use super::event;
use crate::model::{Database, Delta, Heartbeat, Snapshot};
use crate::query::docks::Reading;
use crate::query::past::PastRange;

/// Updates a slow browser may fall behind before it is brought up from the board instead
/// (chosen: ten seconds of a busy city).
const UPDATES_BEHIND_MAX: usize = 256;

/// A request before the first reading of Postgres waits this long for it.
const FIRST_READING_MAX: Duration = Duration::from_millis(1_500);

/// What it takes to send an event to one stream (measured by `cargo xtask bench pages`).
const SENDING_ONE: Duration = Duration::from_micros(10);

/// The board that all requests read; copies are the same one.
#[derive(Debug, Clone)]
pub struct SharedBoard {
    /// Written by the one task that follows Postgres, read by every request. The lock is held to copy
    /// or to write JSON, never across an await.
    board: Arc<RwLock<Board>>,
    /// One sender; a receiver per browser, which ends with its connection.
    updates: broadcast::Sender<Update>,
    /// Turns true at the first reading or the first failure to get one.
    was_read: watch::Sender<bool>,
}

/// What is sent to every browser.
#[derive(Debug, Clone)]
pub(crate) enum Update {
    /// Docks or clock changed.
    Docks {
        /// Readers of this version can take `event` as it is.
        since: i64,
        /// The version after it.
        version: i64,
        /// The delta, written once for all.
        event: Bytes,
    },
    /// A heartbeat.
    Heartbeat(Bytes),
}

impl SharedBoard {
    /// A board that holds nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            board: Arc::default(),
            updates: broadcast::Sender::new(UPDATES_BEHIND_MAX),
            was_read: watch::Sender::new(false),
        }
    }

    /// The last version read.
    #[must_use]
    pub(crate) fn version(&self) -> i64 {
        self.read(Board::version)
    }

    /// All docks.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.read(Board::snapshot)
    }

    /// Whether Postgres responds, and how old the last publish is.
    #[must_use]
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        self.read(Board::heartbeat)
    }

    /// Whether a reading is from before the board.
    #[must_use]
    pub(crate) fn is_ahead_of(&self, reading: &Reading) -> bool {
        self.read(|board| board.is_ahead_of(reading))
    }

    /// Takes over changes and sends them to every browser.
    pub fn apply(&self, reading: Reading) {
        self.publish(|board| board.apply(reading));
    }

    /// Takes over a reading of everything and sends it to every browser.
    pub fn replace(&self, reading: Reading) {
        self.publish(|board| board.replace(reading));
    }

    /// Notes whether Postgres responds, and sends a heartbeat to every browser if that has changed.
    pub fn set_database(&self, database: Database) {
        let mut board = self.board.write().unwrap_or_else(PoisonError::into_inner);
        let is_news = board.heartbeat().database != database;
        board.set_database(database);
        if is_news {
            self.send(Update::Heartbeat(event::heartbeat(board.heartbeat())));
        }
        drop(board);
        self.was_read.send_replace(true);
    }

    /// Notes what of the sink has stopped, a line for each stream.
    pub fn set_failures(&self, failures: Vec<String>) {
        let mut board = self.board.write().unwrap_or_else(PoisonError::into_inner);
        board.set_failures(failures);
    }

    /// Notes which seconds of the past are stored.
    pub(crate) fn set_past(&self, past: Option<PastRange>) {
        let mut board = self.board.write().unwrap_or_else(PoisonError::into_inner);
        board.set_past(past);
    }

    /// Returns once Postgres was read, or was found missing, or after [`FIRST_READING_MAX`].
    pub(crate) async fn wait_for_reading(&self) {
        let mut was_read = self.was_read.subscribe();
        // Running out of time is fine: there is nothing yet, and the page says so.
        drop(
            tokio::time::timeout(FIRST_READING_MAX, was_read.wait_for(|was_read| *was_read)).await,
        );
    }

    /// Sends a heartbeat to every browser.
    pub(crate) fn send_heartbeat(&self) {
        self.send(Update::Heartbeat(event::heartbeat(self.heartbeat())));
    }

    /// How long it takes to send an update to every browser. To send the next one sooner helps nobody:
    /// it would wait behind the last one, and what changes meanwhile is one update more.
    #[must_use]
    pub(crate) fn sending_time(&self) -> Duration {
        let streams = u32::try_from(self.updates.receiver_count()).unwrap_or(u32::MAX);
        SENDING_ONE.saturating_mul(streams)
    }

    /// Subscribes a browser that has seen version `since`.
    #[must_use]
    pub fn subscribe(&self, since: Option<i64>) -> Subscriber {
        // Both under the lock: no update can come between the delta and the subscription.
        let board = self.board.read().unwrap_or_else(PoisonError::into_inner);
        // A server that has read nothing yet does not take from a page what that shows.
        let delta = board.is_read().then(|| board.delta_since(since));
        Subscriber {
            receiver: self.updates.subscribe(),
            first: delta.map(|delta| event::docks(&delta)),
            heartbeat: Some(event::heartbeat(board.heartbeat())),
            version: board.version(),
            board: self.clone(),
        }
    }

    fn publish(&self, change: impl FnOnce(&mut Board) -> Delta) {
        let mut board = self.board.write().unwrap_or_else(PoisonError::into_inner);
        let before = board.version();
        let delta = change(&mut board);
        // After a replacement no reader can go on from what it has.
        let since = if delta.full { i64::MIN } else { before };
        self.send(Update::Docks {
            since,
            version: delta.version,
            event: event::docks(&delta),
        });
    }

    fn send(&self, update: Update) {
        // No receiver is no error: nobody has the page open.
        drop(self.updates.send(update));
    }

    /// Reads the board under its lock; `get` must not wait for anything.
    pub(crate) fn read<T>(&self, get: impl FnOnce(&Board) -> T) -> T {
        get(&self.board.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for SharedBoard {
    fn default() -> Self {
        Self::new()
    }
}

/// One browser's subscription.
#[derive(Debug)]
pub struct Subscriber {
    board: SharedBoard,
    receiver: broadcast::Receiver<Update>,
    /// What the browser has missed, until that is handed out.
    first: Option<Bytes>,
    /// Said at once, so that a page knows how old its numbers are.
    heartbeat: Option<Bytes>,
    /// The version the browser has after what was handed out.
    version: i64,
}

impl Subscriber {
    /// Waits for the next event, as it goes over the wire; none once the board is gone.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(event) = self.first.take().or_else(|| self.heartbeat.take()) {
            return Some(event);
        }
        loop {
            match self.receiver.recv().await {
                Ok(Update::Heartbeat(event)) => return Some(event),
                Ok(Update::Docks {
                    since,
                    version,
                    event,
                }) => {
                    if since == i64::MIN || since == self.version {
                        self.version = version;
                        return Some(event);
                    }
                    // Already part of what was handed out: go on.
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    if let Some(event) = self.catch_up() {
                        return Some(event);
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Brings a browser that fell behind up in one step, if there has been a reading.
    fn catch_up(&mut self) -> Option<Bytes> {
        let caught_up = self.board.subscribe(Some(self.version));
        self.receiver = caught_up.receiver;
        self.version = caught_up.version;
        caught_up.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_takes_as_long_as_there_are_pages_to_send_it_to() {
        let board = SharedBoard::new();
        let pages: Vec<_> = (0..1_000).map(|_| board.subscribe(None)).collect();
        assert_eq!(board.sending_time(), Duration::from_millis(10));
        drop(pages);
        assert_eq!(board.sending_time(), Duration::ZERO);
    }
}
