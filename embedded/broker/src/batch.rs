//! The bytes of one stored batch: a head of fixed layout, then its records.
//!
//! ```text
//!  0 base offset i64 │ 8 length i32 (of all that follows) │ 12 epoch i32 │ 16 magic i8
//! 17 crc u32 (of all that follows) │ 21 attributes i16 │ 23 last offset delta i32
//! 27 first timestamp i64 │ 35 newest timestamp i64 │ 43 producer i64, i16, i32
//! 57 schema id u32, if attribute bit 0x10 is set │ records, as the producer compressed them
//! ```
//! Source: `fluvio-protocol` 0.50.1, `record/batch.rs`. What is before the checksum is outside it, so
//! that a broker may set base offset and epoch without touching the rest. All but the epoch is
//! checked otherwise: the offset must be the one that follows, and a wrong length or magic leads to
//! a checksum over other bytes.

use std::io;

use bytes::{Buf, Bytes};
use fluvio_compression::Compression;
use fluvio_protocol::Encoder;
use fluvio_protocol::record::{Batch, RawRecords};

use crate::compression::decompress;

/// Bytes of a head without a schema id.
pub(crate) const HEAD_BYTES: usize = 57;
/// Bytes before the part that the length field counts.
const LENGTH_END: usize = 12;
/// Where the checksummed part begins.
const CHECKED_START: usize = 21;
const ATTRIBUTE_SCHEMA: i16 = 0x10;
const ATTRIBUTE_COMPRESSION: i16 = 0x07;
const SCHEMA_BYTES: usize = 4;

/// What the log and the chains need to know of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHead {
    pub(crate) base_offset: i64,
    /// Bytes of the whole batch, head included.
    pub(crate) bytes: usize,
    /// In which epoch the broker has stored the batch; negative if before there were epochs.
    pub(crate) leader_epoch: i32,
    crc: u32,
    attributes: i16,
    pub(crate) last_offset_delta: i32,
    /// Milliseconds since 1970 by the producer's clock, or −1.
    pub(crate) first_timestamp: i64,
    /// Milliseconds since 1970 by the producer's clock, or −1.
    pub(crate) newest_timestamp: i64,
}

impl BatchHead {
    /// Reads a head; `None` if the bytes cannot be one.
    pub(crate) fn parse(head: &[u8]) -> Option<Self> {
        if head.len() < HEAD_BYTES {
            return None;
        }
        let mut rest = head;
        let base_offset = rest.get_i64();
        let length = usize::try_from(rest.get_i32()).ok()?;
        let leader_epoch = rest.get_i32();
        let magic = rest.get_i8();
        let crc = rest.get_u32();
        let attributes = rest.get_i16();
        let last_offset_delta = rest.get_i32();
        let first_timestamp = rest.get_i64();
        let newest_timestamp = rest.get_i64();
        let bytes = LENGTH_END + length;
        let bytes_min = HEAD_BYTES + schema_bytes(attributes);
        if magic != 2 || bytes < bytes_min || last_offset_delta < 0 {
            return None;
        }
        Some(Self {
            base_offset,
            bytes,
            leader_epoch,
            crc,
            attributes,
            last_offset_delta,
            first_timestamp,
            newest_timestamp,
        })
    }

    /// The offset after the batch's last record.
    pub(crate) fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.records_max())
    }

    /// How many offsets the batch takes.
    pub(crate) fn records_max(&self) -> i64 {
        i64::from(self.last_offset_delta) + 1
    }

    /// Whether the bytes of the whole batch are as the broker wrote them.
    pub(crate) fn is_intact(&self, batch: &[u8]) -> bool {
        batch
            .get(CHECKED_START..)
            .is_some_and(|checked| crc32c::crc32c(checked) == self.crc)
    }

    /// The records as they were before the producer compressed them.
    pub(crate) fn records(&self, batch: &Bytes) -> io::Result<Bytes> {
        let stored = batch.slice(HEAD_BYTES + schema_bytes(self.attributes)..);
        let decompressed = decompress(self.compression()?, &stored)?;
        Ok(decompressed.map_or(stored, Bytes::from))
    }

    /// How the producer compressed the records.
    pub(crate) fn compression(&self) -> io::Result<Compression> {
        Compression::try_from((self.attributes & ATTRIBUTE_COMPRESSION) as i8)
            .map_err(io::Error::other)
    }
}

