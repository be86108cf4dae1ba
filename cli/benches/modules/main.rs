//! What a trip costs inside the broker: each SmartModule in the SPU's engine, beside the same rule
//! compiled for this machine.
//!
//! The engine's part is everything an SPU does with a batch: the batch goes into the module's
//! memory, is decoded there, and its outputs come out again. Start with `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::record::WindowState;
use domain::window::WindowConfig;
use domain::{Body, Record, Rider, Station, Trip, Windows};
use fluvio_protocol::record::Record as FluvioRecord;
use fluvio_smartengine::{
    DEFAULT_SMARTENGINE_VERSION, SmartEngine, SmartModuleChainBuilder, SmartModuleChainInstance,
    SmartModuleConfig,
};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use testkit::{median, smartmodule};

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
    let mut starts = Vec::new();
    let mut in_engine = Vec::new();
    let mut natively = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let expected = black_box(native(trips));
        natively.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let mut chain = chain(module)?;
        starts.push(started.elapsed().as_secs_f64());
        let batches = batches(trips)?;
        let started = Instant::now();
        let outputs = run(&mut chain, batches)?;
        in_engine.push(started.elapsed().as_secs_f64());
        ensure!(outputs == expected, "{outputs} outputs, not {expected}");
    }
    let (in_engine, natively) = (median(&in_engine), median(&natively));
    let nanoseconds = |seconds: f64| 1e9 * seconds / TRIPS as f64;
    println!(
        "  {module:<12} {:>5.0} ns a trip in the engine, {:>5.0} ns natively: {:.1} times; starts in {:.0} ms",
        nanoseconds(in_engine),
        nanoseconds(natively),
        in_engine / natively,
        1e3 * median(&starts),
    );
    Ok(())
}

fn chain(module: &str) -> Result<SmartModuleChainInstance> {
    let config = SmartModuleConfig::builder()
        .smartmodule_names(vec![module.to_owned()])
        .build()?;
    SmartModuleChainBuilder::from((config, smartmodule(module))).initialize(&SmartEngine::new())
}

/// What the broker has stored, as it hands it to the engine.
fn batches(trips: &[Vec<u8>]) -> Result<Vec<SmartModuleInput>> {
    let mut offset = 0;
    let batches = trips.chunks(BATCH_TRIPS).map(|batch| {
        let records = batch.iter().zip(0..).map(|(value, delta)| {
            let mut record = FluvioRecord::new(value.clone());
            record.preamble.set_offset_delta(delta);
            record
        });
        let mut input =
            SmartModuleInput::try_from_records(records.collect(), DEFAULT_SMARTENGINE_VERSION)?;
        input.set_base_offset(offset);
        offset += i64::try_from(batch.len())?;
        Ok(input)
    });
    batches.collect()
}

/// Gives the number of outputs.
fn run(chain: &mut SmartModuleChainInstance, batches: Vec<SmartModuleInput>) -> Result<usize> {
    let mut outputs = 0;
    for batch in batches {
        outputs += chain.process(batch)?.successes.len();
    }
    Ok(outputs)
}

fn native_split(trips: &[Vec<u8>]) -> usize {
    let outputs = (0..)
        .zip(trips)
        .flat_map(|(offset, trip)| domain::split_json(offset, trip));
    outputs.map(black_box).count()
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
