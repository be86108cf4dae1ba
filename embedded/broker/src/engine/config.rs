//! What one module of a chain is started with.

use fluvio_smartmodule::dataplane::smartmodule::SmartModuleExtraParams;

/// A module and its parameters.
#[derive(Debug)]
pub(crate) struct ModuleConfig<'a> {
    /// For errors.
    pub(crate) name: &'a str,
    /// Unpacked.
    pub(crate) wasm: &'a [u8],
    pub(crate) params: SmartModuleExtraParams,
    /// What an aggregate starts from.
    pub(crate) accumulator: Vec<u8>,
    /// Of the encoding; the client's.
    pub(crate) version: i16,
}
