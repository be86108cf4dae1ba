//! What a trip costs in this engine and in the real SPU's. A measurement:
//!
//! `cargo xtask wasm && cargo test --profile quick -p embedded-broker --lib speed -- --ignored --nocapture`

use std::time::Instant;

use fluvio_protocol::Encoder;
use fluvio_protocol::record::Record;
use fluvio_smartengine::{SmartEngine, SmartModuleChainBuilder, SmartModuleConfig};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use testkit::smartmodule;

use crate::engine::{Engine, InputHead, ModuleConfig, Runner};

const BATCHES: usize = 400;
/// About what a batch of the producer holds.
pub(super) const BATCH_TRIPS: usize = 180;
const ROUNDS: usize = 5;
const MEMORY_BYTES_MAX: usize = 1 << 30;

fn trip(seq: usize) -> String {
    let (minute, second) = (seq / 60 % 60, seq % 60);
    let (day, hour) = (1 + seq / 86_400 % 28, seq / 3600 % 24);
    format!(
        r#"{{"source":"city.csv#5f0c2a9b1d3e4f60","seq":{seq},"trip":{{"bike_id":"{}","departed_at":"2020-03-{day:02}T{hour:02}:{minute:02}:{second:02}Z","from":{{"station_id":"3202","street":"Newport PATH","lat":40.7272235,"lon":-74.0337589}},"arrived_at":"2020-03-02T05:20:36.088Z","to":{{"station_id":"3203","street":"Hamilton Park","lat":40.727595966,"lon":-74.044247311}},"rider":"member"}}}}"#,
        42_000 + seq % 1_000
    )
}

/// The records of a stored batch.
pub(super) fn batch(number: usize) -> Vec<u8> {
    let values = (0..BATCH_TRIPS).map(|index| trip(number * BATCH_TRIPS + index));
    let mut records: Vec<_> = values.map(Record::new).collect();
    for (record, delta) in records.iter_mut().zip(0..) {
        record.preamble.set_offset_delta(delta);
    }
    records.as_bytes(0).unwrap().to_vec()
}

/// Nanoseconds a trip, outputs encoded for the client, and milliseconds of the start.
fn ours(engine: &Engine, wasm: &[u8], batches: &[Vec<u8>]) -> (f64, f64) {
    let config = ModuleConfig {
        name: "module",
        wasm,
        params: Default::default(),
        accumulator: Vec::new(),
        version: 25,
    };
    let started = Instant::now();
    let mut runner = Runner::start(engine, &[config], MEMORY_BYTES_MAX).unwrap();
    let start = started.elapsed();
    let started = Instant::now();
    let mut encoded = Vec::new();
    for (batch, base_offset) in batches.iter().zip((0..).step_by(BATCH_TRIPS)) {
        let head = InputHead {
            base_offset,
            first_timestamp: 0,
        };
        encoded.clear();
        for record in runner.process(&head, batch).unwrap().records {
            record.encode(0, &mut encoded);
        }
    }
    figures(started.elapsed(), start)
}

fn spu(wasm: &[u8], batches: &[Vec<u8>]) -> (f64, f64) {
    let config = SmartModuleConfig::builder()
        .smartmodule_names(vec!["module".to_owned()])
        .version(25_i16)
        .build()
        .unwrap();
    let started = Instant::now();
    let chain = SmartModuleChainBuilder::from((config, wasm.to_vec()));
    let mut chain = chain.initialize(&SmartEngine::new()).unwrap();
    let start = started.elapsed();
    let started = Instant::now();
    for (batch, base_offset) in batches.iter().zip((0..).step_by(BATCH_TRIPS)) {
        let input = SmartModuleInput::new(batch.clone(), base_offset, 0);
        let output = chain.process(input).unwrap();
        let mut encoded = Vec::new();
        for record in &output.successes {
            encode_record(record, &mut encoded).unwrap();
        }
    }
    figures(started.elapsed(), start)
}

/// Encodes a record as this broker did for the SPU's engine: without the protocol crate's encoder,
/// which goes through keys and values byte by byte.
fn encode_record(record: &Record, into: &mut Vec<u8>) -> std::io::Result<()> {
    use fluvio_protocol::EncoderVarInt;

    let mut front = Vec::with_capacity(32);
    record.preamble.encode(&mut front, 0)?;
    record.key.is_some().encode(&mut front, 0)?;
    let key = record.key.as_ref().map(AsRef::<[u8]>::as_ref);
    if let Some(key) = key {
        varint(key.len()).encode_varint(&mut front)?;
        front.extend_from_slice(key);
    }
    let value: &[u8] = record.value.as_ref();
    varint(value.len()).encode_varint(&mut front)?;

    let length = front.len() + value.len() + record.headers.var_write_size();
    varint(length).encode_varint(into)?;
    into.extend_from_slice(&front);
    into.extend_from_slice(value);
    record.headers.encode_varint(into)
}

fn varint(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn figures(run: std::time::Duration, start: std::time::Duration) -> (f64, f64) {
    let trips = (BATCHES * BATCH_TRIPS) as f64;
    (1e9 * run.as_secs_f64() / trips, 1e3 * start.as_secs_f64())
}

#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn what_a_trip_costs() {
    let batches: Vec<_> = (0..BATCHES).map(batch).collect();
    for module in ["trip-split", "dock-window"] {
        let wasm = smartmodule(module);
        let engine = Engine::start().unwrap();
        for _ in 0..ROUNDS {
            let (our_run, our_start) = ours(&engine, &wasm, &batches);
            let (spu_run, spu_start) = spu(&wasm, &batches);
            println!(
                "{module}: {our_run:.0} ns a trip, start {our_start:.0} ms; \
                 fluvio-smartengine {spu_run:.0} ns, start {spu_start:.0} ms"
            );
        }
    }
}

/// One function as large as it may be, with many values that live long across many branches.
fn laborious(functions: usize) -> Vec<u8> {
    const LOCALS: usize = 1_000;
    let mut body = String::new();
    for step in 0..4_500 {
        let (a, b, c) = (step % LOCALS, step * 7 % LOCALS, step * 13 % LOCALS);
        body.push_str(&format!(
            "(local.set {a} (i32.add (local.get {b}) (local.get {c}))) (br_if $again (local.get {a}))\n"
        ));
    }
    let function = format!(
        "(func {} (loop $again {body}))",
        "(local i32)".repeat(LOCALS)
    );
    wat::parse_str(format!("(module {})", function.repeat(functions))).unwrap()
}

#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn what_compiling_costs_at_most() {
    for functions in [1, 2, 8] {
        let wasm = laborious(functions);
        let started = Instant::now();
        let refused = Engine::start().unwrap().check("laborious", &wasm);
        println!(
            "{} bytes: {:.1?}, {:?}",
            wasm.len(),
            started.elapsed(),
            refused.map_err(|error| error.to_string())
        );
    }
}
