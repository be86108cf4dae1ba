#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod addresses;
mod areas;
mod coast;
mod error;
mod house_number;
mod join;
mod names;
mod node_points;
mod pbf;
mod selection;
mod shape;
mod streets;
mod tags;

use std::path::Path;

use basemap::{Attribution, BaseMap, CityMap, Extent, Point};

pub use error::OsmError;
pub use pbf::Read;

use node_points::NodePoints;
use pbf::{Extract, Visitor};
use selection::{FirstPass, Selection};

/// What the licence of `OpenStreetMap`, the `ODbL`, asks each map to show.
const ATTRIBUTION: &str = "© OpenStreetMap contributors";
/// Where its terms are.
const ATTRIBUTION_URL: &str = "https://www.openstreetmap.org/copyright";

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is looked for.
    pub pass: Pass,
    /// Bytes of the extract that this pass has seen.
    pub bytes: u64,
    /// Bytes of the extract.
    pub bytes_total: u64,
}

/// An extract is read three times, for nodes stand in it before what they are part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Which relations are areas; with a box, which nodes lie in it.
    Areas,
    /// Streets, waters, parks and buildings.
    Ways,
    /// Where all these are.
    Nodes,
}

/// A map, and what it was made of.
#[derive(Debug)]
pub struct Built {
    /// The map.
    pub city_map: CityMap,
    /// Things of the extract, used or not.
    pub read: Read,
    /// House numbers that do not begin with a digit: the search will not know them.
    pub numbers_not_read: u64,
}

/// Makes the map of an extract, or of the part of it in `bbox`. `told` hears of the progress, several
/// times a second.
///
/// Memory: 16 bytes for each point of what is used, some times that while it is put together; a block of
/// the extract at a time.
///
/// # Errors
/// [`OsmError`], which names the file and what to do.
pub fn build(
    path: &Path,
    bbox: Option<Extent>,
    told: &mut dyn FnMut(Progress),
) -> Result<Built, OsmError> {
    let mut extract = Extract::open(path)?;
    let mut first = FirstPass::new(bbox);
    pass(&mut extract, Pass::Areas, &mut first, told)?;
    refuse(first.inside.is_too_large(), &extract)?;
    let mut second = first.then();
    pass(&mut extract, Pass::Ways, &mut second, told)?;
    refuse(second.is_too_large(), &extract)?;
    let mut third = second.then();
    pass(&mut extract, Pass::Nodes, &mut third, told)?;

    let (selection, points) = (third.selection, third.points);
    let is_empty = selection.streets.iter().all(|street| street.name.is_none());
    let extent = bbox.or(extract.declared).or_else(|| around(points.all()));
    let Some(extent) = extent.filter(|_| !is_empty) else {
        let (path, has_bbox) = (extract.path(), bbox.is_some());
        return Err(OsmError::Empty { path, has_bbox });
    };
    Ok(Built {
        read: extract.read,
        numbers_not_read: selection.numbers_not_read,
        city_map: put_together(selection, &points, extent),
    })
}

fn pass(
    extract: &mut Extract,
    pass: Pass,
    visitor: &mut impl Visitor,
    told: &mut dyn FnMut(Progress),
) -> Result<(), OsmError> {
    let bytes_total = extract.bytes();
    extract.pass(visitor, &mut |bytes| {
        told(Progress {
            pass,
            bytes,
            bytes_total,
        });
    })
}

fn refuse(is_too_large: bool, extract: &Extract) -> Result<(), OsmError> {
    let path = extract.path();
    (!is_too_large)
        .then_some(())
        .ok_or(OsmError::TooLarge { path })
}

/// The box around points, if it has any inside.
fn around(points: impl Iterator<Item = Point>) -> Option<Extent> {
    let quanta = points.map(Point::quanta);
    let (south_west, north_east) = quanta.fold(
        ((i32::MAX, i32::MAX), (i32::MIN, i32::MIN)),
        |(min, max), (north, east)| {
            (
                (min.0.min(north), min.1.min(east)),
                (max.0.max(north), max.1.max(east)),
            )
        },
    );
    let has_inside = south_west.0 < north_east.0 && south_west.1 < north_east.1;
    has_inside.then_some(())?;
    Some(Extent {
        min: Point::from_quanta(south_west.0, south_west.1)?,
        max: Point::from_quanta(north_east.0, north_east.1)?,
    })
}

fn put_together(selection: Selection, points: &NodePoints, extent: Extent) -> CityMap {
    let Selection {
        names: street_names,
        streets,
        coast,
        areas,
        rivers,
        houses,
        places,
        ..
    } = selection;
    let street_names = street_names.in_order();
    let areas = areas::shapes(areas, points);
    let (land, parks) = areas::ground(coast::land(coast, points, extent), &areas, extent);
    CityMap {
        base_map: BaseMap {
            detail: extent,
            attribution: Attribution {
                text: ATTRIBUTION.to_owned(),
                url: ATTRIBUTION_URL.to_owned(),
            },
            land,
            parks,
            streets: streets::streets(&streets, &street_names, points, extent),
            names: names::names(places, &areas, rivers, (points, extent)),
        },
        addresses: addresses::addresses(&streets, houses, &street_names, (points, extent)),
    }
}
