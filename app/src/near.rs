//! The docks within three blocks of a place.

use domain::geo::{BLOCK_M, distance_m};

use crate::city::LiveDock;
use crate::model::{FoundPlace, SEARCH_RADIUS_M};

/// A dock and its way from the place searched for.
#[derive(Debug, Clone)]
pub(crate) struct NearDock {
    /// The dock.
    pub(crate) dock: LiveDock,
    /// Distance as the crow flies, in metres.
    pub(crate) metres: f64,
}

/// Docks within [`SEARCH_RADIUS_M`] of `place`, the nearest first.
#[must_use]
pub(crate) fn docks_near(place: &FoundPlace, docks: &[LiveDock]) -> Vec<NearDock> {
    let mut near: Vec<_> = docks
        .iter()
        .map(|dock| NearDock {
            metres: distance_m(place.lat, place.lon, dock.lat, dock.lon),
            dock: dock.clone(),
        })
        .filter(|near| near.metres <= SEARCH_RADIUS_M)
        .collect();
    near.sort_by(|a, b| a.metres.total_cmp(&b.metres));
    near
}

/// A distance in blocks for people: `half a block`, `1 block`, `2½ blocks`.
#[must_use]
pub(crate) fn blocks(metres: f64) -> String {
    let halves = (metres / BLOCK_M * 2.0).round() as u32;
    match (halves / 2, halves % 2) {
        (0, 0) => "on the spot".to_owned(),
        (0, _) => "half a block".to_owned(),
        (1, 0) => "1 block".to_owned(),
        (whole, 0) => format!("{whole} blocks"),
        (whole, _) => format!("{whole}½ blocks"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_as_blocks() {
        let read = |metres| blocks(metres);
        assert_eq!(read(5.0), "on the spot");
        assert_eq!(read(40.0), "half a block");
        assert_eq!(read(80.5), "1 block");
        assert_eq!(read(121.0), "1½ blocks");
        assert_eq!(read(241.0), "3 blocks");
    }
}
