//! Tries a module before it is stored: it runs over records that may stand in any topic.

use fluvio_protocol::Encoder;
use fluvio_protocol::record::Record;
use fluvio_smartmodule::dataplane::smartmodule::{Lookback, SmartModuleExtraParams};
use fluvio_spu_schema::COMMON_VERSION;
use wasmtime::Module;

use super::Engine;
use super::config::ModuleConfig;
use super::error::EngineError;
use super::input::InputHead;
use super::runner::Runner;

/// Memory a module may take for the sample. Chosen: a quarter of what a stream's may.
const MEMORY_BYTES_MAX: usize = 256 << 20;

const HEAD: InputHead = InputHead {
    base_offset: 1_000,
    first_timestamp: 1_700_000_000_000,
};

/// Runs a module over the sample.
///
/// A module may say that it fails, for it gets no parameters and records that are not its own.
pub(super) fn run(engine: &Engine, name: &str, module: &Module) -> Result<(), EngineError> {
    let sample = encode(&sample())?;
    let config = ModuleConfig {
        name,
        wasm: &[],
        params: SmartModuleExtraParams::new(Default::default(), Some(Lookback::last(1))),
        accumulator: Vec::new(),
        version: COMMON_VERSION,
    };
    let mut runner = Runner::new(engine, MEMORY_BYTES_MAX);
    match runner.add(module, &config) {
        // It wants parameters: there is nothing to run.
        Err(EngineError::Returned(_)) => return Ok(()),
        started => started?,
    }
    may_refuse(runner.look_back(|_| Ok(sample.clone())))?;
    for records in [encode(&[])?, sample] {
        may_refuse(runner.process(&HEAD, &records).map(drop))?;
    }
    Ok(())
}

fn may_refuse(done: Result<(), EngineError>) -> Result<(), EngineError> {
    match done {
        Err(EngineError::Returned(_)) => Ok(()),
        done => done,
    }
}

/// Nothing, text, numbers, JSON, bytes; with and without a key.
fn sample() -> [Record; 6] {
    let mut sample = [
        Record::new(""),
        Record::new("some text"),
        Record::new("42"),
        Record::new("{}"),
        Record::new([0_u8, 0xff, 0x80]),
        Record::new_key_value("key", r#"{"key":"value","list":[1,2.5,null]}"#),
    ];
    for (record, delta) in sample.iter_mut().zip(0..) {
        record.preamble.set_offset_delta(delta);
    }
    sample
}

fn encode(records: &[Record]) -> Result<Vec<u8>, EngineError> {
    let mut encoded = Vec::new();
    let records = records.to_vec();
    records
        .encode(&mut encoded, COMMON_VERSION)
        .map_err(|error| EngineError::invalid(error.to_string()))?;
    Ok(encoded)
}
