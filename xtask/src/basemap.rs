//! `cargo xtask basemap`: prepares New York's base map anew, from data in `PyPI`'s packages.
//!
//! Its result is in the repository; run it only to change what the map shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use basemap::{Attribution, BaseMap, Extent, Name, NameKind, Point, Ring};
use serde_json::Value;

use crate::{browser_client, shell, workspace};

/// Where the result stays, from the workspace's root.
const FILE: &str = "basemap/new-york.basemap";

/// Who made what it is prepared from; shown on the map.
const ATTRIBUTION: &str = "Land: NYC Planning, GSHHG";

/// Prepares, encodes, writes and prints the sizes.
///
/// # Errors
/// If Python or a package cannot be had, or what it prepares is no base map.
pub(crate) fn run() -> Result<()> {
    let geojson = prepare(&workspace::root().join("basemap/prepare"))?;
    let geojson = serde_json::from_slice(&geojson).context("what was prepared is no JSON")?;
    let file = read(&geojson)?.encode();
    workspace::write_if_changed(&workspace::root().join(FILE), &file)?;
    let small = browser_client::brotli_of(&file)?.len();
    println!("{FILE}: {} bytes, {small} brotli", file.len());
    Ok(())
}

/// Runs the script with its packages, which are put into a folder of their own.
fn prepare(folder: &Path) -> Result<Vec<u8>> {
    let environment: PathBuf = workspace::target()?.join("basemap");
    shell::run(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    )?;
    let python = environment.join("bin/python");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--requirement"]);
    shell::run(install.arg(folder.join("requirements.txt")))?;
    let mut script = Command::new(&python);
    let output = script
        .arg(folder.join("new_york.py"))
        .stderr(Stdio::inherit())
        .output()
        .context("could not run python")?;
    if !output.status.success() {
        bail!("new_york.py failed with {}", output.status);
    }
    Ok(output.stdout)
}

/// `GeoJSON`, a feature for each kind of ground and each name; its `bbox` is what is drawn finely.
fn read(collection: &Value) -> Result<BaseMap> {
    let bbox = numbers(&collection["bbox"])?;
    let [west, south, east, north] = bbox[..] else {
        bail!("\"bbox\" has {} numbers", bbox.len());
    };
    let mut base_map = BaseMap {
        detail: Extent {
            min: point(&[west, south])?,
            max: point(&[east, north])?,
        },
        attribution: Attribution {
            text: ATTRIBUTION.to_owned(),
            url: String::new(),
        },
        land: Vec::new(),
        parks: Vec::new(),
        streets: Vec::new(),
        names: Vec::new(),
    };
    for feature in items(&collection["features"]) {
        let place = &feature["geometry"]["coordinates"];
        let kind = feature["properties"]["kind"].as_str().unwrap_or_default();
        match kind {
            "land" => base_map.land.extend(rings(place)?),
            "park-ground" => base_map.parks.extend(rings(place)?),
            _ => base_map.names.push(Name {
                kind: name_kind(kind)?,
                text: feature["properties"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                at: point(&numbers(place)?)?,
            }),
        }
    }
    Ok(base_map)
}

fn name_kind(kind: &str) -> Result<NameKind> {
    Ok(match kind {
        "area" => NameKind::Area,
        "town" => NameKind::Town,
        "water" => NameKind::Water,
        "park" => NameKind::Park,
        "neighbourhood" => NameKind::Neighbourhood,
        other => bail!("there is no kind {other:?}"),
    })
}

/// The rings of a multipolygon, on the grid; those that shrink to a line there are left out.
fn rings(multipolygon: &Value) -> Result<Vec<Ring>> {
    let rings = items(multipolygon).flat_map(items).map(|ring| {
        let points = items(ring).map(|place| point(&numbers(place)?));
        let mut points: Ring = points.collect::<Result<_>>()?;
        points.dedup();
        if points.first() == points.last() {
            points.pop();
        }
        Ok(points)
    });
    let is_area = |ring: &Result<Ring>| ring.as_ref().map_or(true, |ring| ring.len() > 2);
    rings.filter(is_area).collect()
}

/// `GeoJSON` has the longitude first.
fn point(place: &[f64]) -> Result<Point> {
    let [lon, lat] = *place else {
        bail!("{place:?} is no place");
    };
    Point::from_degrees(lat, lon).with_context(|| format!("{place:?} is not on Earth"))
}

fn numbers(value: &Value) -> Result<Vec<f64>> {
    let number = |value: &Value| {
        value
            .as_f64()
            .with_context(|| format!("{value} is no number"))
    };
    items(value).map(number).collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn geojson_becomes_a_base_map_on_the_grid() {
        let base_map = read(&json!({
            "bbox": [-74.0, 40.0, -73.0, 41.0],
            "features": [
                {
                    "properties": { "kind": "land" },
                    "geometry": { "coordinates": [[
                        [[-74.0, 40.0], [-73.0, 40.0], [-73.0, 40.000_001], [-73.0, 41.0], [-74.0, 40.0]],
                        [[-73.5, 40.5], [-73.5, 40.500_001], [-73.5, 40.5]],
                    ]] },
                },
                {
                    "properties": { "kind": "town", "name": "Hoboken" },
                    "geometry": { "coordinates": [-74.033, 40.7453] },
                },
            ],
        }))
        .unwrap();
        let degrees = |ring: &Ring| -> Vec<_> {
            ring.iter()
                .map(|point| (point.lat().round(), point.lon().round()))
                .collect()
        };
        assert_eq!(base_map.land.len(), 1);
        assert_eq!(
            degrees(&base_map.land[0]),
            [(40.0, -74.0), (40.0, -73.0), (41.0, -73.0)]
        );
        assert_eq!(base_map.names[0].text, "Hoboken");
        assert!(base_map.detail.holds(40.5, -73.5));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let error = |features: Value| {
            let collection = json!({ "bbox": [0, 0, 1, 1], "features": features });
            read(&collection).unwrap_err().to_string()
        };
        let feature = |kind: &str, place: Value| {
            error(json!([{ "properties": { "kind": kind }, "geometry": { "coordinates": place } }]))
        };
        assert_eq!(
            feature("river", json!([0, 0])),
            "there is no kind \"river\""
        );
        assert_eq!(feature("town", json!([0])), "[0.0] is no place");
        assert_eq!(
            feature("town", json!([0, 91])),
            "[0.0, 91.0] is not on Earth"
        );
    }
}
