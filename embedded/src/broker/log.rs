//! One partition's log: whole batches, appended to files and read back in slices.
//!
//! ```text
//! append ─▶ active segment ─(full)─▶ closed segments      read(offset) ─▶ slice of whole batches
//! ```
//! A batch is in the log when the system has it (like the real SPU: it survives `kill -9`, not a
//! power cut). What is readable is also committed: there are no followers to wait for.
//!
//! Not here: retention and compaction. A log keeps everything until its topic is deleted.

mod segment;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use fluvio_protocol::record::{Batch, RawRecords};
use tokio::sync::watch;

use super::batch::{self, BatchHead};
use segment::Segment;

/// Largest read of a slice, unless one batch is larger: keeps memory flat and copies cheap.
pub(super) const SLICE_BYTES_MAX: usize = 1 << 20;

/// Why a log could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file could not be used.
    #[error("could not {action} \"{}\"", path.display())]
    File {
        /// "read", "append to", …
        action: &'static str,
        /// The segment's file or the log's folder.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A closed segment does not hold what it should; cutting it would lose what follows it.
    #[error(
        "segment \"{}\" is damaged at byte {position}: restore it from a backup, \
         or move the topic's folder away to start it anew",
        path.display()
    )]
    Damaged {
        /// The segment's file.
        path: PathBuf,
        /// Where the first bad batch begins, in bytes.
        position: u64,
    },
    /// A batch is larger than a segment may be.
    #[error("a batch of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Size of the batch.
        bytes: u64,
        /// What a segment may hold.
        limit: u64,
    },
    /// A batch claims to have no records.
    #[error("a batch without records cannot be stored")]
    Empty,
    /// The offset is before the first that is kept.
    #[error("offset {offset} is no longer kept, the first is {first}")]
    Evicted {
        /// The offset asked for.
        offset: i64,
        /// The first offset there is.
        first: i64,
    },
    /// The offset is after the end.
    #[error("offset {offset} is beyond the log's end {end}")]
    BeyondEnd {
        /// The offset asked for.
        offset: i64,
        /// The offset the next record will get.
        end: i64,
    },
}

impl LogError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

/// Where appended batches went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    /// Offset of the first appended record.
    pub(super) base_offset: i64,
}

/// Whole batches as they are stored, the first one holding the offset asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Slice {
    /// Empty if the offset asked for is the log's end.
    pub(super) bytes: Bytes,
}

/// An append-only log of batches in a folder of its own.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    segment_bytes_max: u64,
    /// Held while appending: batches get their offsets in the order they are written.
    appending: Mutex<()>,
    /// Oldest first, never empty; the last one is written. Written under `appending` only.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The offset the next record will get. Waking the tails of streams is why it is a watch.
    end: watch::Sender<i64>,
}

impl Log {
    /// Opens the log of a folder, or begins one; cuts off a tail that is not a whole batch.
    ///
    /// # Errors
    /// [`LogError::Damaged`] if a closed segment is not whole.
    pub(super) fn open(folder: PathBuf, segment_bytes_max: u64) -> Result<Self, LogError> {
        fs::create_dir_all(&folder).map_err(LogError::file("create", &folder))?;
        let mut bases = segment::bases_in(&folder)?;
        let active_base = bases.pop().unwrap_or(0);
        let mut segments = Vec::with_capacity(bases.len() + 1);
        for (index, base) in bases.iter().enumerate() {
            let next_base = bases.get(index + 1).copied().unwrap_or(active_base);
            segments.push(Arc::new(Segment::open_closed(&folder, *base, next_base)?));
        }
        let active = Segment::open_active(&folder, active_base)?;
        let end = watch::Sender::new(active.end_offset());
        segments.push(Arc::new(active));
        Ok(Self {
            folder,
            segment_bytes_max,
            appending: Mutex::new(()),
            segments: RwLock::new(segments),
            end,
        })
    }

    /// Stores batches in order; all are refused if one of them cannot be stored.
    ///
    /// # Errors
    /// Nothing of this call is stored, unless the disk failed after a segment was filled.
    pub(super) fn append(&self, batches: Vec<Batch<RawRecords>>) -> Result<Appended, LogError> {
        let mut encoded = Vec::with_capacity(batches.len());
        for batch in batches {
            encoded.push(self.encode(batch)?);
        }
        let _appending = self.lock_appending();
        let base_offset = self.end_offset();
        let mut next_offset = base_offset;
        let mut active = self.active();
        let mut pending: Vec<Encoded> = Vec::with_capacity(encoded.len());
        let mut pending_bytes = 0;
        for mut batch in encoded {
            let filled = active.bytes() + pending_bytes;
            if filled > 0 && filled + batch.bytes > self.segment_bytes_max {
                self.write(&active, &pending, next_offset)?;
                pending.clear();
                pending_bytes = 0;
                active = self.roll(next_offset)?;
            }
            batch::set_base_offset(&mut batch.head, next_offset);
            next_offset += batch.records;
            pending_bytes += batch.bytes;
            pending.push(batch);
        }
        self.write(&active, &pending, next_offset)?;
        Ok(Appended { base_offset })
    }

