//! Neighbourhoods and towns by name, as the base map has them.

use std::collections::BTreeMap;

use basemap::{BaseMap, NameKind};

use super::area::Areas;
use super::degrees::Degrees;
use super::words::words;

/// A part of the city, or a town beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Neighbourhood {
    /// As people write it.
    pub(super) name: String,
    /// Where its name stands on the map.
    pub(super) at: Degrees,
    areas: Areas,
}

/// All of them, by name in one spelling.
#[derive(Debug, Clone, Default)]
pub(super) struct Neighbourhoods(BTreeMap<String, Vec<Neighbourhood>>);

impl Neighbourhoods {
    /// Takes the names of a base map.
    pub(super) fn of(base_map: &BaseMap) -> Self {
        let mut named = BTreeMap::<_, Vec<_>>::new();
        let is_place = |kind| matches!(kind, NameKind::Neighbourhood | NameKind::Town);
        for name in base_map.names.iter().filter(|name| is_place(name.kind)) {
            let at = (name.at.lat(), name.at.lon());
            let neighbourhood = Neighbourhood {
                name: name.text.clone(),
                at,
                areas: Areas::around(at),
            };
            let spelling = words(&name.text).join(" ");
            named.entry(spelling).or_default().push(neighbourhood);
        }
        Self(named)
    }

    /// Those of a name that lie in `areas`.
    pub(super) fn named(
        &self,
        words: &[String],
        areas: Areas,
    ) -> impl Iterator<Item = &Neighbourhood> {
        let named = self.0.get(&words.join(" "));
        let named = named.into_iter().flatten();
        named.filter(move |neighbourhood| neighbourhood.areas.meets(areas))
    }

    /// Those whose name no other has.
    pub(super) fn unique(&self) -> impl Iterator<Item = &Neighbourhood> {
        self.0.values().filter_map(|named| match named.as_slice() {
            [neighbourhood] => Some(neighbourhood),
            _ => None,
        })
    }
}
