//! What travels from the reader to the writer of a stream: outputs decoded into rows.

use fluvio_protocol::record::Record;
use partition_client::{FetchResponse, outputs};

use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::module::Module;
use crate::split::{KnownStation, SplitChunk, SplitDecoder};
use crate::stream_key::StreamKey;
use crate::window::{WindowChunk, WindowDecoder};

/// Turns a module's outputs into rows.
#[derive(Debug)]
pub enum Decoder {
    Split(SplitDecoder),
    Windows(WindowDecoder),
}

/// Rows that one transaction writes.
#[derive(Debug)]
pub enum Batch {
    Split(Vec<SplitChunk>),
    Windows(WindowChunk),
}

impl Decoder {
    pub fn resume(key: StreamKey, cursor: &Cursor, stations: Vec<KnownStation>) -> Self {
        match key.module {
            Module::TripSplit => Self::Split(SplitDecoder::resume(key, cursor, stations)),
            Module::DockWindow => Self::Windows(WindowDecoder::resume(key, cursor)),
        }
    }

    /// Everything before it has been decoded.
    pub fn next_offset(&self) -> i64 {
        match self {
            Self::Split(decoder) => decoder.next_offset(),
            Self::Windows(decoder) => decoder.next_offset(),
        }
    }

    /// Decodes one response of the broker; none if it held nothing new.
    pub(crate) fn decode(
        &mut self,
        key: &StreamKey,
        response: &FetchResponse,
    ) -> Result<Option<Batch>, SinkError> {
        let records = records(response, key)?;
        let values = records.iter().map(|record| record.value().as_ref());
        self.decode_values(values, response.leader_epoch())
    }

    /// Decodes the outputs of one response; none if they held nothing new.
    ///
    /// # Errors
    /// [`SinkError::Gap`] if some are missing, [`SinkError::Output`] if one is none.
    pub fn decode_values<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a [u8]>,
        epoch: Option<i32>,
    ) -> Result<Option<Batch>, SinkError> {
        let before = self.next_offset();
        let batch = match self {
            Self::Split(decoder) => Batch::Split(vec![decoder.decode(values, epoch)?]),
            Self::Windows(decoder) => Batch::Windows(decoder.decode(values, epoch)?),
        };
        Ok(Some(batch).filter(|_| self.next_offset() > before))
    }
}

fn records(response: &FetchResponse, key: &StreamKey) -> Result<Vec<Record>, SinkError> {
    let mut records = Vec::new();
    for batch in &response.batches {
        let mut more = outputs(batch)
            .map_err(|source| SinkError::broker(format!("decode what {key} gave"), source))?;
        if records.is_empty() {
            records = more
        } else {
            records.append(&mut more)
        }
    }
    Ok(records)
}

impl Batch {
    /// Rows of the largest table it goes to.
    pub fn rows(&self) -> usize {
        match self {
            Self::Split(chunks) => chunks
                .iter()
                .map(|chunk| chunk.events.len() + chunk.statuses.len() + chunk.rejects.len())
                .sum(),
            Self::Windows(chunk) => chunk.closed.len() + chunk.late.len(),
        }
    }

    /// Takes in what was read after it.
    pub fn append(&mut self, later: Self) {
        match (self, later) {
            (Self::Split(chunks), Self::Split(later)) => chunks.extend(later),
            (Self::Windows(chunk), Self::Windows(later)) => chunk.append(later),
            _ => unreachable!("a stream has one module"),
        }
    }
}
