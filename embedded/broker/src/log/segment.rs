//! One file of a log, named after the offset of its first record.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;

use super::check::{self, BatchStart, Found, SCAN_STEP_BYTES, Window};
use super::damage::Flaw;
use super::error::LogError;
use super::storage::{LogFile, Storage};
use super::tail;
use crate::batch::HEAD_BYTES;

/// Bytes of log between two entries of the index: what a seek reads at most in vain.
const INDEX_STEP_BYTES: u64 = 16 << 10;
/// How much is read at once when heads are: one page, as the next head may be anywhere.
const HEADS_STEP_BYTES: usize = 4 << 10;
const EXTENSION: &str = "log";

/// A batch ready to be written; its offset and epoch are set last.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
    /// Head and body.
    pub(super) bytes: u64,
    /// How many offsets the batch takes.
    pub(super) records: i64,
}

/// A file of whole batches whose offsets follow each other.
#[derive(Debug)]
pub(super) struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: Arc<dyn LogFile>,
    /// What of the file is valid. Written by the log's appender, read by streams.
    extent: RwLock<Extent>,
}

/// The valid part of a segment.
#[derive(Debug, Clone)]
struct Extent {
    end: BatchStart,
    /// Where about one batch in [`INDEX_STEP_BYTES`] begins, ascending.
    index: Vec<BatchStart>,
}

impl Extent {
    fn empty(start: BatchStart) -> Self {
        Self {
            end: start,
            index: Vec::new(),
        }
    }

    fn push(&mut self, bytes: u64, records: i64, leader_epoch: i32) {
        let due = self
            .index
            .last()
            .map_or(0, |start| start.position + INDEX_STEP_BYTES);
        if self.end.position >= due {
            self.index.push(self.end);
        }
        self.end.advance(bytes, records, leader_epoch);
    }

    /// An indexed batch at or before the one that holds `offset`.
    fn seek(&self, offset: i64) -> BatchStart {
        let after = self.index.partition_point(|start| start.offset <= offset);
        after.checked_sub(1).map_or(self.end, |at| self.index[at])
    }
}

/// How thoroughly a segment is read when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Heads only: the segment was complete when it was closed, and is checked when it is read.
    Heads,
    /// Every byte: the process may have died while it was written.
    Everything,
}

/// Why a segment could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The batch that begins here is not as it was written.
    Flawed(BatchStart, Flaw),
    /// The system could not read the file.
    Failed(LogError),
}

impl Segment {
    /// Begins a segment.
    pub(super) fn create(
        storage: &dyn Storage,
        folder: &Path,
        start: BatchStart,
    ) -> Result<Self, LogError> {
        let path = path_of(folder, start.offset);
        let file = storage
            .create(&path)
            .map_err(LogError::file("create", &path))?;
        Ok(Self::new(start, path, file, Extent::empty(start)))
    }

    /// Opens a segment up to its first flaw.
    pub(super) fn open(
        storage: &dyn Storage,
        folder: &Path,
        start: BatchStart,
        check: Check,
    ) -> Result<(Self, Option<Flaw>), LogError> {
        let path = path_of(folder, start.offset);
        let file = storage.open(&path).map_err(LogError::file("open", &path))?;
        let (extent, flaw) = scan(&*file, start, check).map_err(LogError::file("read", &path))?;
        Ok((Self::new(start, path, file, extent), flaw))
    }

    fn new(start: BatchStart, path: PathBuf, file: Arc<dyn LogFile>, extent: Extent) -> Self {
        Self {
            base_offset: start.offset,
            path,
            file,
            extent: RwLock::new(extent),
        }
    }

    /// Moves aside what a write that was cut short has left; `false` if that is not what it is.
    ///
    /// Behind `recovery_point` a power cut may have left anything.
    pub(super) fn heal_tail(
        &self,
        storage: &dyn Storage,
        recovery_point: Option<i64>,
    ) -> Result<bool, LogError> {
        let end = self.end();
        let is_behind = recovery_point.is_some_and(|point| point <= end.offset);
        let is_torn = || tail::is_torn(&*self.file, &end);
        if !is_behind && !is_torn().map_err(LogError::file("read", &self.path))? {
            return Ok(false);
        }
        let aside = tail::set_aside(storage, &*self.file, &self.path, end.position)
            .map_err(LogError::file("set aside the torn end of", &self.path))?;
        tracing::warn!(
            path = %self.path.display(),
            position = end.position,
            end_offset = end.offset,
            aside = %aside.display(),
            "a log ended in the middle of a batch, which was never acknowledged: moved it aside"
        );
        Ok(true)
    }

    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next batch goes.
    pub(super) fn end(&self) -> BatchStart {
        self.extent().end
    }

    /// Bytes of whole batches.
    pub(super) fn bytes(&self) -> u64 {
        self.end().position
    }

