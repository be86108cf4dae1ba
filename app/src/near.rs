//! The docks within three blocks of a place, and the nearest beyond.

use domain::geo::{BLOCK_M, distance_m_by};

use crate::city::LiveDock;
use crate::decimal::fixed;
use crate::math;
use crate::model::{FoundPlace, SEARCH_RADIUS_M};
use crate::sorted::sort_by;
use crate::words::{Word, Words};

/// Metres that people walk in a minute (5 km/h).
const WALK_M_PER_MINUTE: f64 = 83.0;

/// How much longer ways along two directions are than as the crow flies, averaged over all directions.
const GRID_DETOUR: f64 = 4.0 / std::f64::consts::PI;

/// Nobody walks farther for a bike (chosen: half an hour).
const FAR_M: f64 = 2_500.0;

/// A dock and its way from the place searched for.
#[derive(Debug, Clone)]
pub(crate) struct NearDock {
    /// The dock.
    pub(crate) dock: LiveDock,
    /// Distance as the crow flies, in metres.
    pub(crate) metres: f64,
    /// The way on foot, in metres.
    pub(crate) walk_m: f64,
}

impl NearDock {
    fn from(place: &FoundPlace, dock: &LiveDock) -> Self {
        Self {
            metres: distance_m(place.lat, place.lon, dock.lat, dock.lon),
            walk_m: walk_m(place, dock),
            dock: dock.clone(),
        }
    }

    /// `120 m · 1½ blocks · 2 min walk`.
    #[must_use]
    pub(crate) fn way(&self, words: Words) -> String {
        let minutes = (self.walk_m / WALK_M_PER_MINUTE).ceil().max(1.0);
        let (metres, minutes) = (fixed(self.metres, 0), fixed(minutes, 0));
        words.fill(Word::Way, &[&metres, &blocks(words, self.metres), &minutes])
    }
}

/// Docks within [`SEARCH_RADIUS_M`] of `place`, the one with the shortest way first.
#[must_use]
pub(crate) fn docks_near(place: &FoundPlace, docks: &[LiveDock]) -> Vec<NearDock> {
    let near = docks.iter().map(|dock| NearDock::from(place, dock));
    let mut near: Vec<_> = near.filter(|near| near.metres <= SEARCH_RADIUS_M).collect();
    sort_by(&mut near, |a, b| a.walk_m.total_cmp(&b.walk_m));
    near
}

/// Of the docks up to [`FAR_M`] away that `has_some`, the one with the shortest way.
#[must_use]
pub(crate) fn nearest(
    place: &FoundPlace,
    docks: &[LiveDock],
    has_some: impl Fn(&LiveDock) -> bool,
) -> Option<NearDock> {
    let near = docks.iter().filter(|dock| has_some(dock));
    let near = near.map(|dock| NearDock::from(place, dock));
    near.filter(|near| near.metres <= FAR_M)
        .min_by(|a, b| a.walk_m.total_cmp(&b.walk_m))
}

fn distance_m(lat_a: f64, lon_a: f64, lat_b: f64, lon_b: f64) -> f64 {
    let functions = [math::sin, math::cos, math::asin];
    distance_m_by(functions, (lat_a, lon_a), (lat_b, lon_b))
}

/// The way on foot along streets, in metres: in a grid of known direction along its two directions, else
/// as long as the average way in a grid.
fn walk_m(place: &FoundPlace, dock: &LiveDock) -> f64 {
    let Some(bearing) = place.grid else {
        return distance_m(place.lat, place.lon, dock.lat, dock.lon) * GRID_DETOUR;
    };
    let north = distance_m(place.lat, dock.lon, dock.lat, dock.lon).copysign(dock.lat - place.lat);
    let east = distance_m(place.lat, place.lon, place.lat, dock.lon).copysign(dock.lon - place.lon);
    let bearing = bearing.to_radians();
    let (sin, cos) = (math::sin(bearing), math::cos(bearing));
    (north * cos + east * sin).abs() + (east * cos - north * sin).abs()
}

/// A distance in blocks for people: `half a block`, `1 block`, `2½ blocks`.
#[must_use]
pub(crate) fn blocks(words: Words, metres: f64) -> String {
    let halves = (metres / BLOCK_M * 2.0 + 0.5) as u32;
    match (halves / 2, halves % 2) {
        (0, 0) => words.get(Word::OnTheSpot).to_owned(),
        (0, _) => words.get(Word::HalfABlock).to_owned(),
        (1, 0) => words.get(Word::OneBlock).to_owned(),
        (whole, 0) => words.fill(Word::Blocks, &[&whole.to_string()]),
        (whole, _) => words.fill(Word::Blocks, &[&format!("{whole}½")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E 32 St & Park Ave, on a grid with this bearing.
    fn place(grid: Option<f64>) -> FoundPlace {
        FoundPlace {
            label: String::new(),
            lat: 40.745_712,
            lon: -73.981_948,
            accuracy: String::new(),
            grid,
        }
    }

    #[test]
    fn a_way_goes_along_the_streets_of_a_grid_that_is_known() {
        let owner = leptos::prelude::Owner::new();
        owner.with(|| {
            let dock = |lat, lon| {
                LiveDock::new(crate::model::Dock {
                    id: 1,
                    name: String::new(),
                    lat,
                    lon,
                    count: crate::model::Count::default(),
                })
            };
            let walk = |grid, dock: &LiveDock| walk_m(&place(grid), dock).round();
            // One block up Park Avenue: straight on.
            let ahead = dock(40.746_342, -73.981_489);
            assert_eq!(walk(Some(29.0), &ahead), 80.0);
            assert_eq!(walk(None, &ahead), 102.0);
            // The same distance to the north: across the grid.
            let across = dock(40.746_432, -73.981_948);
            assert_eq!(walk(Some(29.0), &across), 109.0);
            assert_eq!(walk(None, &across), 102.0);
            assert_eq!(
                NearDock::from(&place(Some(29.0)), &across).way(Words::default()),
                "80 m · 1 block · 2 min walk"
            );
        });
    }

    #[test]
    fn distances_read_as_blocks() {
        let read = |metres| blocks(Words::default(), metres);
        assert_eq!(read(5.0), "on the spot");
        assert_eq!(read(40.0), "half a block");
        assert_eq!(read(80.5), "1 block");
        assert_eq!(read(121.0), "1½ blocks");
        assert_eq!(read(241.0), "3 blocks");
    }
}
