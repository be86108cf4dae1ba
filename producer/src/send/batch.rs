//! Records as one batch, ready to be stored.

use bytes::Bytes;
use fluvio_compression::Compression;
use fluvio_protocol::core::EncoderVarInt;
use fluvio_protocol::record::{Batch, RawRecords};

use super::Outgoing;

/// Of a record: no attributes, made at the batch's time.
const ATTRIBUTES_AND_TIME: [u8; 2] = [0, 0];
/// Of a record: no headers.
const HEADERS: u8 = 0;

/// A batch of records that are made at an instant, in milliseconds since 1970.
///
/// Fluvio's own encoder passes each byte through a call, which took a twentieth of a load's CPU.
///
/// # Errors
/// If the records are too many for a batch, or cannot be compressed.
pub(super) fn encode(
    records: &[Outgoing],
    at_ms: i64,
    compression: Compression,
) -> anyhow::Result<Batch<RawRecords>> {
    let count = i32::try_from(records.len())?;
    let size: usize = records.iter().map(Outgoing::bytes).sum();
    let mut encoded = Vec::with_capacity(size);
    encoded.extend_from_slice(&count.to_be_bytes());
    for (record, offset_delta) in records.iter().zip(0..) {
        push_record(record, offset_delta, &mut encoded)?;
    }
    let mut batch = Batch::<RawRecords>::default();
    batch.set_offset_delta(count - 1);
    let header = batch.get_mut_header();
    header.first_timestamp = at_ms;
    header.max_time_stamp = at_ms;
    header.set_compression(compression);
    let stored = match compression {
        Compression::None => Bytes::from(encoded),
        compression => compression.compress(&encoded)?,
    };
    *batch.mut_records() = RawRecords(stored);
    Ok(batch)
}

/// ```text
/// length │ attributes i8 │ time │ offset │ 1, key │ value │ headers
///                                         └ or 0
/// ```
/// Numbers are varints from the batch's on; key and value stand after their lengths.
fn push_record(record: &Outgoing, offset_delta: i64, into: &mut Vec<u8>) -> anyhow::Result<()> {
    let key_size = record.key.as_ref().map_or(0, data_size);
    let size = ATTRIBUTES_AND_TIME.len()
        + offset_delta.var_write_size()
        + size_of::<u8>()
        + key_size
        + data_size(&record.value)
        + size_of_val(&HEADERS);
    i64::try_from(size)?.encode_varint(into)?;
    into.extend_from_slice(&ATTRIBUTES_AND_TIME);
    offset_delta.encode_varint(into)?;
    into.push(u8::from(record.key.is_some()));
    if let Some(key) = &record.key {
        push_data(key, into)?;
    }
    push_data(&record.value, into)?;
    into.push(HEADERS);
    Ok(())
}

fn data_size(data: &Bytes) -> usize {
    (data.len() as i64).var_write_size() + data.len()
}

fn push_data(data: &Bytes, into: &mut Vec<u8>) -> anyhow::Result<()> {
    i64::try_from(data.len())?.encode_varint(into)?;
    into.extend_from_slice(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use fluvio_protocol::record::{Record, RecordData};
    use proptest::prelude::*;

    use super::*;

    fn outgoing() -> impl Strategy<Value = Outgoing> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
        (prop::option::of(bytes()), bytes()).prop_map(|(key, value)| Outgoing { key, value })
    }

    fn by_fluvio(records: &[Outgoing], at_ms: i64, compression: Compression) -> Batch<RawRecords> {
        let records = records.iter().map(|outgoing| {
            let mut record = Record::new(RecordData::from(outgoing.value.clone()));
            record.key = outgoing.key.clone().map(RecordData::from);
            record
        });
        let mut batch = Batch::from(records.collect::<Vec<_>>());
        let header = batch.get_mut_header();
        header.first_timestamp = at_ms;
        header.max_time_stamp = at_ms;
        header.set_compression(compression);
        batch.try_into().unwrap()
    }

    proptest! {
        #[test]
        fn a_batch_is_what_fluvio_makes_of_the_same_records(
            records in prop::collection::vec(outgoing(), 1..300),
            at_ms in any::<i64>(),
            compression in prop::sample::select(vec![Compression::None, Compression::Zstd]),
        ) {
            let ours = encode(&records, at_ms, compression).unwrap();
            let theirs = by_fluvio(&records, at_ms, compression);
            prop_assert_eq!(&ours.records().0, &theirs.records().0);
            prop_assert_eq!(format!("{:?}", ours.get_header()), format!("{:?}", theirs.get_header()));
        }
    }
}
