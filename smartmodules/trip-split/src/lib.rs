//! Stage ② of ④. Reads topic `trips`; gives departures and arrivals.
//!
//! Runs inside the broker, once for each stream a reader opens. Stateless: one trip becomes a
//! departure and an arrival, anything else passes through as one output.
//!
//! Not here: the rule itself (see [`domain::split()`]), removing repeats (see `sink`).

use fluvio_smartmodule::{RecordData, Result, SmartModuleRecord, smartmodule};

/// Splits a trip into its departure and its arrival; bytes that are no record become a reject.
///
/// # Errors
/// Never: an error would stop the batch inside the broker.
#[smartmodule(array_map)]
pub fn trip_split(record: &SmartModuleRecord) -> Result<Vec<(Option<RecordData>, RecordData)>> {
    let outputs = domain::split_json(record.offset(), record.value().as_ref());
    Ok(outputs
        .into_iter()
        .map(|output| (None, output.into()))
        .collect())
}
