//! The packed key of table `records`: offset, partition and ordinal in eight bytes.

/// Partitions a [`RecordId`] can name: 0 to 1,023.
pub const PARTITIONS_MAX: u32 = 1 << PARTITION_BITS;

const PARTITION_BITS: u32 = 10;
const ORDINAL_BITS: u32 = 1;

/// Which of a trip's two events a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ordinal {
    /// The bike left.
    Departure = 0,
    /// The bike was docked.
    Arrival = 1,
}

/// `offset << 11 | partition << 1 | ordinal`.
///
/// The offset comes first, so that partitions read at the same pace append to the same end of the
/// index. Order: by offset, then partition, then departure before arrival.
///
/// ```
/// use domain::{Ordinal, RecordId};
/// let id = RecordId::pack(12, 2, Ordinal::Arrival);
/// assert_eq!(id.0, 12 * 2048 + 2 * 2 + 1);
/// assert_eq!((id.offset(), id.partition(), id.ordinal()), (12, 2, Ordinal::Arrival));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub i64);

impl RecordId {
    /// Packs the three parts.
    ///
    /// # Panics
    /// If `partition` is not below [`PARTITIONS_MAX`]: the key would name another record. Whoever opens
    /// a topic refuses one with more partitions, so that it does not come to this.
    #[must_use]
    pub fn pack(offset: i64, partition: u32, ordinal: Ordinal) -> Self {
        assert!(
            partition < PARTITIONS_MAX,
            "partition {partition} does not fit"
        );
        Self(
            offset << (PARTITION_BITS + ORDINAL_BITS)
                | i64::from(partition) << ORDINAL_BITS
                | ordinal as i64,
        )
    }

    /// The source offset on the topic.
    #[must_use]
    pub fn offset(self) -> i64 {
        self.0 >> (PARTITION_BITS + ORDINAL_BITS)
    }

    /// The partition of the topic.
    #[must_use]
    pub fn partition(self) -> u32 {
        (self.0 >> ORDINAL_BITS) as u32 & (PARTITIONS_MAX - 1)
    }

    /// Departure or arrival.
    #[must_use]
    pub fn ordinal(self) -> Ordinal {
        if self.0 & 1 == 0 {
            Ordinal::Departure
        } else {
            Ordinal::Arrival
        }
    }
}
