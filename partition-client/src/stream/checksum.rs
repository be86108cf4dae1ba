//! Whether a stored batch is as it was stored.
//!
//! An SPU sends what its file has. A bit that flipped there, or on the way, would be mirrored as if
//! it were right, or sent to a decoder that reserves memory for any length.

use anyhow::anyhow;
use fluvio_protocol::Encoder;
use fluvio_protocol::record::{BATCH_FILE_HEADER_SIZE, Batch, RawRecords};

/// Where the bytes begin that the checksum covers: behind offset, length, epoch, magic and itself.
const COVERED_START: usize = 21;

/// Fails if the batch's checksum does not fit what it covers. Offset and leader epoch are not covered.
pub(crate) fn check(batch: &Batch<RawRecords>) -> anyhow::Result<()> {
    if computed(batch)? == batch.header.crc {
        return Ok(());
    }
    let offset = batch.base_offset;
    Err(anyhow!(
        "the batch of {offset} is damaged: its checksum does not fit"
    ))
}

fn computed(batch: &Batch<RawRecords>) -> anyhow::Result<u32> {
    // Its records are shared, not copied, and left out of what is encoded.
    let mut head = batch.clone();
    *head.mut_records() = RawRecords::default();
    let mut encoded = Vec::with_capacity(BATCH_FILE_HEADER_SIZE);
    head.encode(&mut encoded, 0)?;
    let covered = crc32c::crc32c(&encoded[COVERED_START..]);
    Ok(crc32c::crc32c_append(covered, &batch.records().0))
}

#[cfg(test)]
mod tests {
    use fluvio_protocol::Decoder;
    use fluvio_protocol::record::{Record, RecordSet};

    use super::*;
    use crate::stream::truncated::take_off;

    /// The batches of a response that are whole and undamaged, as the stream takes them.
    fn taken(file: &[u8]) -> Vec<Batch<RawRecords>> {
        let size = i32::try_from(file.len()).unwrap().to_be_bytes();
        let response = [&size[..], file].concat();
        let Ok(set) = RecordSet::<RawRecords>::decode_from(&mut response.as_slice(), 0) else {
            return Vec::new();
        };
        let mut batches = set.batches;
        take_off(&mut batches);
        batches.retain(|batch| check(batch).is_ok());
        batches
    }

    fn values(batch: &Batch<RawRecords>) -> Vec<String> {
        let records = batch.memory_records().unwrap().into_iter();
        let text = |record: Record| String::from_utf8(record.value.to_vec()).unwrap();
        records.map(text).collect()
    }

    #[test]
    fn whichever_bit_flips_no_other_record_is_taken() {
        let records = vec![Record::new("departure"), Record::new("arrival")];
        let batch = Batch::<RawRecords>::try_from(Batch::from(records)).unwrap();
        let mut file = Vec::new();
        batch.encode(&mut file, 0).unwrap();
        assert_eq!(values(&taken(&file)[0]), ["departure", "arrival"]);
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            for batch in taken(&flipped) {
                assert_eq!(values(&batch), ["departure", "arrival"], "bit {bit}");
            }
        }
    }

    #[test]
    fn a_damaged_batch_is_named() {
        let records = vec![Record::new("departure")];
        let mut batch = Batch::<RawRecords>::try_from(Batch::from(records)).unwrap();
        batch.base_offset = 57;
        batch.header.crc ^= 1;
        assert_eq!(
            check(&batch).unwrap_err().to_string(),
            "the batch of 57 is damaged: its checksum does not fit"
        );
    }
}
