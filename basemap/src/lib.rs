#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod addresses;
mod city_map;
mod decode;
mod encode;
mod error;
mod point;
mod reader;
#[cfg(test)]
mod samples;
mod writer;

pub use addresses::{Addresses, Corner, HouseNumber, NamedStreet};
pub use city_map::CityMap;
pub use error::DecodeError;
pub use point::{Point, QUANTUM_DEGREES};

/// New York, prepared by `cargo xtask basemap`; [`BaseMap::decode`] reads it.
pub static NEW_YORK: &[u8] = include_bytes!("../new-york.basemap");

/// What of a city is drawn: land, parks, streets and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseMap {
    /// Where shores are drawn finely enough to stand at one; beyond, land is an outline only.
    pub detail: Extent,
    /// Who made what it was prepared from.
    pub attribution: Attribution,
    /// Outlines of land and of the lakes in it, to be filled by the even-odd rule.
    pub land: Vec<Ring>,
    /// Outlines of parks and of the holes in them, likewise; they lie on the land.
    pub parks: Vec<Ring>,
    /// Streets; those of a wider class stand first. New York has none: the docks' names tell them.
    pub streets: Vec<Street>,
    /// Names; of two that do not both fit the first is the more important.
    pub names: Vec<Name>,
}

/// A closed line; its last point is not its first once more.
pub type Ring = Vec<Point>;

/// A line from its first to its last point.
pub type Line = Vec<Point>;

/// Whom the map names, as the terms of its sources ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attribution {
    /// As it stands on the map: `© OpenStreetMap contributors`.
    pub text: String,
    /// Where their terms are, an address that begins with `https://`; empty for none.
    pub url: String,
}

/// A box in degrees, edges included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// South-west corner.
    pub min: Point,
    /// North-east corner.
    pub max: Point,
}

impl Extent {
    /// Whether a place, in degrees, lies in it.
    #[must_use]
    pub fn holds(&self, lat: f64, lon: f64) -> bool {
        (self.min.lat()..=self.max.lat()).contains(&lat)
            && (self.min.lon()..=self.max.lon()).contains(&lon)
    }
}

/// All lines of one name and class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Street {
    /// How wide it is.
    pub class: StreetClass,
    /// The name as people write it; empty for a main road without one.
    pub name: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// How important a street is: from how far it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreetClass {
    /// Motorways, trunk and primary roads.
    Main,
    /// What collects the traffic of a part of the city.
    Middle,
    /// All others, with living streets and ways for people on foot.
    Local,
}

impl StreetClass {
    /// All classes; a class's place is its number in a file.
    pub const ALL: [Self; 3] = [Self::Main, Self::Middle, Self::Local];
}

/// What stands on the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// What has the name.
    pub kind: NameKind,
    /// The name as people write it.
    pub text: String,
    /// Where its middle stands.
    pub at: Point,
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// A borough, a state or a city.
    Area,
    /// A town around the city.
    Town,
    /// A river, a bay or the sea.
    Water,
    /// A park or a cemetery.
    Park,
    /// A part of a borough or of a town.
    Neighbourhood,
}

impl NameKind {
    /// All kinds; a kind's place is its number in a file.
    const ALL: [Self; 5] = [
        Self::Area,
        Self::Town,
        Self::Water,
        Self::Park,
        Self::Neighbourhood,
    ];
}
