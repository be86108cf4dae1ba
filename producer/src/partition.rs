//! Which partition a record goes to.

use domain::record_id::PARTITIONS_MAX;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::ProducerError;

/// How many partitions the topic has: 1 to [`PARTITIONS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(std::num::NonZeroU32);

impl Partitions {
    /// None if there are none.
    ///
    /// # Errors
    /// [`ProducerError::TooManyPartitions`] if records of some could not be told apart in the tables.
    pub fn of_topic(topic: &str, count: u32) -> Result<Option<Self>, ProducerError> {
        if count > PARTITIONS_MAX {
            return Err(ProducerError::TooManyPartitions {
                topic: topic.to_owned(),
                partitions: count,
            });
        }
        Ok(std::num::NonZeroU32::new(count).map(Self))
    }

    /// Their numbers.
    #[must_use]
    pub fn iter(self) -> std::ops::Range<u32> {
        0..self.0.get()
    }

    /// The partition of a key: the same in every run, so that a row never changes its partition.
    #[must_use]
    pub fn of_key(self, key: &[u8]) -> u32 {
        self.of_hash(xxh3_64(key))
    }

    /// The partition of a key with this hash (xxh3, 64 bits).
    #[must_use]
    pub fn of_hash(self, hash: u64) -> u32 {
        let partition = hash % u64::from(self.0.get());
        u32::try_from(partition).expect("it is less than the number of partitions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_partition_for_ever() {
        let three = Partitions::of_topic("trips", 3).unwrap().unwrap();
        let partitions: Vec<_> = ["3202", "3203", "6926.01", "HB103", "JC002"]
            .iter()
            .map(|key| three.of_key(key.as_bytes()))
            .collect();
        // Another result would send rows a second time, to another partition.
        expect_test::expect!["[1, 0, 2, 1, 2]"].assert_eq(&format!("{partitions:?}"));
    }

    #[test]
    fn a_topic_with_more_partitions_than_a_key_can_name_is_refused() {
        assert!(Partitions::of_topic("trips", 1_024).unwrap().is_some());
        let refused = Partitions::of_topic("trips", 1_025).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "topic \"trips\" has 1025 partitions: records of at most 1024 can be stored"
        );
    }
}
