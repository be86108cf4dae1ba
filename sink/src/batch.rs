//! What travels from the reader to the writer of a stream: outputs decoded into rows.

use crate::cursor::{Cursor, StreamKey};
use crate::error::SinkError;
use crate::module::Module;
use crate::split::{KnownStation, SplitChunk, SplitDecoder};
use crate::stream::Outputs;
use crate::window::{WindowChunk, WindowDecoder};

/// Turns a module's outputs into rows.
#[derive(Debug)]
pub(crate) enum Decoder {
    Split(SplitDecoder),
    Windows(WindowDecoder),
}

/// Rows that one transaction writes.
#[derive(Debug)]
pub(crate) enum Batch {
    Split(Vec<SplitChunk>),
    Windows(WindowChunk),
}

impl Decoder {
    pub(crate) fn resume(key: StreamKey, cursor: &Cursor, stations: Vec<KnownStation>) -> Self {
        match key.module {
            Module::TripSplit => Self::Split(SplitDecoder::resume(key, cursor, stations)),
            Module::DockWindow => Self::Windows(WindowDecoder::resume(key, cursor)),
        }
    }

    /// Everything before it has been decoded.
    pub(crate) fn next_offset(&self) -> i64 {
        match self {
            Self::Split(decoder) => decoder.next_offset(),
            Self::Windows(decoder) => decoder.next_offset(),
        }
    }

    /// Decodes one answer of the broker; none if it held nothing new.
    pub(crate) fn decode(&mut self, outputs: &Outputs) -> Result<Option<Batch>, SinkError> {
        let before = self.next_offset();
        let values = outputs.records.iter().map(|record| record.value().as_ref());
        let batch = match self {
            Self::Split(decoder) => Batch::Split(vec![decoder.decode(values, outputs.epoch)?]),
            Self::Windows(decoder) => Batch::Windows(decoder.decode(values, outputs.epoch)?),
        };
        Ok(Some(batch).filter(|_| self.next_offset() > before))
    }
}

impl Batch {
    /// Rows of the largest table it goes to.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Split(chunks) => chunks
                .iter()
                .map(|chunk| chunk.events.len() + chunk.statuses.len() + chunk.rejects.len())
                .sum(),
            Self::Windows(chunk) => chunk.closed.len() + chunk.late.len(),
        }
    }

    /// Takes in what was read after it.
    pub(crate) fn append(&mut self, later: Self) {
        match (self, later) {
            (Self::Split(chunks), Self::Split(later)) => chunks.extend(later),
            (Self::Windows(chunk), Self::Windows(later)) => chunk.append(later),
            _ => unreachable!("a stream has one module"),
        }
    }
}
