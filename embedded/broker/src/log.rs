//! One partition's log: whole batches, appended to files and read back in slices.
//!
//! ```text
//! append ─▶ active segment ─(full)─▶ closed segments      read(offset) ─▶ slice of whole batches
//! ```
//! A batch is in the log when the system has it (like the real SPU: it survives `kill -9`, not a
//! power cut), or, with [`LogConfig::sync`], when the disk has it. What is readable is also committed: there are no followers to wait for.
//!
//! Each batch is checked when it is read. The first one that is not as it was written makes the log
//! damaged: what is before it is served, nothing behind it, and nothing more is stored, since a log
//! with a hole must not grow. The file stays byte for byte as it was found.
//!
//! Not here: compaction.

mod batches;
mod check;
mod damage;
mod error;
mod log_start;
mod recovery_point;
mod retention;
mod segment;
mod storage;
mod tail;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use fluvio_protocol::record::{Batch, RawRecords, ReplicaKey};
use tokio::sync::watch;

use crate::batch;
use crate::epoch::LeaderEpoch;
use check::BatchStart;
use log_start::LogStart;
use recovery_point::RecoveryPoint;
pub(crate) use retention::Retention;
use segment::{Check, Encoded, ReadError, Segment};
pub(crate) use storage::{Disk, Storage};

pub use damage::{Damage, Flaw};
pub use error::LogError;

/// Largest read of a slice, unless one batch is larger: keeps memory flat and copies cheap.
pub(crate) const SLICE_BYTES_MAX: usize = 1 << 20;

/// Where appended batches went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Offset of the first appended record.
    pub(crate) base_offset: i64,
}

/// Whole batches as they are stored, the first one holding the requested offset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slice {
    /// Empty if the requested offset is the log's end.
    pub(crate) bytes: Bytes,
}

/// What a log needs besides its folder.
#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    /// Named in errors.
    pub(crate) replica: ReplicaKey,
    pub(crate) segment_bytes_max: u64,
    /// What batches are marked with when they are stored.
    pub(crate) leader_epoch: LeaderEpoch,
    /// Whether a batch is stored only when the disk has it.
    pub(crate) sync: bool,
    pub(crate) storage: Arc<dyn Storage>,
}

/// An append-only log of batches in a folder of its own.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    config: LogConfig,
    recovery_point: RecoveryPoint,
    log_start: LogStart,
    /// Held while segments are written, begun or deleted: batches get their offsets in the order they are
    /// written.
    appending: Mutex<()>,
    /// Oldest first; the last one is written. Written under `appending` only. Empty only if the log
    /// is damaged from its beginning.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The offset the next record will get. A watch channel, because streams wait for it to move, and
    /// for damage.
    end: watch::Sender<i64>,
    /// The first flaw that is known. Written by whatever finds it: opening, reading, appending.
    damage: Mutex<Option<Damage>>,
}

impl Log {
    /// Begins the log of a new partition.
    pub(crate) fn create(folder: PathBuf, config: LogConfig) -> Result<Self, LogError> {
        let storage = &*config.storage;
        let created = storage.create_folder(&folder);
        created.map_err(LogError::file("create", &folder))?;
        Segment::create(storage, &folder, BatchStart::new(0, i32::MIN))?;
        Self::open(folder, config)
    }

    /// Opens the log of a folder, damaged if its heads or its last segment are.
    ///
    /// What a killed process, or a power cut, has left of the last write is moved aside.
    pub(crate) fn open(folder: PathBuf, config: LogConfig) -> Result<Self, LogError> {
        let storage = &*config.storage;
        let recovery_point = RecoveryPoint::of(&folder);
        let point = recovery_point.read(storage);
        let log_start = LogStart::of(&folder);
        let (first, bases) = segments_in(storage, &folder, &log_start)?;
        let mut segments = Vec::with_capacity(bases.len().max(1));
        let mut end = BatchStart::new(first, i32::MIN);
        let mut flawed = Some((segment::path_of(&folder, first), Flaw::Missing));
        for (index, base) in bases.iter().enumerate() {
            if *base != end.offset {
                break;
            }
            let next = bases.get(index + 1).copied();
            let start = BatchStart::new(*base, end.leader_epoch);
            let (segment, flaw) = open_segment(storage, &folder, start, next, point)?;
            end = segment.end();
            flawed = flaw.map(|flaw| (segment.path().to_path_buf(), flaw));
            segments.push(Arc::new(segment));
            if flawed.is_some() {
                break;
            }
        }
        let log = Self {
            folder,
            config,
            recovery_point,
            log_start,
            appending: Mutex::new(()),
            segments: RwLock::new(segments),
            end: watch::Sender::new(end.offset),
            damage: Mutex::new(None),
        };
        if let Some((path, flaw)) = flawed {
            log.note_damage(end, &path, flaw);
            // Behind the flaw: a client that reads up to the end must get the error.
            let newest = bases.last().copied().unwrap_or(0);
            log.end.send_replace(newest.max(end.offset + 1));
        }
        log.recover()?;
        Ok(log)
    }

