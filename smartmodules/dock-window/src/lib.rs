//! Stage ② of ④. Reads topic `trips`; gives departures per window of event time.
//!
//! Runs inside the broker, once for each stream a reader opens, and counts as long as that stream
//! lives. Each output carries the state after it; the reader hands back what it has committed.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `window_ms` | width of a window in milliseconds | 5000 |
//! | `lateness_ms` | how far a departure may lie behind the newest one, in milliseconds | 0 |
//! | `next_offset` | first offset not yet counted | 0 |
//! | `state` | JSON: `state` of the last output committed | nothing open |
//! | `seen` | JSON: `[["source", seq], …]` counted so far | none |
//!
//! Not here: the rule itself (see [`domain::window`]), adding up partitions (see `migrations/`).

use std::cell::RefCell;

use fluvio_smartmodule::dataplane::smartmodule::SmartModuleExtraParams;
use fluvio_smartmodule::{Result, eyre};
use smartmodule_frame::{InputRecord, Outputs};

mod params;

thread_local! {
    // One instance of the module serves one stream, on one thread.
    static WINDOWS: RefCell<Option<domain::Windows>> = const { RefCell::new(None) };
}

smartmodule_frame::export!(array_map = dock_window, init = init);

/// Takes the parameters, once, before the first record.
///
/// # Errors
/// If a parameter is not of its form: the stream is refused, nothing has been read.
pub fn init(params: SmartModuleExtraParams) -> Result<()> {
    let windows = params::windows(&params)?;
    WINDOWS.with_borrow_mut(|slot| *slot = Some(windows));
    Ok(())
}

/// Counts a departure; gives an output where something is to be stored.
///
/// # Errors
/// Only if `init` was never called: a bug of the broker.
pub fn dock_window(record: &InputRecord<'_>, outputs: &mut Outputs<'_>) -> Result<()> {
    WINDOWS.with_borrow_mut(|slot| {
        let windows = slot.as_mut().ok_or_else(|| eyre!("record before init"))?;
        if let Some(output) = windows.push(record.offset(), record.value()) {
            outputs.push(&[&output.to_json()]);
        }
        Ok(())
    })
}
