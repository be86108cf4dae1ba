//! `bikeshare basemap`: the map and the addresses of a city of one's own.
//!
//! What reads OpenStreetMap's format has its code made by a compiler of its own, 40 s of CPU, so it is a
//! feature, `osm`, of this program: `cargo xtask up` leaves it out, every other build has it. The flags
//! are there in both.

#[cfg(feature = "osm")]
mod build;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Make the map and the addresses of a city of your own, from OpenStreetMap.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare basemap build --osm city.osm.pbf
  bikeshare basemap build --osm norway.osm.pbf --bbox 10.60,59.82,10.95,60.00 --to oslo.basemap
  bikeshare up --base-map oslo.basemap")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(BuildArguments),
}

/// Read an extract of OpenStreetMap, and write a file for `--base-map`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare basemap build --osm city.osm.pbf
  bikeshare basemap build --osm norway.osm.pbf --bbox 10.60,59.82,10.95,60.00 --to oslo.basemap

Extracts are made by others, such as download.geofabrik.de, download.bbbike.org or, by hand, osmium
extract. What comes of one: land and water, parks, streets with their names, the names of places; and
for the search house numbers and corners. The last line says as JSON what is in the file, and how many
bytes each browser fetches of it (before compression) and how many stay on the server.

The data are OpenStreetMap's, under the ODbL; the page names its contributors, as that asks.")]
pub(crate) struct BuildArguments {
    /// The extract, a file in PBF.
    #[arg(long, value_name = "FILE")]
    osm: PathBuf,
    /// The part of it that is wanted, in degrees; without it, all that the extract says to show.
    #[arg(long, value_name = "WEST,SOUTH,EAST,NORTH", allow_hyphen_values = true)]
    bbox: Option<Bbox>,
    /// The file to write; an existing one is replaced. Without it, the extract's name with .basemap, in
    /// the current folder.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// A box in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bbox {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl FromStr for Bbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|it| it.trim().parse()).collect();
        let Ok([west, south, east, north]) = numbers.as_deref() else {
            return Err("it must be four numbers, such as 10.60,59.82,10.95,60.00".to_owned());
        };
        let is_on_earth = west.abs() <= 180.0 && south.abs() <= 90.0;
        let is_box = west < east && south < north && *east <= 180.0 && *north <= 90.0;
        let bbox = Self {
            west: *west,
            south: *south,
            east: *east,
            north: *north,
        };
        (is_on_earth && is_box).then_some(bbox).ok_or_else(|| {
            "west must be less than east and south less than north, in degrees".to_owned()
        })
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If the extract cannot be read or the file not be written.
pub(crate) fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Build(arguments) => build(arguments),
    }
}

#[cfg(feature = "osm")]
use build::build;

#[cfg(not(feature = "osm"))]
fn build(_arguments: BuildArguments) -> Result<()> {
    anyhow::bail!(
        "this build cannot read extracts of OpenStreetMap: `cargo build --release --package cli` makes \
         one that can"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let seen = match text.parse::<Bbox>() {
            Ok(bbox) => format!("{bbox:?}"),
            Err(error) => error,
        };
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn a_box_is_west_south_east_north() {
        check(
            "-10.6, 59.82,10.95,60",
            "Bbox { west: -10.6, south: 59.82, east: 10.95, north: 60.0 }",
        );
        let four = "it must be four numbers, such as 10.60,59.82,10.95,60.00";
        check("10,59", four);
        check("10,59,11,north", four);
        let ordered = "west must be less than east and south less than north, in degrees";
        for text in [
            "11,59,10,60",
            "10,60,11,59",
            "10,59,11,91",
            "NaN,59,11,60",
            "10,59,inf,60",
        ] {
            check(text, ordered);
        }
    }
}
