//! Reads batches of a file one after the other and believes none of them.

use std::io;

use super::damage::Flaw;
use super::storage::LogFile;
use crate::batch::{BatchHead, HEAD_BYTES};

/// How much is read at once when every byte is.
pub(super) const SCAN_STEP_BYTES: usize = 1 << 20;

/// Where in a file the next batch begins, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchStart {
    /// In bytes.
    pub(super) position: u64,
    /// What the base offset of the batch must be.
    pub(super) offset: i64,
    /// Of the batch before it; epochs never go down.
    pub(super) leader_epoch: i32,
}

impl BatchStart {
    /// The beginning of a file; `leader_epoch` is that of the last batch of the file before.
    pub(super) fn new(base_offset: i64, leader_epoch: i32) -> Self {
        Self {
            position: 0,
            offset: base_offset,
            leader_epoch,
        }
    }

    /// Reads the head of the batch that begins here, in a file that is valid up to `end`.
    pub(super) fn head(&self, bytes: &[u8], end: u64) -> Result<BatchHead, Flaw> {
        let head = BatchHead::parse(bytes).ok_or(Flaw::Head)?;
        if head.base_offset != self.offset {
            let found = head.base_offset;
            return Err(Flaw::Offset { found });
        }
        if head.bytes as u64 > end - self.position {
            return Err(Flaw::Length);
        }
        if head.leader_epoch < self.leader_epoch {
            return Err(Flaw::Epoch {
                found: head.leader_epoch,
                before: self.leader_epoch,
            });
        }
        Ok(head)
    }

    /// Goes behind a batch.
    pub(super) fn advance(&mut self, bytes: u64, records: i64, leader_epoch: i32) {
        self.position += bytes;
        self.offset += records;
        self.leader_epoch = leader_epoch;
    }

    pub(super) fn pass(&mut self, head: &BatchHead) {
        self.advance(head.bytes as u64, head.records_max(), head.leader_epoch);
    }
}

/// What a search in a part of a file has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Whole batches, as a range of the part's bytes.
    Batches(std::ops::Range<usize>),
    /// The part must have so many bytes for the first of them.
    Beyond { bytes: usize },
}

/// Finds whole batches from the one that holds `offset`, about `bytes_max` of them.
///
/// `part` begins at `start` of a file that is valid up to `end`.
///
/// # Errors
/// If there is none before a flaw; the start is that of the batch with the flaw.
pub(super) fn find(
    part: &[u8],
    mut start: BatchStart,
    end: u64,
    offset: i64,
    bytes_max: usize,
) -> Result<Found, (BatchStart, Flaw)> {
    let mut wanted: Option<usize> = None;
    let mut at = 0;
    while start.position < end {
        match next(&part[at..], &start, end) {
            Ok(Next::Whole(head)) => {
                if wanted.is_some_and(|from| at + head.bytes - from > bytes_max) {
                    break;
                }
                if offset < head.next_offset() {
                    wanted.get_or_insert(at);
                }
                at += head.bytes;
                start.pass(&head);
            }
            // What is whole comes first; the next read meets the rest.
            Ok(Next::Cut { .. }) | Err(_) if wanted.is_some() => break,
            Ok(Next::Cut { bytes }) => return Ok(Found::Beyond { bytes: at + bytes }),
            Err(flaw) => return Err((start, flaw)),
        }
    }
    match wanted {
        Some(from) => Ok(Found::Batches(from..at)),
        None => Err((start, Flaw::Head)),
    }
}

#[derive(Debug)]
enum Next {
    Whole(BatchHead),
    /// The bytes end before the batch does, which takes so many.
    Cut {
        bytes: usize,
    },
}

fn next(bytes: &[u8], start: &BatchStart, end: u64) -> Result<Next, Flaw> {
    if bytes.len() < HEAD_BYTES && (bytes.len() as u64) < end - start.position {
        return Ok(Next::Cut { bytes: HEAD_BYTES });
    }
    let head = start.head(bytes, end)?;
    match bytes.get(..head.bytes) {
        None => Ok(Next::Cut { bytes: head.bytes }),
        Some(batch) if head.is_intact(batch) => Ok(Next::Whole(head)),
        Some(_) => Err(Flaw::Checksum),
    }
}

/// A file read from front to back through a buffer.
#[derive(Debug)]
pub(super) struct Window<'a> {
    file: &'a dyn LogFile,
    file_bytes: u64,
    /// How much is read at once, unless more is requested.
    step: usize,
    position: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a dyn LogFile, step: usize) -> io::Result<Self> {
        Ok(Self {
            file,
            file_bytes: file.bytes()?,
            step,
            position: 0,
            buffer: Vec::new(),
        })
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// So many bytes from a position, fewer if the file ends before.
    pub(super) fn at(&mut self, position: u64, bytes: usize) -> io::Result<&[u8]> {
        let left = self.file_bytes.saturating_sub(position);
        let bytes = bytes.min(usize::try_from(left).unwrap_or(usize::MAX));
        let end = self.position + self.buffer.len() as u64;
        if position < self.position || position + bytes as u64 > end {
            let step = (self.step as u64).min(left);
            let read = bytes.max(usize::try_from(step).unwrap_or(usize::MAX));
            self.buffer.resize(read, 0);
            self.file.read_exact_at(&mut self.buffer, position)?;
            self.position = position;
        }
        let from = usize::try_from(position - self.position).map_err(io::Error::other)?;
        Ok(&self.buffer[from..from + bytes])
    }
}
