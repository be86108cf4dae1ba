//! Towns, parts of them and parks by name, and which of them a place lies in.

use basemap::{BaseMap, NameKind};
use domain::geo::distance_m;

use super::streets::spelling;
use crate::geocode::degrees::Degrees;

/// What a part of a town is part of.
const TOWNS: [NameKind; 2] = [NameKind::Area, NameKind::Town];

/// A name of the map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) name: String,
    spelling: String,
    pub(super) kind: NameKind,
    pub(super) at: Degrees,
}

/// All of a map, but its waters.
#[derive(Debug)]
pub(super) struct Places(Vec<Place>);

impl Places {
    pub(super) fn of(base_map: &BaseMap) -> Self {
        let names = base_map.names.iter();
        let places = names
            .filter(|name| name.kind != NameKind::Water)
            .map(|name| Place {
                name: name.text.clone(),
                spelling: spelling(&name.text),
                kind: name.kind,
                at: (name.at.lat(), name.at.lon()),
            });
        Self(places.collect())
    }

    pub(super) fn all(&self) -> &[Place] {
        &self.0
    }

    pub(super) fn named(&self, spelling: &str) -> impl Iterator<Item = &Place> {
        self.0
            .iter()
            .filter(move |place| place.spelling == spelling)
    }

    /// Whether a place lies in one of this name: it is then the nearest of its kind, and a part of a town
    /// has the same town nearest to it.
    ///
    /// Where borders run the map does not know.
    pub(super) fn is_in(&self, at: Degrees, spelling: &str) -> bool {
        let is_named = |place: Option<&Place>| place.is_some_and(|it| it.spelling == spelling);
        let town = |at| self.nearest(at, &TOWNS);
        let part = self.nearest(at, &[NameKind::Neighbourhood]);
        is_named(self.nearest(at, &[NameKind::Area]))
            || is_named(town(at))
            || is_named(part.filter(|part| town(part.at) == town(at)))
    }

    /// The name that tells a place from others of its address.
    pub(super) fn around(&self, at: Degrees) -> Option<&str> {
        let kinds = [NameKind::Area, NameKind::Town, NameKind::Neighbourhood];
        self.nearest(at, &kinds).map(|place| place.name.as_str())
    }

    fn nearest(&self, (lat, lon): Degrees, kinds: &[NameKind]) -> Option<&Place> {
        let metres = |place: &&Place| distance_m(lat, lon, place.at.0, place.at.1);
        let of_kind = self.0.iter().filter(|place| kinds.contains(&place.kind));
        of_kind.min_by(|a, b| metres(a).total_cmp(&metres(b)))
    }
}
