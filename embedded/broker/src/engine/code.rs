//! How large the code of a module may be, looked at before it is compiled.
//!
//! Some of the compiler's steps take more than linear time for one function, so that a function of
//! a few megabytes would keep a core busy for minutes, and nothing can stop it.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;

use super::error::EngineError;
use super::input::Reader;

/// Largest module, unpacked. Chosen: twenty times the project's; the compiler's time and memory
/// grow with it.
pub(super) const MODULE_BYTES_MAX: usize = 8 << 20;

/// Largest function. Chosen: some times the largest of the project's modules; one of 255 KiB, written
/// to be laborious, was seen to take minutes on a busy machine.
const FUNCTION_BYTES_MAX: u64 = 64 << 10;

const HEADER_BYTES: usize = 8;
const CODE_SECTION: u8 = 10;

/// Unpacks a module as clients send it and as it is stored, up to [`MODULE_BYTES_MAX`].
///
/// # Errors
/// If it is not gzip, or too large.
pub(crate) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut wasm = Vec::new();
    let limit = MODULE_BYTES_MAX as u64 + 1;
    GzDecoder::new(packed).take(limit).read_to_end(&mut wasm)?;
    if wasm.len() > MODULE_BYTES_MAX {
        let message = format!("the module is larger than {MODULE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(wasm)
}

/// Checks the size of a module and of each of its functions.
///
/// Bytes that are not wasm are left to the compiler, which knows an error for each.
pub(super) fn check_sizes(wasm: &[u8]) -> Result<(), EngineError> {
    if wasm.len() > MODULE_BYTES_MAX {
        let bytes = wasm.len();
        return Err(EngineError::invalid(format!(
            "the module has {bytes} bytes, more than {MODULE_BYTES_MAX}: build it in release"
        )));
    }
    match largest_function(wasm) {
        Some(bytes) if bytes > FUNCTION_BYTES_MAX => Err(EngineError::invalid(format!(
            "the module has a function of {bytes} bytes, more than {FUNCTION_BYTES_MAX}: split it"
        ))),
        _ => Ok(()),
    }
}

/// Bytes of the largest function; `None` if there is none, or the bytes are not wasm.
fn largest_function(wasm: &[u8]) -> Option<u64> {
    let mut sections = Reader::new(wasm.get(HEADER_BYTES..)?);
    loop {
        let section = sections.u8().ok()?;
        let length = leb128(&mut sections)?;
        let content = sections.take(usize::try_from(length).ok()?).ok()?;
        if section == CODE_SECTION {
            return largest_body(content);
        }
    }
}

fn largest_body(section: &[u8]) -> Option<u64> {
    let mut bodies = Reader::new(section);
    let count = leb128(&mut bodies)?;
    let mut largest = None;
    for _ in 0..count {
        let length = leb128(&mut bodies)?;
        bodies.take(usize::try_from(length).ok()?).ok()?;
        largest = largest.max(Some(length));
    }
    largest
}

/// An unsigned number of 32 bits, as wasm encodes it.
fn leb128(from: &mut Reader<'_>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = from.u8().ok()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
