//! The mark in a Fluvio batch that says which Kafka records it holds.
//!
//! A batch has three fields for an idempotent producer: its id, its epoch and a sequence number.
//! Fluvio copied them from Kafka's format and uses none of them; ordinary clients leave −1. They
//! are stored with the batch, in one write, and no consumer sees them, so keys and values stay byte
//! for byte. docs/decisions/0006 has the alternatives.

use fluvio_protocol::record::BatchHeader;
use xxhash_rust::xxh3::xxh3_64;

/// In the field of the producer's epoch: a batch of the bridge, in this form.
const FORM: i16 = 1;

/// Which partition of which Kafka cluster: a hash, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(i32);

impl Origin {
    pub fn new(kafka_cluster: &str, topic: &str, partition: u32) -> Self {
        let hash = xxh3_64(format!("{kafka_cluster}\n{topic}\n{partition}").as_bytes());
        Self(i32::try_from(hash >> 33).unwrap_or(i32::MAX))
    }
}

/// What a batch holds: Kafka offsets from `first_offset` on, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) origin: Origin,
    pub(crate) first_offset: i64,
}

impl Stamp {
    pub(crate) fn write(self, header: &mut BatchHeader) {
        header.producer_id = self.first_offset;
        header.producer_epoch = FORM;
        header.first_sequence = self.origin.0;
    }

    /// The stamp, if the batch has one.
    pub(crate) fn read(header: &BatchHeader) -> Option<Self> {
        let is_ours = header.producer_epoch == FORM && header.producer_id >= 0;
        is_ours.then_some(Self {
            origin: Origin(header.first_sequence),
            first_offset: header.producer_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_ordinary_batches_have_none() {
        let origin = Origin::new("5L6g3nShT-eMCtK--X86sw", "trips", 2);
        let stamp = Stamp {
            origin,
            first_offset: 1 << 40,
        };
        let mut header = BatchHeader::default();
        assert_eq!(Stamp::read(&header), None);
        stamp.write(&mut header);
        assert_eq!(Stamp::read(&header), Some(stamp));
        assert_ne!(origin, Origin::new("5L6g3nShT-eMCtK--X86sw", "trips", 1));
    }
}