    /// Reads whole batches from the one that holds `offset`, about `bytes_max` of them.
    ///
    /// At least one batch is read, however large; a slice ends with its segment.
    pub(super) fn read(&self, offset: i64, bytes_max: usize) -> Result<Slice, LogError> {
        let end = self.end_offset();
        if offset == end {
            return Ok(Slice::default());
        }
        if offset > end {
            return Err(LogError::BeyondEnd { offset, end });
        }
        let first = self.start_offset();
        let segment = self
            .segment_of(offset)
            .ok_or(LogError::Evicted { offset, first })?;
        Ok(Slice {
            bytes: segment.read(offset, bytes_max.min(SLICE_BYTES_MAX))?,
        })
    }

    /// The stored batches from the one that holds `offset` up to offset `end`.
    pub(super) fn batches(&self, offset: i64, end: i64) -> Batches<'_> {
        Batches {
            log: self,
            next_offset: offset,
            end,
            slice: Bytes::new(),
        }
    }

    /// Offset of the first record that is kept.
    pub(super) fn start_offset(&self) -> i64 {
        self.read_segments()
            .first()
            .map_or(0, |segment| segment.base_offset())
    }

    /// The offset the next record will get: log end and high watermark in one.
    pub(super) fn end_offset(&self) -> i64 {
        *self.end.borrow()
    }

    /// The end, with everything in it that was being stored when this was called. Blocks.
    pub(super) fn settled_end(&self) -> i64 {
        let _appending = self.lock_appending();
        self.end_offset()
    }

    /// Tells when the end moves.
    pub(super) fn follow_end(&self) -> watch::Receiver<i64> {
        self.end.subscribe()
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.read_segments()
            .iter()
            .map(|segment| segment.bytes())
            .sum()
    }

    fn encode(&self, batch: Batch<RawRecords>) -> Result<Encoded, LogError> {
        if batch.records_len() == 0 {
            return Err(LogError::Empty);
        }
        let head = batch::encode_head(&batch).map_err(LogError::file("append to", &self.folder))?;
        let bytes = (head.len() + batch.records().0.len()) as u64;
        if bytes > self.segment_bytes_max {
            return Err(LogError::TooLarge {
                bytes,
                limit: self.segment_bytes_max,
            });
        }
        let records = i64::from(batch.last_offset_delta()) + 1;
        Ok(Encoded {
            head,
            body: batch.own_records().0,
            bytes,
            records,
        })
    }

    fn write(
        &self,
        active: &Segment,
        batches: &[Encoded],
        next_offset: i64,
    ) -> Result<(), LogError> {
        if !batches.is_empty() {
            active.append(batches)?;
            self.end.send_replace(next_offset);
        }
        Ok(())
    }

    fn roll(&self, base_offset: i64) -> Result<Arc<Segment>, LogError> {
        let segment = Arc::new(Segment::open_active(&self.folder, base_offset)?);
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&segment));
        Ok(segment)
    }

    fn active(&self) -> Arc<Segment> {
        let segments = self.read_segments();
        Arc::clone(
            segments
                .last()
                .expect("a log has at least its active segment"),
        )
    }

    fn segment_of(&self, offset: i64) -> Option<Arc<Segment>> {
        let segments = self.read_segments();
        let after = segments.partition_point(|segment| segment.base_offset() <= offset);
        segments.get(after.checked_sub(1)?).map(Arc::clone)
    }

    fn read_segments(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<Segment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_appending(&self) -> MutexGuard<'_, ()> {
        self.appending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch ready to be written; its base offset is set last.
#[derive(Debug)]
struct Encoded {
    head: Vec<u8>,
    body: Bytes,
    /// Head and body.
    bytes: u64,
    /// How many offsets the batch takes.
    records: i64,
}

/// Reads a log batch by batch; made by [`Log::batches`].
#[derive(Debug)]
pub(super) struct Batches<'a> {
    log: &'a Log,
    next_offset: i64,
    end: i64,
    slice: Bytes,
}

impl Iterator for Batches<'_> {
    type Item = Result<(BatchHead, Bytes), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next_offset >= self.end {
            return None;
        }
        if self.slice.is_empty() {
            match self.log.read(self.next_offset, SLICE_BYTES_MAX) {
                Ok(slice) => self.slice = slice.bytes,
                Err(error) => {
                    self.next_offset = self.end;
                    return Some(Err(error));
                }
            }
        }
        let head = BatchHead::parse(&self.slice)?;
        let batch = self.slice.split_to(head.bytes.min(self.slice.len()));
        self.next_offset = head.next_offset();
        Some(Ok((head, batch)))
    }
}

#[cfg(test)]
mod tests;
