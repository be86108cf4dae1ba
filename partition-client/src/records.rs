//! The records of a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fluvio_compression::CompressionError;
use fluvio_protocol::record::{Batch, RawRecords, Record};

/// A batch that does not hold what its head says.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// It is compressed in another way, or not at all.
    #[error("undecodable batch")]
    Undecodable(#[from] CompressionError),
    /// Fluvio's decoder panics at a length below zero.
    #[error("undecodable batch: a length in it cannot be")]
    Length,
    /// Fluvio's decoder takes the end of the bytes for the end of the records.
    #[error("incomplete batch: {found} of {expected} records")]
    Incomplete {
        /// How many records could be decoded.
        found: usize,
        /// How many the head says.
        expected: usize,
    },
}

/// Decodes what a SmartModule gave, whose batches have made-up heads.
///
/// # Errors
/// If the bytes are no records.
pub fn outputs(batch: &Batch<RawRecords>) -> Result<Vec<Record>, BatchError> {
    let decoded = catch_unwind(AssertUnwindSafe(|| batch.memory_records()));
    Ok(decoded.map_err(|_| BatchError::Length)??)
}

/// Decodes the records of a stored batch, each at its offset from the batch's first one on.
///
/// # Errors
/// If the bytes are no records, or not as many as the head says: whoever counts offsets would pass
/// over the others.
pub fn stored_records(batch: &Batch<RawRecords>) -> Result<Vec<Record>, BatchError> {
    let records = outputs(batch)?;
    let (found, expected) = (records.len(), batch.records_len());
    match found == expected {
        true => Ok(records),
        false => Err(BatchError::Incomplete { found, expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Batch<RawRecords> {
        let records = vec![Record::new("one"), Record::new("two")];
        Batch::from(records).try_into().unwrap()
    }

    fn judged(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let mut batch = stored();
        let bytes = change(batch.records().0.to_vec());
        *batch.mut_records() = RawRecords(bytes.into());
        match stored_records(&batch) {
            Ok(records) => format!("{} records", records.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_batch_that_is_cut_is_an_error_and_not_fewer_records() {
        assert_eq!(judged(|bytes| bytes), "2 records");
        let length = stored().records().0.len();
        for cut in 0..length {
            let judgement = judged(|bytes| bytes[..cut].to_vec());
            assert!(
                judgement.contains("batch"),
                "{cut} of {length} bytes: {judgement}"
            );
        }
    }

    #[test]
    fn a_length_of_minus_one_is_an_error_and_no_panic() {
        let judgement = judged(|mut bytes| {
            let value_at = bytes
                .windows(3)
                .position(|window| window == b"one")
                .unwrap();
            // Before a value stands its length, in zigzag encoding.
            bytes[value_at - 1] = 1;
            bytes
        });
        assert_eq!(judgement, "undecodable batch: a length in it cannot be");
    }
}
