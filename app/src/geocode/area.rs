//! The boroughs and New Jersey: in which of them a place lies, and which ones are meant.

use std::ops::{BitAnd, BitOr};

use super::degrees::Degrees;
use super::outlines;

/// A part of the city that an address can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    /// New York's Manhattan, with Roosevelt and Governors Island.
    Manhattan,
    /// The Bronx, with Marble Hill, which has its post.
    Bronx,
    /// Brooklyn.
    Brooklyn,
    /// Queens.
    Queens,
    /// Staten Island; no docks stand there.
    StatenIsland,
    /// The towns across the Hudson.
    NewJersey,
}

impl Area {
    pub(super) const ALL: [Self; 6] = [
        Self::Manhattan,
        Self::StatenIsland,
        Self::Brooklyn,
        Self::Bronx,
        Self::NewJersey,
        Self::Queens,
    ];

    /// The name as part of a sentence, after "in".
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Manhattan => "Manhattan",
            Self::Bronx => "the Bronx",
            Self::Brooklyn => "Brooklyn",
            Self::Queens => "Queens",
            Self::StatenIsland => "Staten Island",
            Self::NewJersey => "New Jersey",
        }
    }

    /// A search that is answered there, if one is.
    pub(super) fn example(self) -> Option<&'static str> {
        match self {
            Self::Manhattan => Some("1 Park Avenue"),
            Self::Bronx => Some("Brook Ave & E 148 St, Bronx"),
            Self::Brooklyn => Some("Berry St & N 8 St, Brooklyn"),
            Self::Queens => Some("31 St & Broadway, Queens"),
            Self::StatenIsland => None,
            Self::NewJersey => Some("Grove St PATH, Jersey City"),
        }
    }

    /// The area around a place; none in the sea and beyond the city.
    pub(super) fn at((lat, lon): Degrees) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|area| is_inside(area.outline(), lat, lon))
    }

    /// Its outline; where two overlap, the first of [`Area::ALL`] holds.
    fn outline(self) -> &'static [Degrees] {
        match self {
            Self::Manhattan => &outlines::MANHATTAN,
            Self::Bronx => &outlines::BRONX,
            Self::Brooklyn => &outlines::BROOKLYN,
            Self::Queens => &outlines::QUEENS,
            Self::StatenIsland => &outlines::STATEN_ISLAND,
            Self::NewJersey => &outlines::NEW_JERSEY,
        }
    }
}

/// Some of the areas, or what lies outside them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Areas(u8);

impl Areas {
    pub(super) const MANHATTAN: Self = Self::of(Area::Manhattan);
    pub(super) const BRONX: Self = Self::of(Area::Bronx);
    pub(super) const BROOKLYN: Self = Self::of(Area::Brooklyn);
    pub(super) const QUEENS: Self = Self::of(Area::Queens);
    pub(super) const STATEN_ISLAND: Self = Self::of(Area::StatenIsland);
    pub(super) const NEW_JERSEY: Self = Self::of(Area::NewJersey);
    /// The five boroughs.
    pub(super) const CITY: Self = Self(
        Self::MANHATTAN.0
            | Self::BRONX.0
            | Self::BROOKLYN.0
            | Self::QUEENS.0
            | Self::STATEN_ISLAND.0,
    );
    /// Any place that is in no area.
    pub(super) const ELSEWHERE: Self = Self(1 << 6);
    pub(super) const ALL: Self = Self(u8::MAX);

    const fn of(area: Area) -> Self {
        Self(1 << area as u8)
    }

    /// The areas within [`BORDER_M`] of a place.
    pub(super) fn around((lat, lon): Degrees) -> Self {
        let (north, east) = (BORDER_M / 111_200.0, BORDER_M / 84_200.0);
        let near = [
            (0.0, 0.0),
            (north, 0.0),
            (-north, 0.0),
            (0.0, east),
            (0.0, -east),
        ]
        .into_iter()
        .filter_map(|(up, right)| Area::at((lat + up, lon + right)))
        .map(Self::of);
        near.fold(Self(0), BitOr::bitor)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn meets(self, other: Self) -> bool {
        !(self & other).is_empty()
    }

    /// The area, if it is one alone.
    pub(super) fn only(self) -> Option<Area> {
        Area::ALL.into_iter().find(|area| Self::of(*area) == self)
    }
}

impl BitAnd for Areas {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Areas {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Metres from a border within which a dock counts as on both sides (chosen: a block, more than
/// the outlines are off on land).
const BORDER_M: f64 = 80.0;

/// Whether a ray to the east leaves the outline once more than it enters.
fn is_inside(outline: &[Degrees], lat: f64, lon: f64) -> bool {
    let ends = outline.iter().cycle().skip(1);
    let crossed = outline.iter().zip(ends).filter(|(from, to)| {
        let share = (lat - from.0) / (to.0 - from.0);
        (from.0 > lat) != (to.0 > lat) && lon < from.1 + share * (to.1 - from.1)
    });
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use domain::stations::reference_stations;

    use super::*;

    #[test]
    fn known_places_lie_in_their_borough() {
        for (place, at, area) in [
            ("Battery Park", (40.7033, -74.0170), Area::Manhattan),
            ("Fort Tryon Park", (40.8617, -73.9320), Area::Manhattan),
            ("Roosevelt Island", (40.7615, -73.9501), Area::Manhattan),
            ("Yankee Stadium", (40.8296, -73.9262), Area::Bronx),
            ("Bronx Zoo", (40.8506, -73.8770), Area::Bronx),
            ("Brooklyn Museum", (40.6712, -73.9636), Area::Brooklyn),
            ("Coney Island", (40.5755, -73.9707), Area::Brooklyn),
            ("MoMA PS1", (40.7456, -73.9471), Area::Queens),
            ("Flushing Meadows", (40.7462, -73.8448), Area::Queens),
            ("St George", (40.6437, -74.0736), Area::StatenIsland),
            ("Liberty State Park", (40.7041, -74.0557), Area::NewJersey),
            ("Hoboken", (40.7440, -74.0324), Area::NewJersey),
        ] {
            assert_eq!(Area::at(at), Some(area), "{place}");
        }
        assert_eq!(Area::at((41.5, -72.0)), None);
    }

    #[test]
    fn every_reference_station_lies_in_an_area_and_few_on_a_border() {
        let mut on_border = 0;
        for station in reference_stations() {
            let at = (station.lat, station.lon);
            assert!(Area::at(at).is_some(), "{station:?}");
            on_border += usize::from(Areas::around(at).only().is_none());
        }
        assert!(on_border < 40, "{on_border}");
    }

    #[test]
    fn a_dock_on_the_border_of_brooklyn_and_queens_lies_in_both() {
        let near_gates_and_wyckoff = (40.6996, -73.9115);
        assert_eq!(
            Areas::around(near_gates_and_wyckoff),
            Areas::BROOKLYN | Areas::QUEENS
        );
    }
}
