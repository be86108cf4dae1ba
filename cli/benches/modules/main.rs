//! What a trip costs inside the broker: each SmartModule in the embedded broker's engine and in the
//! SPU's, beside the same rule compiled for this machine.
//!
//! The engine's part is everything a broker does with a stored batch: the records go into the
//! module's memory, are read there, and its outputs come out again, as the response has them. All
//! three in turn, batch by batch of the same trips. Start with `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use domain::record::WindowState;
use domain::window::WindowConfig;
use domain::{Body, Record, Rider, Station, Trip, Windows};
use embedded_broker::smartmodule::Rehearsal;
use fluvio_protocol::Encoder;
use fluvio_protocol::record::Record as FluvioRecord;
use fluvio_smartengine::{
    DEFAULT_SMARTENGINE_VERSION, SmartEngine, SmartModuleChainBuilder, SmartModuleChainInstance,
    SmartModuleConfig,
};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use testkit::{Figure, median, smartmodule};

/// Each way is measured this many times; the median counts.
const ROUNDS: usize = 5;

const TRIPS: usize = 100_000;

/// About what a batch of the producer holds.
const BATCH_TRIPS: usize = 180;

fn main() -> Result<()> {
    let trips: Vec<_> = (0..TRIPS).map(|seq| record(seq).to_json()).collect();
    let bytes: usize = trips.iter().map(Vec::len).sum();
    println!(
        "{TRIPS} trips of {} bytes, in batches of {BATCH_TRIPS}, median of {ROUNDS} rounds",
        bytes / TRIPS
    );
    measure("trip-split", &trips, native_split)?;
    measure("dock-window", &trips, native_windows)
}

fn measure(module: &str, trips: &[Vec<u8>], native: fn(&[Vec<u8>]) -> usize) -> Result<()> {
    let wasm = smartmodule(module);
    let batches = batches(trips)?;
    let (mut natively, mut embedded, mut spu) = (Vec::new(), Vec::new(), Vec::new());
    let (mut embedded_starts, mut spu_starts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let expected = timed(&mut natively, || native(trips))?;
        let mut rehearsal = started(&mut embedded_starts, || Rehearsal::start(module, &wasm))?;
        let outputs = timed(&mut embedded, || run_embedded(&mut rehearsal, &batches))??;
        ensure!(outputs == expected, "{outputs} outputs, not {expected}");
        let mut chain = started(&mut spu_starts, || chain(module, &wasm))?;
        let outputs = timed(&mut spu, || run_spu(&mut chain, &batches))??;
        ensure!(outputs == expected, "{outputs} outputs, not {expected}");
    }
    keep(&format!("{module}, natively"), &natively);
    keep(&format!("{module}, embedded broker"), &embedded);
    keep(&format!("{module}, SPU's engine"), &spu);
    let natively = median(&natively);
    println!(
        "  {module:<12} natively {:>5.0} ns a trip",
        nanoseconds(natively)
    );
    for (engine, runs, starts) in [
        ("embedded broker", &embedded, &embedded_starts),
        ("SPU", &spu, &spu_starts),
    ] {
        let run = median(runs);
        println!(
            "  {:<12} {engine:<15} {:>5.0} ns a trip, {:.1} times native; compiles in {:.0} ms",
            "",
            nanoseconds(run),
            run / natively,
            1e3 * median(starts),
        );
    }
    Ok(())
}

fn keep(name: &str, seconds: &[f64]) {
    let rounds = seconds.iter().copied().map(nanoseconds).collect();
    Figure::new("modules", name, "ns a trip", rounds).record();
}

/// Runs; adds the seconds for which this thread had a core: what else the machine does then counts
/// little.
fn timed<T>(seconds: &mut Vec<f64>, run: impl FnOnce() -> T) -> Result<T> {
    let started = cpu_seconds()?;
    let result = black_box(run());
    seconds.push(cpu_seconds()? - started);
    Ok(result)
}

fn cpu_seconds() -> Result<f64> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = statistics.split(' ').next().context("it has numbers")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

