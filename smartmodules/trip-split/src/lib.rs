//! Stage ② of ④. Reads topic `trips`; gives departures and arrivals.
//!
//! Runs inside the broker, once for each stream a reader opens. Stateless: one trip becomes a
//! departure and an arrival, anything else passes through as one output.
//!
//! Not here: the rule itself (see [`domain::split()`]), removing repeats (see `sink`).

use fluvio_smartmodule::Result;
use smartmodule_frame::{InputRecord, Outputs};

smartmodule_frame::export!(array_map = trip_split);

/// Splits a trip into its departure and its arrival; bytes that are no record become a reject.
///
/// # Errors
/// Never: an error would stop the batch inside the broker.
pub fn trip_split(record: &InputRecord<'_>, outputs: &mut Outputs<'_>) -> Result<()> {
    domain::split_json(record.offset(), record.value(), &mut |output| {
        outputs.push(output);
    });
    Ok(())
}
