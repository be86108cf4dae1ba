//! One file of a log, named after the offset of its first record.

use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::{Encoded, LogError};
use crate::broker::batch::{BatchHead, HEAD_BYTES};

/// Bytes of log between two entries of the index: what a seek reads at most in vain.
const INDEX_STEP_BYTES: u64 = 16 << 10;
const EXTENSION: &str = "log";

/// A file of whole batches whose offsets follow each other.
#[derive(Debug)]
pub(super) struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: File,
    /// What of the file is valid. Written by the log's appender, read by streams.
    extent: RwLock<Extent>,
}

/// The valid part of a segment.
#[derive(Debug, Clone)]
struct Extent {
    bytes: u64,
    end_offset: i64,
    /// Offset and position of about one batch in [`INDEX_STEP_BYTES`], ascending.
    index: Vec<(i64, u64)>,
}

impl Extent {
    fn empty(base_offset: i64) -> Self {
        Self {
            bytes: 0,
            end_offset: base_offset,
            index: Vec::new(),
        }
    }

    fn push(&mut self, bytes: u64, records: i64) {
        let indexed = self
            .index
            .last()
            .map_or(0, |(_, position)| position + INDEX_STEP_BYTES);
        if self.index.is_empty() || self.bytes >= indexed {
            self.index.push((self.end_offset, self.bytes));
        }
        self.bytes += bytes;
        self.end_offset += records;
    }

    /// Position of an indexed batch at or before the one that holds `offset`.
    fn seek(&self, offset: i64) -> u64 {
        let after = self
            .index
            .partition_point(|(indexed, _)| *indexed <= offset);
        after.checked_sub(1).map_or(0, |at| self.index[at].1)
    }
}

/// How thoroughly a segment is read when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Heads only: the segment was complete when it was closed.
    Heads,
    /// Every byte: the process may have died while it was written.
    Everything,
}

impl Segment {
    /// Opens a segment that ends where the next one begins.
    pub(super) fn open_closed(
        folder: &Path,
        base_offset: i64,
        next_base: i64,
    ) -> Result<Self, LogError> {
        let segment = Self::open(folder, base_offset, Check::Heads)?;
        let (bytes, end_offset) = (segment.bytes(), segment.end_offset());
        if end_offset != next_base || bytes != segment.file_bytes()? {
            return Err(LogError::Damaged {
                path: segment.path,
                position: bytes,
            });
        }
        Ok(segment)
    }

    /// Opens or creates the segment that is written; cuts off what is not a whole batch.
    pub(super) fn open_active(folder: &Path, base_offset: i64) -> Result<Self, LogError> {
        let segment = Self::open(folder, base_offset, Check::Everything)?;
        let valid_bytes = segment.bytes();
        let torn_bytes = segment.file_bytes()? - valid_bytes;
        if torn_bytes > 0 {
            tracing::warn!(
                path = %segment.path.display(),
                position = valid_bytes,
                torn_bytes,
                end_offset = segment.end_offset(),
                "cut {torn_bytes} bytes off a log that ended in the middle of a batch"
            );
            let cut = segment.file.set_len(valid_bytes);
            cut.map_err(LogError::file("cut", &segment.path))?;
        }
        Ok(segment)
    }

