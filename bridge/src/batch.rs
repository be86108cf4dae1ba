//! Records to Fluvio batches and back, nothing lost on the way.
//!
//! ```text
//! Kafka offsets   4 5 6 │ 9 10        a gap begins a new batch
//! Fluvio batch    stamp 4: 3 records │ stamp 9: 2 records
//! ```
//! So do times too far apart, and a record without time among others.
//!
//! A Fluvio record has a key or none, a value, a time relative to its batch, and an integer called
//! `headers` that nobody uses. That one says what else the Kafka record was: see [`NULL_VALUE`].

use bytes::Bytes;
use fluvio_protocol::record::{
    Batch, NO_TIMESTAMP, RawRecords, Record as FluvioRecord, RecordData,
};
use partition_client::{BatchError, outputs, stored_records};

use crate::record::Record;
use crate::stamp::{Origin, Stamp};

/// Bit of `headers`: the value is null, a tombstone, and not empty.
const NULL_VALUE: i64 = 1;
/// Bit of `headers`: the record has Kafka headers; they stand in the topic for headers.
const HAS_HEADERS: i64 = 2;

/// The least time a batch may begin at: readers take less for "no time".
const FIRST_TIMESTAMP_MIN: i64 = 1;

/// How far a record's time may be from its batch's, in milliseconds (12 days). Fluvio's integers of
/// variable length lose what does not fit into 32 bits.
const TIME_SPAN_MAX: i64 = 1 << 30;

/// A record read from a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Its offset is Fluvio's; its headers are still to be found.
    pub record: Record,
    /// Where it stands in the Kafka topic it was mirrored from, if it was.
    pub kafka_offset: Option<i64>,
    /// Whether the topic for headers has some for it.
    pub has_headers: bool,
}

impl Decoded {
    /// As it was in Kafka, without its headers; none if it was not mirrored.
    pub fn into_kafka(self) -> Option<Record> {
        let offset = self.kafka_offset?;
        Some(Record {
            offset,
            ..self.record
        })
    }
}

/// Makes batches of records with rising offsets; each covers offsets without a gap.
pub fn encode(records: Vec<Record>, origin: Origin) -> Result<Vec<Batch<RawRecords>>, BatchError> {
    let mut batches = Vec::new();
    let mut run: Vec<Record> = Vec::new();
    for record in records {
        if !run.is_empty() && !belongs(&run, &record) {
            batches.push(encode_run(std::mem::take(&mut run), origin)?);
        }
        run.push(record);
    }
    if !run.is_empty() {
        batches.push(encode_run(run, origin)?);
    }
    Ok(batches)
}

/// Whether the record can stand in one batch with those before it.
fn belongs(run: &[Record], record: &Record) -> bool {
    let (first, last) = (&run[0], &run[run.len() - 1]);
    let is_near = match (first.timestamp, record.timestamp) {
        (Some(first), Some(time)) => first.abs_diff(time) < TIME_SPAN_MAX.unsigned_abs(),
        (None, None) => true,
        _ => false,
    };
    is_near && last.offset + 1 == record.offset
}

fn encode_run(run: Vec<Record>, origin: Origin) -> Result<Batch<RawRecords>, BatchError> {
    let first_offset = run[0].offset;
    let first_timestamp = run[0].timestamp.map(|time| time.max(FIRST_TIMESTAMP_MIN));
    let newest = run.iter().filter_map(|record| record.timestamp).max();
    let records = run
        .into_iter()
        .map(|record| encode_record(record, first_timestamp));
    let mut batch = Batch::from(records.collect::<Vec<_>>());
    let header = batch.get_mut_header();
    header.first_timestamp = first_timestamp.unwrap_or(NO_TIMESTAMP);
    header.max_time_stamp = newest.unwrap_or(NO_TIMESTAMP);
    Stamp {
        origin,
        first_offset,
    }
    .write(header);
    Ok(batch.try_into()?)
}

fn encode_record(record: Record, first_timestamp: Option<i64>) -> FluvioRecord {
    let null = if record.value.is_none() {
        NULL_VALUE
    } else {
        0
    };
    let headers = if record.headers.is_empty() {
        0
    } else {
        HAS_HEADERS
    };
    let mut encoded = FluvioRecord::new(record.value.unwrap_or_default());
    encoded.key = record.key.map(RecordData::from);
    encoded.headers = null | headers;
    let delta = record.timestamp.zip(first_timestamp);
    let delta = delta.map_or(0, |(time, first)| time - first);
    encoded.preamble.set_timestamp_delta(delta);
    encoded
}

