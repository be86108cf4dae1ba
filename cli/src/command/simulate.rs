//! `bikeshare simulate`: the simulated city as a trip file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use crate::output::say;
use anyhow::{Context, Result};
use clap::Args;
use trip_files::SimulateConfig;
use trip_files::simulate::write_csv;

/// Write the trips of a simulated city to a CSV file, in Citi Bike's format.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare simulate --out city.csv
  bikeshare simulate --out big.csv --city trips=1000000,days=14
  bikeshare simulate --out dirty.csv --city seed=3,trips=5000,dirty=0.01

The same parameters give the same bytes. Parameters: seed, trips, days, start, stations, bikes,
dirty (share of broken rows).")]
pub(crate) struct Arguments {
    /// The file to write; an existing one is replaced.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The city's parameters.
    #[arg(long, value_name = "KEY=VALUE,…", default_value = "")]
    city: SimulateConfig,
}

/// Runs the subcommand.
///
/// # Errors
/// If the file cannot be written or the parameters make no city.
pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let path = &arguments.out;
    let file = File::create(path).with_context(|| format!("could not create {path:?}"))?;
    let mut out = BufWriter::new(file);
    let rows = write_csv(&arguments.city, &mut out)?;
    out.flush()
        .with_context(|| format!("could not write {path:?}"))?;
    say!("{rows} rows in {}", path.display());
    Ok(())
}
