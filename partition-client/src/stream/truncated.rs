//! Responses that end in the middle of a batch.
//!
//! A real SPU sends as many bytes of its file as were requested, whole batches or not. Fluvio's
//! client takes what is left of the last one for all of it, and goes on behind it. It must be
//! requested again instead.

use fluvio_protocol::record::{Batch, RawRecords};

/// Takes a last batch off that is not whole; gives its offset, where the next response is to begin.
pub(super) fn take_off(batches: &mut Vec<Batch<RawRecords>>) -> Option<i64> {
    let cut = batches.pop_if(|batch| !batch.validate_decoding())?;
    Some(cut.base_offset)
}

#[cfg(test)]
mod tests {
    use fluvio_protocol::record::{Record, RecordSet};
    use fluvio_protocol::{Decoder, Encoder};

    use super::*;

    const RECORDS_PER_BATCH: i64 = 2;

    fn stored(base_offset: i64) -> Vec<u8> {
        let records = vec![Record::new("departure"), Record::new("arrival")];
        let mut batch = Batch::<RawRecords>::try_from(Batch::from(records)).unwrap();
        batch.base_offset = base_offset;
        let mut bytes = Vec::new();
        batch.encode(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn wherever_an_answer_is_cut_its_whole_batches_are_taken_and_the_next_one_begins_after_them() {
        let batches: Vec<_> = (0..3).map(|n| stored(n * RECORDS_PER_BATCH)).collect();
        let (file, length) = (batches.concat(), batches[0].len());
        for cut in 0..=file.len() {
            let size = i32::try_from(cut).unwrap().to_be_bytes();
            let response = [&size[..], &file[..cut]].concat();
            let set = RecordSet::<RawRecords>::decode_from(&mut response.as_slice(), 0).unwrap();
            let mut found = set.batches;

            let cut_at = take_off(&mut found);
            let whole = cut / length;
            assert_eq!(found.len(), whole, "cut at byte {cut}");
            let offsets = found.iter().map(|batch| batch.base_offset);
            assert!(offsets.eq((0..).step_by(2).take(whole)));
            // What is cut before its head ends is not decoded at all: the response ends before it.
            let next = i64::try_from(whole).unwrap() * RECORDS_PER_BATCH;
            assert!(cut_at.is_none_or(|offset| offset == next));
        }
    }
}
