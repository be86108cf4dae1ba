//! How fast the producer reads: a month as CSV, and the same month as `bikeshare prepare` wrote it.
//!
//! Both in turn, from the first byte to rows in order, ready to be sent, with nothing sent: `bikeshare
//! prepare` without a target. Start with `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use testkit::{Figure, median};

/// Each way is measured this many times; the median counts.
const ROUNDS: usize = 5;

const TRIPS: u64 = 1_000_000;

fn main() -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("bikeshare-bench-")
        .tempdir()?;
    let csv = folder.path().join("202606-trips.csv");
    let prepared = folder.path().join("prepared");
    let city = format!("trips={TRIPS},days=29");
    bikeshare(&["simulate", "--city", &city, "--out"], &csv, &[])?;
    let to = prepared.to_str().context("the folder's name is a text")?;
    bikeshare(&["prepare", "--source"], &csv, &["--to", to])?;

    let (mut from_csv, mut from_prepared) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        from_csv.push(read(&csv)?);
        from_prepared.push(read(&prepared)?);
    }
    let (csv_s, prepared_s) = (median(&from_csv), median(&from_prepared));
    for (name, seconds) in [("CSV", &from_csv), ("prepared Parquet", &from_prepared)] {
        let rates = seconds.iter().map(|seconds| TRIPS as f64 / seconds);
        Figure::new("read", name, "trips/s", rates.collect())
            .of(TRIPS)
            .record();
    }
    println!("{TRIPS} trips, median of {ROUNDS} rounds, read and ordered, none sent");
    println!("  CSV:              {}", rate(csv_s));
    println!("  prepared Parquet: {}", rate(prepared_s));
    println!("  times as fast:    {:.1}", csv_s / prepared_s);
    Ok(())
}

/// Reads everything in the place; gives the seconds that took.
fn read(source: &Path) -> Result<f64> {
    let stdout = bikeshare(&["prepare", "--source"], source, &[])?;
    let last = stdout.lines().last().context("prepare printed nothing")?;
    let counts: serde_json::Value = serde_json::from_str(last)?;
    ensure!(counts["written"] == TRIPS, "not all were read: {counts}");
    counts["wall_s"].as_f64().context("wall_s is a number")
}

fn bikeshare(before: &[&str], path: &Path, behind: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(before)
        .arg(path)
        .args(behind)
        .args(["--log", "warn"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn rate(seconds: f64) -> String {
    format!("{seconds:.2} s, {:.0} trips/s", TRIPS as f64 / seconds)
}
