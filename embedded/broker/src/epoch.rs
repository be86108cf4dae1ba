//! Numbers the lives of logs, as Kafka's leader epoch does (KIP-101).
//!
//! Each stored batch carries the epoch in which it was stored. A log that has lost its end and grown
//! again, one that was begun anew, and one of another folder have other epochs at the same offsets,
//! so that a reader that keeps the epoch with its offset sees the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// The epoch that batches are marked with when they are stored.
///
/// One number, shared by all logs: written when the data folder is opened and when a
/// topic is created, read by each append.
#[derive(Debug, Clone)]
pub(crate) struct LeaderEpoch(Arc<AtomicI32>);

impl LeaderEpoch {
    pub(crate) fn new(epoch: i32) -> Self {
        Self(Arc::new(AtomicI32::new(epoch)))
    }

    pub(crate) fn get(&self) -> i32 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, epoch: i32) {
        self.0.store(epoch, Ordering::Release);
    }
}
