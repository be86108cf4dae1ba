//! Memory that several files share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes for all files together.
///
/// Shared by the thread that reads and the rows that wait to be sent; each part is given back when
/// its [`Taken`] is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// A part of the room.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Room,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes a part, if there is that much left.
    pub(crate) fn take(&self, bytes: usize) -> Option<Taken> {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.ok().map(|_| Taken {
            room: self.clone(),
            bytes,
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
