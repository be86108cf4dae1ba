//! Whether a SmartModule can be run: the trial before it replaces another.

use crate::engine::{Engine, EngineError};

/// What a module is tried with, for people.
const SAMPLE: &str = "empty values, text, JSON and bytes, which it may refuse";

/// Why a module is refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be run, or did harm with a sample of records.
    #[error("smartmodule \"{name}\" does not run: {reason}")]
    Refused {
        /// The module's.
        name: String,
        /// What it lacks, or what it did with the sample.
        reason: String,
    },
    /// There is nothing to try it with.
    #[error("could not start the engine of the smartmodules")]
    Engine(#[source] std::io::Error),
}

/// Compiles a module and runs it over a sample of records, as the embedded broker does before it
/// takes one. Computes for up to some seconds.
///
/// A module that refuses the sample is fine: it may want parameters, or other records.
///
/// # Errors
/// If it is no SmartModule, panics, runs for too long, wants too much memory, or points outside its
/// memory.
pub fn check(name: &str, wasm: &[u8]) -> Result<(), CheckError> {
    let engine = Engine::start().map_err(CheckError::Engine)?;
    check_with(&engine, name, wasm)
}

pub(crate) fn check_with(engine: &Engine, name: &str, wasm: &[u8]) -> Result<(), CheckError> {
    let refused = |error: EngineError| CheckError::Refused {
        name: name.to_owned(),
        reason: match error {
            EngineError::Fault { fault, .. } => format!("with {SAMPLE}, it {fault}"),
            other => other.to_string(),
        },
    };
    engine.check(name, wasm).map_err(refused)
}
