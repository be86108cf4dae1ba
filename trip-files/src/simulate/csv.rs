//! The city as a trip file.

use std::io::{self, Write};

use super::city::City;
use super::config::{SimulateConfig, SimulateError};
use super::csv_row::{HEADER, write_row};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteCsvError {
    /// The parameters make no city.
    #[error("cannot simulate a city")]
    Simulate(#[from] SimulateError),
    /// The file could not be written.
    #[error("cannot write the trip file")]
    Write(#[from] io::Error),
}

/// Writes the city's trips as a trip file with the legacy header; gives the number of rows.
///
/// Read back, the file gives the trips that the city itself gives.
///
/// # Errors
/// [`WriteCsvError`] if the parameters make no city or `out` cannot be written.
pub fn write_csv(config: &SimulateConfig, out: &mut impl Write) -> Result<u64, WriteCsvError> {
    let mut city = City::new(config)?;
    let mut row = String::new();
    writeln!(out, "{HEADER}")?;
    while let Some(ride) = city.next_ride() {
        row.clear();
        write_row(&mut row, &ride, &city.map);
        match city.dirt.kind() {
            Some(kind) => writeln!(out, "{}", kind.spoil(&row))?,
            None => writeln!(out, "{row}")?,
        }
    }
    out.flush()?;
    Ok(city.made)
}