    fn open(folder: &Path, base_offset: i64, check: Check) -> Result<Self, LogError> {
        let path = folder.join(format!("{base_offset:020}.{EXTENSION}"));
        let file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(LogError::file("open", &path))?;
        let extent = scan(&file, base_offset, check).map_err(LogError::file("read", &path))?;
        Ok(Self {
            base_offset,
            path,
            file,
            extent: RwLock::new(extent),
        })
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(super) fn end_offset(&self) -> i64 {
        self.extent().end_offset
    }

    pub(super) fn bytes(&self) -> u64 {
        self.extent().bytes
    }

    /// Writes batches in as few system calls as possible.
    ///
    /// # Errors
    /// If the disk is full or fails; the file is cut back to what it was.
    pub(super) fn append(&self, batches: &[Encoded]) -> Result<(), LogError> {
        if let Err(source) = self.write_all(batches) {
            let cut = self.file.set_len(self.bytes());
            cut.map_err(LogError::file("cut", &self.path))?;
            return Err(LogError::file("append to", &self.path)(source));
        }
        let mut extent = self.extent.write().unwrap_or_else(PoisonError::into_inner);
        for batch in batches {
            extent.push(batch.bytes, batch.records);
        }
        Ok(())
    }

    fn write_all(&self, batches: &[Encoded]) -> io::Result<()> {
        let mut parts: Vec<IoSlice<'_>> = batches
            .iter()
            .flat_map(|batch| [IoSlice::new(&batch.head), IoSlice::new(&batch.body)])
            .collect();
        let mut unwritten = parts.as_mut_slice();
        while !unwritten.is_empty() {
            match (&self.file).write_vectored(unwritten) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut unwritten, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads whole batches from the one that holds `offset`, which the segment must have.
    pub(super) fn read(&self, offset: i64, bytes_max: usize) -> Result<Bytes, LogError> {
        let failed = |source| LogError::file("read", &self.path)(source);
        let (indexed, end) = {
            let extent = self.extent();
            (extent.seek(offset), extent.bytes)
        };
        let (position, first) = self.find(offset, indexed, end).map_err(failed)?;
        let available = usize::try_from(end - position).unwrap_or(usize::MAX);
        let mut buffer = vec![0; bytes_max.max(first.bytes).min(available)];
        self.file
            .read_exact_at(&mut buffer, position)
            .map_err(failed)?;
        buffer.truncate(whole_batches(&buffer));
        Ok(Bytes::from(buffer))
    }

    /// Walks from an indexed batch to the one that holds `offset`.
    fn find(&self, offset: i64, indexed: u64, end: u64) -> io::Result<(u64, BatchHead)> {
        let mut position = indexed;
        let mut window = Vec::new();
        while position < end {
            let bytes = (end - position).min(INDEX_STEP_BYTES);
            window.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
            self.file.read_exact_at(&mut window, position)?;
            let mut at = 0;
            while let Some(head) = window.get(at..).and_then(BatchHead::parse) {
                if offset < head.next_offset() {
                    return Ok((position + at as u64, head));
                }
                at += head.bytes;
            }
            if at == 0 {
                break;
            }
            position += at as u64;
        }
        Err(io::Error::other(format!(
            "no batch with offset {offset} from byte {indexed}"
        )))
    }

    fn file_bytes(&self) -> Result<u64, LogError> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(LogError::file("read", &self.path))?.len())
    }

    fn extent(&self) -> RwLockReadGuard<'_, Extent> {
        self.extent.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Base offsets of a folder's segments, ascending.
pub(super) fn bases_in(folder: &Path) -> Result<Vec<i64>, LogError> {
    let failed = |source| LogError::file("list", folder)(source);
    let mut bases = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_log = path
            .extension()
            .is_some_and(|extension| extension == EXTENSION);
        let base: Option<i64> = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        bases.extend(base.filter(|_| is_log));
    }
    bases.sort_unstable();
    Ok(bases)
}

/// Finds how far a file holds whole batches with the offsets they should have.
fn scan(file: &File, base_offset: i64, check: Check) -> io::Result<Extent> {
    let file_bytes = file.metadata()?.len();
    let mut extent = Extent::empty(base_offset);
    let mut head_bytes = [0; HEAD_BYTES];
    let mut batch = Vec::new();
    while file_bytes - extent.bytes >= HEAD_BYTES as u64 {
        file.read_exact_at(&mut head_bytes, extent.bytes)?;
        let Some(head) = BatchHead::parse(&head_bytes) else {
            break;
        };
        let fits = head.bytes as u64 <= file_bytes - extent.bytes;
        if !fits || head.base_offset != extent.end_offset {
            break;
        }
        if check == Check::Everything {
            batch.resize(head.bytes, 0);
            file.read_exact_at(&mut batch, extent.bytes)?;
            if !head.is_intact(&batch) {
                break;
            }
        }
        extent.push(head.bytes as u64, i64::from(head.last_offset_delta) + 1);
    }
    Ok(extent)
}

/// How many bytes of a buffer are whole batches.
fn whole_batches(buffer: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(head) = BatchHead::parse(&buffer[whole..]) {
        if head.bytes > buffer.len() - whole {
            break;
        }
        whole += head.bytes;
    }
    whole
}
