#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod decode;
mod encode;
mod point;

pub use decode::DecodeError;
pub use point::{Point, QUANTUM_DEGREES};

/// New York, prepared by `cargo xtask basemap`; [`BaseMap::decode`] reads it.
pub static NEW_YORK: &[u8] = include_bytes!("../new-york.basemap");

/// A city's land, parks and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseMap {
    /// Where shores are drawn finely enough to stand at one; beyond, land is an outline only.
    pub detail: Extent,
    /// Outlines of land and of the lakes in it, to be filled by the even-odd rule.
    pub land: Vec<Ring>,
    /// Outlines of parks and of the holes in them, likewise; they lie on the land.
    pub parks: Vec<Ring>,
    /// Names; of two that do not both fit the first is the more important.
    pub names: Vec<Name>,
}

/// A closed line; its last point is not its first once more.
pub type Ring = Vec<Point>;

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
    /// A borough or a state.
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