/// The offset after the last of some whole batches; `None` if there are none.
pub(crate) fn next_offset(batches: &[u8]) -> Option<i64> {
    let mut next_offset = None;
    let mut rest = batches;
    while let Some(head) = BatchHead::parse(rest) {
        next_offset = Some(head.next_offset());
        rest = rest.get(head.bytes..)?;
    }
    next_offset
}

fn schema_bytes(attributes: i16) -> usize {
    if attributes & ATTRIBUTE_SCHEMA == 0 {
        0
    } else {
        SCHEMA_BYTES
    }
}

/// Encodes the head of a batch whose records are already in their stored form.
///
/// The checksum is computed here: a wrong one of the client's would make the log damaged.
pub(crate) fn encode_head(batch: &Batch<RawRecords>) -> io::Result<Vec<u8>> {
    let header = batch.get_header();
    let records = &batch.records().0;
    let mut checked = Vec::with_capacity(HEAD_BYTES);
    header.attributes.encode(&mut checked, 0)?;
    header.last_offset_delta.encode(&mut checked, 0)?;
    header.first_timestamp.encode(&mut checked, 0)?;
    header.max_time_stamp.encode(&mut checked, 0)?;
    header.producer_id.encode(&mut checked, 0)?;
    header.producer_epoch.encode(&mut checked, 0)?;
    header.first_sequence.encode(&mut checked, 0)?;
    if header.has_schema() {
        batch.schema_id().encode(&mut checked, 0)?;
    }
    let length = i32::try_from(CHECKED_START - LENGTH_END + checked.len() + records.len())
        .map_err(io::Error::other)?;

    let mut head = Vec::with_capacity(HEAD_BYTES + SCHEMA_BYTES);
    batch.base_offset.encode(&mut head, 0)?;
    length.encode(&mut head, 0)?;
    header.partition_leader_epoch.encode(&mut head, 0)?;
    header.magic.encode(&mut head, 0)?;
    crc32c::crc32c_append(crc32c::crc32c(&checked), records).encode(&mut head, 0)?;
    head.extend_from_slice(&checked);
    Ok(head)
}

/// Sets in an encoded head the offset and the epoch with which the batch is stored.
pub(crate) fn set_offset_and_epoch(head: &mut [u8], base_offset: i64, leader_epoch: i32) {
    head[..8].copy_from_slice(&base_offset.to_be_bytes());
    head[LENGTH_END..LENGTH_END + 4].copy_from_slice(&leader_epoch.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use fluvio_protocol::record::Record;

    use super::*;

    fn batch_of(values: &[&str]) -> Batch<RawRecords> {
        let records: Vec<Record> = values.iter().map(|value| Record::new(*value)).collect();
        Batch::from(records).try_into().unwrap()
    }

    #[test]
    fn a_batch_is_stored_byte_for_byte_as_the_protocol_crate_encodes_it() {
        let batch = batch_of(&["first", "second"]);
        let mut ours = encode_head(&batch).unwrap();
        ours.extend_from_slice(&batch.records().0);
        assert_eq!(ours, batch.as_bytes(0).unwrap());
    }

    #[test]
    fn a_head_tells_offsets_and_length_and_whether_the_batch_is_intact() {
        let mut bytes = batch_of(&["first", "second"]).as_bytes(0).unwrap().to_vec();
        set_offset_and_epoch(&mut bytes, 41, 7);
        let head = BatchHead::parse(&bytes).unwrap();
        assert_eq!(
            (head.base_offset, head.next_offset(), head.leader_epoch),
            (41, 43, 7)
        );
        assert_eq!(head.bytes, bytes.len());
        assert!(head.is_intact(&bytes));
        *bytes.last_mut().unwrap() ^= 1;
        assert!(!head.is_intact(&bytes));
    }
}