    /// Puts what will be served onto the disk, so that no power cut takes it back.
    fn recover(&self) -> Result<(), LogError> {
        let storage = &*self.config.storage;
        if !self.config.sync {
            let removed = self.recovery_point.remove(storage);
            return removed.map_err(LogError::file("remove the recovery point of", &self.folder));
        }
        if self.damage().is_some() {
            return Ok(());
        }
        // An earlier run may not have synced; what is on the disk already takes no time.
        for segment in self.read_segments().iter() {
            segment.sync()?;
        }
        self.sync_names()?;
        self.recovery_point.write(storage, self.end_offset());
        Ok(())
    }

    /// Stores batches in order; all are refused if one of them cannot be stored.
    ///
    /// # Errors
    /// Nothing of this call is stored, unless the disk failed after a segment was filled.
    /// [`LogError::Damaged`] if the log is known to be.
    pub(crate) fn append(&self, batches: Vec<Batch<RawRecords>>) -> Result<Appended, LogError> {
        let mut encoded = Vec::with_capacity(batches.len());
        for batch in batches {
            encoded.push(self.encode(batch)?);
        }
        let _appending = self.lock_appending();
        self.check_damage(i64::MAX)?;
        let leader_epoch = self.config.leader_epoch.get();
        let base_offset = self.end_offset();
        let mut next_offset = base_offset;
        let mut active = self.active();
        let mut pending: Vec<Encoded> = Vec::with_capacity(encoded.len());
        let mut pending_bytes = 0;
        for mut batch in encoded {
            let filled = active.bytes() + pending_bytes;
            if filled > 0 && filled + batch.bytes > self.config.segment_bytes_max {
                self.write(&active, &pending, next_offset, leader_epoch)?;
                pending.clear();
                pending_bytes = 0;
                active = self.roll(active.end())?;
            }
            batch::set_offset_and_epoch(&mut batch.head, next_offset, leader_epoch);
            next_offset += batch.records;
            pending_bytes += batch.bytes;
            pending.push(batch);
        }
        self.write(&active, &pending, next_offset, leader_epoch)?;
        Ok(Appended { base_offset })
    }

    /// Reads whole batches from the one that holds `offset`, about `bytes_max` of them.
    ///
    /// At least one batch is read, however large; a slice ends with its segment, and before a batch
    /// that is not as it was written.
    pub(crate) fn read(&self, offset: i64, bytes_max: usize) -> Result<Slice, LogError> {
        self.check_damage(offset)?;
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
        let bytes = segment
            .read(offset, bytes_max.min(SLICE_BYTES_MAX))
            .map_err(|error| self.noted(&segment, error))?;
        Ok(Slice { bytes })
    }

    /// # Errors
    /// If the log is known to be damaged before or at an offset.
    pub(crate) fn check_damage(&self, offset: i64) -> Result<(), LogError> {
        match self.damage() {
            Some(damage) if damage.offset <= offset => Err(LogError::Damaged(damage)),
            _ => Ok(()),
        }
    }

    /// What is known to be wrong with the log.
    pub(crate) fn damage(&self) -> Option<Damage> {
        self.lock_damage().clone()
    }

    /// The leader epoch of the newest batch, or the least number.
    pub(crate) fn newest_epoch(&self) -> i32 {
        let segments = self.read_segments();
        segments
            .last()
            .map_or(i32::MIN, |segment| segment.end().leader_epoch)
    }

    /// Offset of the first record that is kept.
    pub(crate) fn start_offset(&self) -> i64 {
        self.read_segments()
            .first()
            .map_or(0, |segment| segment.base_offset())
    }

    /// The offset the next record will get: log end and high watermark in one.
    pub(crate) fn end_offset(&self) -> i64 {
        *self.end.borrow()
    }

    /// The end, with everything in it that was being stored when this was called. Blocks.
    pub(crate) fn settled_end(&self) -> i64 {
        let _appending = self.lock_appending();
        self.end_offset()
    }

