#![doc = include_str!("../README.md")]

mod abi;
mod call;
mod input;
mod output;

pub use crate::abi::{alloc, array_map, init};
pub use crate::input::InputRecord;
pub use crate::output::Outputs;

/// Exports what a broker calls: an `array_map`, and an `init` if there is one.
///
/// Only wasm has exports: elsewhere the functions are ordinary ones, for tests.
///
/// ```
/// use fluvio_smartmodule::Result;
/// use smartmodule_frame::{InputRecord, Outputs};
///
/// smartmodule_frame::export!(array_map = twice);
///
/// fn twice(record: &InputRecord<'_>, outputs: &mut Outputs<'_>) -> Result<()> {
///     outputs.push(&[record.value()]);
///     outputs.push(&[record.value()]);
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! export {
    (array_map = $rule:path $(, init = $init:path)?) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            // SAFETY: nothing else in a module exports these names, and the types are those with
            // which the broker calls them.
            #[unsafe(export_name = "alloc")]
            extern "C" fn export_alloc(bytes: usize) -> *mut u8 {
                $crate::alloc(bytes)
            }

            #[unsafe(export_name = "array_map")]
            extern "C" fn export_array_map(at: *const u8, bytes: usize, version: i32) -> i32 {
                $crate::array_map(at, bytes, version, $rule)
            }

            $(
                #[unsafe(export_name = "init")]
                extern "C" fn export_init(at: *const u8, bytes: usize, version: i32) -> i32 {
                    $crate::init(at, bytes, version, $init)
                }
            )?
        };
    };
}