    /// Writes batches in as few system calls as possible, and where `sync` is set, onto the disk.
    ///
    /// # Errors
    /// If the disk is full or fails; the file is cut back to what it was. If even that fails, or it
    /// cannot be synced, it ends with a flaw.
    pub(super) fn append(
        &self,
        batches: &[Encoded],
        leader_epoch: i32,
        sync: bool,
    ) -> Result<(), ReadError> {
        if let Err(source) = self.write_all(batches) {
            let end = self.end();
            if self.file.set_bytes(end.position).is_err() {
                return Err(ReadError::Flawed(end, Flaw::HalfWritten));
            }
            let failed = LogError::file("append to", &self.path)(source);
            return Err(ReadError::Failed(failed));
        }
        if sync && self.file.sync().is_err() {
            return Err(ReadError::Flawed(self.end(), Flaw::NotSynced));
        }
        let mut extent = self.extent.write().unwrap_or_else(PoisonError::into_inner);
        for batch in batches {
            extent.push(batch.bytes, batch.records, leader_epoch);
        }
        Ok(())
    }

    fn write_all(&self, batches: &[Encoded]) -> io::Result<()> {
        let mut parts: Vec<IoSlice<'_>> = batches
            .iter()
            .flat_map(|batch| [IoSlice::new(&batch.head), IoSlice::new(&batch.body)])
            .collect();
        self.file.append(&mut parts)
    }

    /// How long nothing was written to it.
    pub(super) fn age(&self) -> Result<Duration, LogError> {
        self.file.age().map_err(LogError::file("read", &self.path))
    }

    /// Returns when all of it is on the disk.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        self.file.sync().map_err(LogError::file("sync", &self.path))
    }

    /// Reads whole batches from the one that holds `offset`, which the segment must have.
    ///
    /// Each is checked, and so are those between it and the batch of the index where the way to it
    /// begins.
    pub(super) fn read(&self, offset: i64, bytes_max: usize) -> Result<Bytes, ReadError> {
        let (start, end) = {
            let extent = self.extent();
            (extent.seek(offset), extent.end.position)
        };
        let left = usize::try_from(end - start.position).unwrap_or(usize::MAX);
        let mut bytes = bytes_max + HEAD_BYTES + INDEX_STEP_BYTES as usize;
        loop {
            let mut part = vec![0; bytes.min(left)];
            let read = self.file.read_exact_at(&mut part, start.position);
            read.map_err(|source| ReadError::Failed(LogError::file("read", &self.path)(source)))?;
            match check::find(&part, start, end, offset, bytes_max) {
                Ok(Found::Batches(range)) => return Ok(Bytes::from(part).slice(range)),
                Ok(Found::Beyond { bytes: more }) => bytes = more,
                Err((start, flaw)) => return Err(ReadError::Flawed(start, flaw)),
            }
        }
    }

    fn extent(&self) -> RwLockReadGuard<'_, Extent> {
        self.extent.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Base offsets of a folder's segments, ascending; none if there is no folder.
pub(super) fn bases_in(storage: &dyn Storage, folder: &Path) -> Result<Vec<i64>, LogError> {
    let mut bases = Vec::new();
    let paths = match storage.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bases),
        paths => paths.map_err(LogError::file("list", folder))?,
    };
    for path in paths {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let base: Option<i64> = stem.and_then(|stem| stem.parse().ok());
        bases.extend(base.filter(|base| path == path_of(folder, *base)));
    }
    bases.sort_unstable();
    Ok(bases)
}

/// Where the segment is whose first record has this offset.
pub(super) fn path_of(folder: &Path, base_offset: i64) -> PathBuf {
    folder.join(format!("{base_offset:020}.{EXTENSION}"))
}

/// Finds how far a file holds whole batches with the offsets they should have, and why not further.
fn scan(file: &dyn LogFile, start: BatchStart, check: Check) -> io::Result<(Extent, Option<Flaw>)> {
    let mut window = match check {
        Check::Heads => Window::new(file, HEADS_STEP_BYTES)?,
        Check::Everything => Window::new(file, SCAN_STEP_BYTES)?,
    };
    let file_bytes = window.file_bytes();
    let mut extent = Extent::empty(start);
    while extent.end.position < file_bytes {
        let start = extent.end;
        let head = match start.head(window.at(start.position, HEAD_BYTES)?, file_bytes) {
            Ok(head) => head,
            Err(flaw) => return Ok((extent, Some(flaw))),
        };
        if check == Check::Everything && !head.is_intact(window.at(start.position, head.bytes)?) {
            return Ok((extent, Some(Flaw::Checksum)));
        }
        extent.push(head.bytes as u64, head.records_max(), head.leader_epoch);
    }
    Ok((extent, None))
}
