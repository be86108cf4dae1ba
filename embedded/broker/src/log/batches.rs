//! A log, batch by batch.

use bytes::Bytes;

use super::error::LogError;
use super::{Log, SLICE_BYTES_MAX};
use crate::batch::BatchHead;

/// Reads a log batch by batch; made by [`Log::batches`].
#[derive(Debug)]
pub(crate) struct Batches<'a> {
    log: &'a Log,
    next_offset: i64,
    end: i64,
    slice: Bytes,
}

impl Log {
    /// The stored batches from the one that holds `offset` up to offset `end`.
    pub(crate) fn batches(&self, offset: i64, end: i64) -> Batches<'_> {
        Batches {
            log: self,
            next_offset: offset,
            end,
            slice: Bytes::new(),
        }
    }
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
