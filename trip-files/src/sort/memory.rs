//! Memory that several files share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes for all files together.
///
/// Shared by the thread that reads and the rows that wait to be sent; each part is given back when
/// its [`Reservation`] is dropped.
#[derive(Debug, Clone)]
pub(crate) struct MemoryLimit(Arc<AtomicUsize>);

/// A part of the memory.
#[derive(Debug)]
pub(crate) struct Reservation {
    limit: MemoryLimit,
    bytes: usize,
}

impl MemoryLimit {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Reserves a part, if there is that much left.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let less = |left: usize| left.checked_sub(bytes);
        let reserved = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        reserved.ok().map(|_| Reservation {
            limit: self.clone(),
            bytes,
        })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.limit.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
