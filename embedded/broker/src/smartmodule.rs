//! A SmartModule outside a broker: the trial before it replaces another, and a rehearsal, as what a stream
//! would have.

use bytes::Bytes;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::Record;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleExtraParams;
use fluvio_spu_schema::COMMON_VERSION;

use crate::chain::{Chain, Input};
use crate::engine::{Engine, EngineError, ModuleConfig};

/// Memory of a module at work outside a broker. Chosen: that of a stream's, by default.
const MEMORY_BYTES_MAX: usize = 1 << 30;

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

/// One module outside a broker, compiled once, to be started as often as wanted.
#[derive(Debug)]
pub struct Rehearsals {
    engine: Engine,
    name: String,
    wasm: Vec<u8>,
}

impl Rehearsals {
    /// Compiles a module and tries it as [`check`] does.
    ///
    /// # Errors
    /// As [`check`].
    pub fn of(name: &str, wasm: &[u8]) -> Result<Self, CheckError> {
        let engine = Engine::start().map_err(CheckError::Engine)?;
        check_with(&engine, name, wasm)?;
        Ok(Self {
            engine,
            name: name.to_owned(),
            wasm: wasm.to_vec(),
        })
    }

    /// Starts the module with parameters, as when a stream is opened.
    ///
    /// # Errors
    /// If it does not start, or refuses the parameters.
    pub fn start(&self, params: &[(String, String)]) -> Result<Rehearsal, CheckError> {
        let params = params.iter().cloned().collect();
        let params = SmartModuleExtraParams::new(params, None);
        Rehearsal::start_in(&self.engine, &self.name, &self.wasm, params)
    }
}

/// One module at work outside a broker, as a stream of the broker has it.
#[derive(Debug)]
pub struct Rehearsal {
    chain: Chain,
}

impl Rehearsal {
    /// Compiles and starts a module, without parameters.
    ///
    /// # Errors
    /// If it is no SmartModule or does not start.
    pub fn start(name: &str, wasm: &[u8]) -> Result<Self, CheckError> {
        let engine = Engine::start().map_err(CheckError::Engine)?;
        Self::start_in(&engine, name, wasm, SmartModuleExtraParams::default())
    }

    fn start_in(
        engine: &Engine,
        name: &str,
        wasm: &[u8],
        params: SmartModuleExtraParams,
    ) -> Result<Self, CheckError> {
        let config = ModuleConfig {
            name,
            wasm,
            params,
            accumulator: Vec::new(),
            version: COMMON_VERSION,
        };
        let chain = Chain::of(engine, &[config], MEMORY_BYTES_MAX);
        let refused = |error: EngineError| CheckError::Refused {
            name: name.to_owned(),
            reason: error.to_string(),
        };
        Ok(Self {
            chain: chain.map_err(refused)?,
        })
    }

    /// Runs a stored batch: from its records, not compressed, with their count in front, to the
    /// records of the response, likewise.
    ///
    /// # Errors
    /// As the client gets it, if the module fails.
    pub fn process(&mut self, base_offset: i64, records: Bytes) -> Result<Bytes, ErrorCode> {
        let input = Input {
            base_offset,
            last_offset_delta: 0,
            leader_epoch: 0,
            first_timestamp: 0,
            records,
        };
        let output = self.chain.process([Ok(input)].into_iter(), usize::MAX)?;
        match output.error {
            Some(error) => Err(ErrorCode::SmartModuleRuntimeError(Box::new(error))),
            None => Ok(output.batch.own_records().0),
        }
    }

    /// Runs a stored batch of records that have no key: from their values to those of the outputs.
    ///
    /// # Errors
    /// As [`Rehearsal::process`].
    pub fn outputs(&mut self, base_offset: i64, values: &[&[u8]]) -> Result<Vec<Bytes>, ErrorCode> {
        let unusable = |error: std::io::Error| ErrorCode::Other(error.to_string());
        let records: Vec<_> = (0..)
            .zip(values)
            .map(|(delta, value)| {
                let mut record = Record::new(value.to_vec());
                record.preamble.set_offset_delta(delta);
                record
            })
            .collect();
        let mut encoded = Vec::new();
        records
            .encode(&mut encoded, COMMON_VERSION)
            .map_err(unusable)?;
        let outputs = self.process(base_offset, encoded.into())?;
        if outputs.is_empty() {
            return Ok(Vec::new());
        }
        let mut outputs = outputs.as_ref();
        let outputs = Vec::<Record>::decode_from(&mut outputs, COMMON_VERSION).map_err(unusable)?;
        Ok(outputs
            .into_iter()
            .map(|record| Bytes::copy_from_slice(record.value().as_ref()))
            .collect())
    }
}
