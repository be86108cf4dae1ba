//! Names that stand on the map, the more important first.

use std::collections::BTreeMap;

use basemap::{Extent, Name, NameKind, Point};

use crate::node_points::NodePoints;
use crate::selection::Area;
use crate::shape::{Shape, area_of, middle};
use crate::tags::{AreaKind, Place};

/// Waters and parks with fewer square quanta carry no name (chosen: about a hectare).
const NAMED_AREA_MIN: i64 = 2_500;
/// Names of a map (chosen: ten times New York's; all of them travel to each browser).
const NAMES_MAX: usize = 4_000;

/// A name with its weight: of two of one kind the heavier is the more important.
struct Weighed {
    weight: u64,
    name: Name,
}

/// The names of a frame.
pub(crate) fn names(
    places: Vec<(Place, Point)>,
    areas: &[(Area, Vec<Shape>)],
    rivers: Vec<(String, Vec<i64>)>,
    (points, extent): (&NodePoints, Extent),
) -> Vec<Name> {
    let places = places.into_iter().map(|(place, at)| Weighed {
        weight: place.population,
        name: Name {
            kind: place.kind,
            text: place.name,
            at,
        },
    });
    let mut names: Vec<_> = places
        .chain(areas.iter().filter_map(of_area))
        .chain(
            rivers
                .into_iter()
                .filter_map(|(name, course)| of_river(name, &course, points)),
        )
        .filter(|Weighed { name, .. }| extent.holds(name.at.lat(), name.at.lon()))
        .collect();
    names.sort_by(|a, b| {
        let key = |it: &Weighed| (it.name.kind, std::cmp::Reverse(it.weight));
        key(a)
            .cmp(&key(b))
            .then_with(|| a.name.text.cmp(&b.name.text))
    });
    names.truncate(NAMES_MAX);
    once_each(names)
}

fn of_area((area, shapes): &(Area, Vec<Shape>)) -> Option<Weighed> {
    let largest = shapes.iter().max_by_key(|shape| area_of(shape))?;
    let weight = u64::try_from(area_of(largest)).ok()?;
    let is_large = area_of(largest) >= NAMED_AREA_MIN;
    is_large.then_some(())?;
    Some(Weighed {
        weight,
        name: Name {
            kind: match area.kind {
                AreaKind::Water => NameKind::Water,
                AreaKind::Park => NameKind::Park,
            },
            text: area.name.clone()?,
            at: middle(largest)?,
        },
    })
}

/// A river's name stands in the middle of its course, behind those of all lakes.
fn of_river(text: String, course: &[i64], points: &NodePoints) -> Option<Weighed> {
    let course = points.of(course);
    Some(Weighed {
        weight: 0,
        name: Name {
            kind: NameKind::Water,
            text,
            at: *course.get(course.len() / 2)?,
        },
    })
}

/// A water that is mapped in many pieces is named at the largest; so is a park.
fn once_each(names: Vec<Weighed>) -> Vec<Name> {
    let mut named = BTreeMap::new();
    let is_first = |name: &Name| match name.kind {
        NameKind::Water | NameKind::Park => {
            named.insert((name.kind, name.text.clone()), ()).is_none()
        }
        NameKind::Area | NameKind::Town | NameKind::Neighbourhood => true,
    };
    let names = names.into_iter().map(|weighed| weighed.name);
    names.filter(is_first).collect()
}
