//! Reads the extract, writes the file and says what is in it.

use std::fs::{self, File};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use basemap::{CityMap, Extent, Point};
use indicatif::{ProgressBar, ProgressStyle};
use osm::{Built, Pass, Progress};
use serde::Serialize;

use super::{Bbox, BuildArguments};
use crate::output::say;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What is in the file, as one line of JSON.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    file: &'a Path,
    nodes_read: u64,
    ways_read: u64,
    relations_read: u64,
    /// Names of streets.
    streets: usize,
    house_numbers: usize,
    /// Those without a digit at their beginning, which the search does not know.
    house_numbers_not_read: u64,
    corners: usize,
    /// Names of places, waters and parks.
    names: usize,
    /// Bytes that each browser fetches, before compression.
    drawn_bytes: usize,
    /// Bytes that only the server reads.
    searched_bytes: usize,
    wall_s: f64,
}

/// Runs the subcommand.
pub(super) fn build(arguments: BuildArguments) -> Result<()> {
    let started = Instant::now();
    let to = arguments.to.unwrap_or_else(|| usual_name(&arguments.osm));
    ensure!(
        !is_same_file(&to, &arguments.osm),
        "--to {to:?} is the extract itself: name another file"
    );
    let mut display = Display::start();
    let built = osm::build(
        &arguments.osm,
        arguments.bbox.map(extent),
        &mut |progress| {
            display.show(progress);
        },
    );
    display.bar.finish_and_clear();
    let built = built.context("could not make a base map")?;
    let file = built.city_map.encode();
    write(&to, &file).with_context(|| format!("could not write {to:?}"))?;
    let outcome = Outcome::of(&built, &file, (&to, started.elapsed()))?;
    say!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// `/data/oslo.osm.pbf` → `oslo.basemap`.
fn usual_name(extract: &Path) -> PathBuf {
    let name = extract.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".pbf").unwrap_or(&name);
    let name = name.strip_suffix(".osm").unwrap_or(name);
    PathBuf::from(format!("{name}.basemap"))
}

fn extent(bbox: Bbox) -> Extent {
    let point = |lat, lon| Point::from_degrees(lat, lon).expect("a box is on Earth");
    Extent {
        min: point(bbox.south, bbox.west),
        max: point(bbox.north, bbox.east),
    }
}

/// Whether two paths lead to one file that is there.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(a).is_some_and(|a| Some(a) == real(b))
}

/// Writes beside the file, then puts the new one in its place: whoever reads it has the old or the new.
fn write(to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = to.as_os_str().to_owned();
    beside.push(".part");
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, to));
    if written.is_err() {
        // Half a map is of no use; where it cannot be removed the first error says what is wrong.
        fs::remove_file(&beside).ok();
    }
    written
}

impl<'a> Outcome<'a> {
    fn of(built: &Built, file: &[u8], (to, took): (&'a Path, Duration)) -> Result<Self> {
        let (drawn, searched) = CityMap::parts(file)?;
        let CityMap {
            base_map,
            addresses,
        } = &built.city_map;
        let numbers = addresses.streets.iter().map(|street| street.numbers.len());
        Ok(Self {
            file: to,
            nodes_read: built.read.nodes,
            ways_read: built.read.ways,
            relations_read: built.read.relations,
            streets: addresses.streets.len(),
            house_numbers: numbers.sum(),
            house_numbers_not_read: built.numbers_not_read,
            corners: addresses.corners.len(),
            names: base_map.names.len(),
            drawn_bytes: drawn.len(),
            searched_bytes: searched.len(),
            wall_s: (took.as_secs_f64() * 1000.0).round() / 1000.0,
        })
    }
}

/// A bar on a terminal, a line now and then elsewhere.
struct Display {
    bar: ProgressBar,
    printed: Instant,
}

impl Display {
    fn start() -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}  {msg}");
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new(0),
            false => ProgressBar::hidden(),
        };
        bar.set_style(style.expect("the template is constant"));
        Self {
            bar,
            printed: Instant::now(),
        }
    }

    fn show(&mut self, progress: Progress) {
        let Progress {
            pass,
            bytes,
            bytes_total,
        } = progress;
        // An extract is read once for each pass.
        let (text, before) = match pass {
            Pass::Areas => ("looking for areas", 0),
            Pass::Ways => ("reading streets and buildings", bytes_total),
            Pass::Nodes => ("reading where they are", 2 * bytes_total),
        };
        self.bar.set_length(3 * bytes_total);
        self.bar.set_message(text);
        self.bar.set_position(before + bytes);
        if self.bar.is_hidden() && self.printed.elapsed() >= LINE_EVERY {
            self.printed = Instant::now();
            let (done, total) = (bytes / 1_000_000, bytes_total / 1_000_000);
            tracing::info!("{text}: {done} of {total} MB");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_the_file_has_that_of_the_extract() {
        for (extract, file) in [
            ("/data/oslo.osm.pbf", "oslo.basemap"),
            ("oslo.pbf", "oslo.basemap"),
            ("oslo", "oslo.basemap"),
        ] {
            assert_eq!(usual_name(Path::new(extract)), Path::new(file));
        }
    }
}