    /// Receives the end when it moves, and when damage is found.
    pub(crate) fn follow_end(&self) -> watch::Receiver<i64> {
        self.end.subscribe()
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
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
        let limit = self.config.segment_bytes_max;
        if bytes > limit {
            return Err(LogError::TooLarge { bytes, limit });
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
        leader_epoch: i32,
    ) -> Result<(), LogError> {
        if !batches.is_empty() {
            let LogConfig { sync, storage, .. } = &self.config;
            active
                .append(batches, leader_epoch, *sync)
                .map_err(|error| self.noted(active, error))?;
            if *sync {
                let bytes = batches.iter().map(|batch| batch.bytes).sum();
                self.recovery_point.advance(&**storage, bytes, next_offset);
            }
            self.end.send_replace(next_offset);
        }
        Ok(())
    }

    fn roll(&self, end: BatchStart) -> Result<Arc<Segment>, LogError> {
        let start = BatchStart::new(end.offset, end.leader_epoch);
        let storage = &*self.config.storage;
        let segment = Arc::new(Segment::create(storage, &self.folder, start)?);
        if self.config.sync {
            self.sync_names()?;
        }
        self.segments
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&segment));
        Ok(segment)
    }

    /// The names of the segments, of the partition and of the topic.
    fn sync_names(&self) -> Result<(), LogError> {
        let mut folders = self.folder.ancestors().take(3);
        folders.try_for_each(|folder| {
            let synced = self.config.storage.sync_folder(folder);
            synced.map_err(LogError::file("sync", folder))
        })
    }

    fn active(&self) -> Arc<Segment> {
        let segments = self.read_segments();
        Arc::clone(
            segments
                .last()
                .expect("a log that is not damaged has a segment"),
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

    /// Makes a flaw the log's damage; what the system could not read may be readable again.
    fn noted(&self, segment: &Segment, error: ReadError) -> LogError {
        match error {
            ReadError::Failed(error) => error,
            ReadError::Flawed(start, flaw) => {
                LogError::Damaged(self.note_damage(start, segment.path(), flaw))
            }
        }
    }

    fn note_damage(&self, start: BatchStart, path: &Path, flaw: Flaw) -> Damage {
        let found = Damage {
            topic: self.config.replica.topic.clone(),
            partition: self.config.replica.partition,
            offset: start.offset,
            path: path.to_path_buf(),
            position: start.position,
            flaw,
        };
        let mut known = self.lock_damage();
        if known
            .as_ref()
            .is_none_or(|known| found.offset < known.offset)
        {
            tracing::error!(
                topic = found.topic,
                partition = found.partition,
                "a log is damaged, its partition stops: {found}"
            );
            *known = Some(found.clone());
            drop(known);
            // Wakes the streams that wait for more, so that they end with this error.
            self.end.send_modify(|_| ());
        }
        found
    }

    fn lock_damage(&self) -> MutexGuard<'_, Option<Damage>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_appending(&self) -> MutexGuard<'_, ()> {
        self.appending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the log begins, and the base offsets of its segments; those before it, which a crash has left of
/// a deletion, are removed.
fn segments_in(
    storage: &dyn Storage,
    folder: &Path,
    log_start: &LogStart,
) -> Result<(i64, Vec<i64>), LogError> {
    let mut bases = segment::bases_in(storage, folder)?;
    let there = bases.first().copied().unwrap_or(0);
    let first = log_start.read(storage)?.unwrap_or(there);
    let kept = bases.split_off(bases.partition_point(|base| *base < first));
    for base in bases {
        let path = segment::path_of(folder, base);
        let removed = storage.remove(&path);
        removed.map_err(LogError::file("remove", &path))?;
    }
    Ok((first, kept))
}

/// Opens a segment behind which the next one begins at `next`, or nothing does.
fn open_segment(
    storage: &dyn Storage,
    folder: &Path,
    start: BatchStart,
    next: Option<i64>,
    recovery_point: Option<i64>,
) -> Result<(Segment, Option<Flaw>), LogError> {
    let check = next.map_or(Check::Everything, |_| Check::Heads);
    let (segment, flaw) = Segment::open(storage, folder, start, check)?;
    let flaw = match (flaw, next) {
        (Some(_), None) if segment.heal_tail(storage, recovery_point)? => None,
        (None, Some(next)) if next != segment.end().offset => Some(Flaw::Gap { next }),
        (flaw, _) => flaw,
    };
    Ok((segment, flaw))
}

#[cfg(test)]
mod tests;
