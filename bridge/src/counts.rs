//! How much was copied.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of a run, over all its routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records stored on the other side and known to be there; of a SmartModule, its outputs.
    pub copied: u64,
    /// Source offsets without a record: transaction markers, aborted or compacted records.
    pub passed_over: u64,
    /// Source offsets whose records were deleted before they could be copied.
    pub deleted: u64,
}

/// Counts while they grow. Atomics, because each partition's task adds its own.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    copied: AtomicU64,
    passed_over: AtomicU64,
    deleted: AtomicU64,
}

impl Counts {
    pub(crate) fn add_copied(&self, records: usize) {
        self.copied.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_passed_over(&self, offsets: i64) {
        self.passed_over
            .fetch_add(offsets.unsigned_abs(), Ordering::Relaxed);
    }

    pub(crate) fn add_deleted(&self, offsets: i64) {
        self.deleted
            .fetch_add(offsets.unsigned_abs(), Ordering::Relaxed);
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            copied: self.copied.load(Ordering::Relaxed),
            passed_over: self.passed_over.load(Ordering::Relaxed),
            deleted: self.deleted.load(Ordering::Relaxed),
        }
    }
}