/// Starts a module; adds the seconds of compiling it, on as many cores as the engine takes.
fn started<T>(seconds: &mut Vec<f64>, start: impl FnOnce() -> T) -> T {
    let before = Instant::now();
    let module = start();
    seconds.push(before.elapsed().as_secs_f64());
    module
}

fn nanoseconds(seconds: f64) -> f64 {
    1e9 * seconds / TRIPS as f64
}

fn chain(module: &str, wasm: &[u8]) -> Result<SmartModuleChainInstance> {
    let config = SmartModuleConfig::builder()
        .smartmodule_names(vec![module.to_owned()])
        .build()?;
    SmartModuleChainBuilder::from((config, wasm.to_vec())).initialize(&SmartEngine::new())
}

/// What the broker has stored: base offset and records.
fn batches(trips: &[Vec<u8>]) -> Result<Vec<(i64, Bytes)>> {
    let batches = (0..).step_by(BATCH_TRIPS).zip(trips.chunks(BATCH_TRIPS));
    let batches = batches.map(|(base_offset, batch)| {
        let records = batch.iter().zip(0..).map(|(value, delta)| {
            let mut record = FluvioRecord::new(value.clone());
            record.preamble.set_offset_delta(delta);
            record
        });
        let records: Vec<_> = records.collect();
        Ok((base_offset, records.as_bytes(0)?))
    });
    batches.collect()
}

/// Gives the number of outputs.
fn run_embedded(rehearsal: &mut Rehearsal, batches: &[(i64, Bytes)]) -> Result<usize> {
    let mut outputs = 0;
    for (base_offset, records) in batches {
        let response = rehearsal.process(*base_offset, records.clone())?;
        if let Some(count) = response.first_chunk() {
            outputs += usize::try_from(i32::from_be_bytes(*count))?;
        }
    }
    Ok(outputs)
}

/// Gives the number of outputs, encoded as a response has them.
fn run_spu(chain: &mut SmartModuleChainInstance, batches: &[(i64, Bytes)]) -> Result<usize> {
    let mut outputs = 0;
    for (base_offset, records) in batches {
        let input = SmartModuleInput::new(records.to_vec(), *base_offset, 0);
        let successes = chain.process(input)?.successes;
        black_box(successes.as_bytes(DEFAULT_SMARTENGINE_VERSION)?);
        outputs += successes.len();
    }
    Ok(outputs)
}

fn native_split(trips: &[Vec<u8>]) -> usize {
    let (mut outputs, mut bytes) = (0, Vec::new());
    for (offset, trip) in (0..).zip(trips) {
        bytes.clear();
        domain::split_json(offset, trip, &mut |pieces| {
            pieces
                .iter()
                .for_each(|piece| bytes.extend_from_slice(piece));
            outputs += 1;
        });
        black_box(&bytes);
    }
    outputs
}

fn native_windows(trips: &[Vec<u8>]) -> usize {
    let mut windows = Windows::resume(WindowConfig::default(), 0, WindowState::default(), []);
    let outputs = (0..)
        .zip(trips)
        .filter_map(|(offset, trip)| Some(windows.push(offset, trip)?.to_json()));
    outputs.count()
}

/// A trip like those of a busy day: some two in a second.
fn record(seq: usize) -> Record {
    let departed_at = DateTime::<Utc>::UNIX_EPOCH
        + TimeDelta::days(20_000)
        + TimeDelta::milliseconds(seq as i64 * 437);
    Record {
        source: "202406-citibike-tripdata.csv#90fb3a1a6e5cd2b1".to_owned(),
        seq: seq as u64,
        body: Body::Trip(Trip {
            bike_id: Some((14_000 + seq % 3_000).to_string()),
            departed_at,
            from: station(seq * 7),
            arrived_at: departed_at + TimeDelta::milliseconds(389_213),
            to: station(seq * 11),
            rider: Some(Rider::Member),
            bike_kind: None,
        }),
    }
}

fn station(number: usize) -> Station {
    let number = number % 800;
    Station {
        station_id: format!("{}.{:02}", 4_000 + number, number % 100),
        street: format!("{} Ave & W {} St", number % 11 + 1, number),
        lat: 40.7 + number as f64 * 0.000_131_3,
        lon: -74.0 - number as f64 * 0.000_097_7,
    }
}
