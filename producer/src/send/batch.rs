//! Records as one batch, ready to be stored.

use fluvio_protocol::record::{Batch, RawRecords, Record, RecordData};

use super::Outgoing;

/// A batch of records that are made at an instant, in milliseconds since 1970.
///
/// # Errors
/// If the records are too many for a batch.
pub(super) fn encode(records: &[Outgoing], at_ms: i64) -> anyhow::Result<Batch<RawRecords>> {
    let records: Vec<_> = records.iter().map(record).collect();
    let mut batch = Batch::from(records);
    let header = batch.get_mut_header();
    header.first_timestamp = at_ms;
    header.max_time_stamp = at_ms;
    Ok(batch.try_into()?)
}

fn record(outgoing: &Outgoing) -> Record {
    let mut record = Record::new(outgoing.value.clone());
    record.key = outgoing.key.clone().map(RecordData::from);
    record
}