/// Reads a batch; records that another producer than the bridge has written have no Kafka offset.
pub fn decode(batch: &Batch<RawRecords>) -> Result<Vec<Decoded>, BatchError> {
    let stored = stored_records(batch)?;
    let stamp = Stamp::read(batch.get_header());
    let kafka_first = stamp.map(|stamp| stamp.first_offset);
    let first_timestamp = batch.get_base_timestamp();
    let decoded = (0..).zip(stored).map(|(index, stored)| {
        // Another producer's records have no bits of ours.
        let bits = kafka_first.map_or(0, |_| stored.headers);
        let timestamp = first_timestamp + stored.timestamp_delta();
        let record = Record {
            offset: batch.base_offset + index,
            key: stored.key.map(bytes_of),
            value: (bits & NULL_VALUE == 0).then(|| bytes_of(stored.value)),
            timestamp: Some(timestamp).filter(|&time| first_timestamp > 0 && time >= 0),
            headers: Vec::new(),
        };
        Decoded {
            record,
            kafka_offset: kafka_first.map(|first| first + index),
            has_headers: bits & HAS_HEADERS != 0,
        }
    });
    Ok(decoded.collect())
}

/// Reads what a SmartModule gave for a range of records: keys and values are its own, times it
/// cannot give.
pub(crate) fn decode_outputs(batch: &Batch<RawRecords>) -> Result<Vec<Record>, BatchError> {
    let record = |output: FluvioRecord| Record {
        offset: batch.base_offset,
        key: output.key.map(bytes_of),
        value: Some(bytes_of(output.value)),
        timestamp: None,
        headers: Vec::new(),
    };
    Ok(outputs(batch)?.into_iter().map(record).collect())
}

fn bytes_of(data: RecordData) -> Bytes {
    // A reference count, no copy.
    Bytes::clone(&data)
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::record::Header;

    fn some_bytes() -> impl Strategy<Value = Option<Bytes>> {
        option::of(prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from))
    }

    /// Records with rising offsets and gaps, times in any order.
    fn records() -> impl Strategy<Value = Vec<Record>> {
        let time = option::of(0_i64..4_000_000_000_000);
        let record = (1_i64..3, some_bytes(), some_bytes(), time, any::<bool>());
        prop::collection::vec(record, 1..60).prop_map(|parts| {
            let mut offset = 0;
            let each = parts
                .into_iter()
                .map(|(step, key, value, timestamp, headers)| {
                    offset += step;
                    let header = Header {
                        name: "h".to_owned(),
                        value: None,
                    };
                    Record {
                        offset,
                        key,
                        value,
                        timestamp,
                        headers: if headers { vec![header] } else { Vec::new() },
                    }
                });
            each.collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_with_its_kafka_offset(records in records()) {
            let batches = encode(records.clone(), Origin::new("c", "t", 0)).unwrap();
            let decoded: Vec<_> = batches.iter().flat_map(|batch| decode(batch).unwrap()).collect();
            prop_assert_eq!(decoded.len(), records.len());
            for (decoded, record) in decoded.into_iter().zip(records) {
                prop_assert_eq!(decoded.kafka_offset, Some(record.offset));
                prop_assert_eq!(decoded.has_headers, !record.headers.is_empty());
                prop_assert_eq!(decoded.record.key, record.key);
                prop_assert_eq!(decoded.record.value, record.value);
                prop_assert_eq!(decoded.record.timestamp, record.timestamp);
            }
        }
    }

    #[test]
    fn a_gap_in_kafkas_offsets_begins_a_new_batch() {
        let record = |offset| Record {
            offset,
            key: None,
            value: None,
            timestamp: None,
            headers: Vec::new(),
        };
        let records = [4, 5, 6, 9, 10].map(record).to_vec();
        let batches = encode(records, Origin::new("c", "t", 0)).unwrap();
        let held = |batch: &Batch<RawRecords>| (batch.header.producer_id, batch.records_len());
        assert_eq!(
            batches.iter().map(held).collect::<Vec<_>>(),
            [(4, 3), (9, 2)]
        );
    }

    #[test]
    fn outputs_of_a_module_keep_their_keys_and_have_no_time() {
        let mut keyed = FluvioRecord::new("departure");
        keyed.key = Some(RecordData::from("station"));
        let mut batch: Batch<RawRecords> = Batch::from(vec![keyed, FluvioRecord::new("arrival")])
            .try_into()
            .unwrap();
        // As a broker sends them: outputs are counted otherwise than records.
        batch.set_base_offset(40);
        batch.get_mut_header().last_offset_delta = 6;
        let outputs = decode_outputs(&batch).unwrap();
        let seen = |record: &Record| (record.key.clone(), record.value.clone(), record.timestamp);
        let bytes = |text: &'static str| Some(Bytes::from(text));
        assert_eq!(
            outputs.iter().map(seen).collect::<Vec<_>>(),
            [
                (bytes("station"), bytes("departure"), None),
                (None, bytes("arrival"), None)
            ]
        );
    }

    #[test]
    fn records_of_an_ordinary_producer_have_no_kafka_offset() {
        let mut stored = FluvioRecord::new("value");
        stored.headers = NULL_VALUE;
        let batch = Batch::from(vec![stored]).try_into().unwrap();
        let decoded = decode(&batch).unwrap().remove(0);
        assert_eq!(decoded.kafka_offset, None);
        assert_eq!(decoded.record.value.as_deref(), Some(b"value".as_slice()));
        assert_eq!(decoded.record.timestamp, None);
    }
}
