//! One call of the broker: input out of the one buffer, output into the other.
//!
//! ```text
//! alloc(bytes) → address                                where the broker writes its input
//! array_map(address, bytes, version) → count or status
//!     copy_records(address, bytes)                      where the broker reads after the return
//! ```
//! Source: `fluvio-smartengine` 0.50.1, `engine/wasmtime/{instance,memory}.rs`.

use std::cell::RefCell;

use fluvio_smartmodule::Error;
use fluvio_smartmodule::dataplane::smartmodule::{
    SmartModuleExtraParams, SmartModuleInitErrorStatus, SmartModuleTransformErrorStatus,
};

use crate::call;
use crate::input::InputRecord;
use crate::output::Outputs;

thread_local! {
    // A module runs on one thread, one call at a time. Both are used again by each call, so that
    // its memory does not grow with what it has handled.

    /// Where the broker writes. It becomes longer, never shorter: all of it is initialized.
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What the broker reads once a call has returned.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Gives a buffer for an input; the input before is gone.
#[must_use]
pub fn alloc(bytes: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        if input.len() < bytes {
            input.resize(bytes, 0);
        }
        input.as_mut_ptr()
    })
}

/// Runs a rule over the records that stand where [`alloc`] said.
///
/// Gives the number of outputs, or a [`SmartModuleTransformErrorStatus`]. The rule's first error
/// ends the batch; it stands behind the outputs of the records before.
#[must_use]
pub fn array_map(
    at: *const u8,
    bytes: usize,
    version: i32,
    rule: impl FnMut(&InputRecord<'_>, &mut Outputs<'_>) -> Result<(), Error>,
) -> i32 {
    call_with(at, bytes, |input, output| {
        call::array_map(input, version as i16, rule, output)
    })
    .unwrap_or(SmartModuleTransformErrorStatus::DecodingBaseInput as i32)
}

/// Hands the parameters over that stand where [`alloc`] said.
///
/// Gives 0, or a [`SmartModuleInitErrorStatus`].
#[must_use]
pub fn init(
    at: *const u8,
    bytes: usize,
    version: i32,
    init: impl FnOnce(SmartModuleExtraParams) -> Result<(), Error>,
) -> i32 {
    call_with(at, bytes, |input, output| {
        call::init(input, version as i16, init, output)
    })
    .unwrap_or(SmartModuleInitErrorStatus::DecodingInput as i32)
}

/// Calls with what the broker has written, and shows it the output; `None` if it has not written
/// there.
fn call_with(
    at: *const u8,
    bytes: usize,
    call: impl FnOnce(&[u8], &mut Vec<u8>) -> i32,
) -> Option<i32> {
    INPUT.with_borrow(|input| {
        let written = (at == input.as_ptr()).then(|| input.get(..bytes))??;
        OUTPUT.with_borrow_mut(|output| {
            output.clear();
            let code = call(written, output);
            copy_records(output.as_ptr(), output.len());
            Some(code)
        })
    })
}

#[cfg(target_family = "wasm")]
#[expect(
    unsafe_code,
    reason = "what the broker calls it with is known to the broker only"
)]
unsafe extern "C" {
    // SAFETY: its type is that of the broker, which only keeps the two numbers.
    safe fn copy_records(at: *const u8, bytes: usize);
}

/// Outside a broker nobody reads.
#[cfg(not(target_family = "wasm"))]
fn copy_records(_: *const u8, _: usize) {}
