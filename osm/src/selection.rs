//! Which things of an extract are used, in three passes: relations, then ways, then nodes.
//!
//! Memory grows with what is used, not with the extract: of 12 million nodes of a city some two
//! million are in its streets, waters and parks.

use std::collections::{HashMap, HashSet};

use basemap::{Extent, Point, StreetClass};

use crate::house_number::{self, Number};
use crate::node_points::NodePoints;
use crate::pbf::{Kinds, Visitor};
use crate::tags::{AreaKind, Place, Tags};

/// Nodes that may be used (chosen: 1.3 GB with what is made of them; a large city has a twentieth).
pub(crate) const NODES_MAX: usize = 80_000_000;

/// Everything that is used.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Names of streets.
    pub(crate) names: Names,
    pub(crate) streets: Vec<StreetWay>,
    pub(crate) coast: Vec<Vec<i64>>,
    pub(crate) areas: Vec<Area>,
    /// Rivers by name, with their courses.
    pub(crate) rivers: Vec<(String, Vec<i64>)>,
    pub(crate) houses: Vec<House>,
    pub(crate) places: Vec<(Place, Point)>,
    /// House numbers without a digit at their beginning.
    pub(crate) numbers_not_read: u64,
    /// Relations whose lines are wanted, until these are read.
    area_of_way: HashMap<i64, Vec<usize>>,
}

/// A piece of a street.
#[derive(Debug, Clone)]
pub(crate) struct StreetWay {
    pub(crate) class: StreetClass,
    /// None for a main road without one.
    pub(crate) name: Option<NameId>,
    pub(crate) nodes: Vec<i64>,
}

/// Water or green.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub(crate) kind: AreaKind,
    pub(crate) name: Option<String>,
    /// The lines around it and around its holes.
    pub(crate) ways: Vec<Vec<i64>>,
}

/// A building or an entrance.
#[derive(Debug, Clone)]
pub(crate) struct House {
    pub(crate) street: NameId,
    pub(crate) number: Number,
    pub(crate) at: HousePlace,
}

/// Where a house is.
#[derive(Debug, Clone)]
pub(crate) enum HousePlace {
    /// At a point.
    Point(Point),
    /// Amid its corners.
    Around(Vec<i64>),
}

/// A name, by the order in which it came first.
pub(crate) type NameId = u32;

/// Each name once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<String, NameId>,
}

impl Names {
    fn id(&mut self, name: &str) -> NameId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.ids.len() as NameId;
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// All names in the order of letters, with their ids.
    pub(crate) fn in_order(&self) -> Vec<(&str, NameId)> {
        let mut names: Vec<_> = self
            .ids
            .iter()
            .map(|(name, id)| (name.as_str(), *id))
            .collect();
        names.sort_unstable();
        names
    }
}

impl Selection {
    /// All nodes that something goes through, as often as it does.
    pub(crate) fn nodes(&self) -> Vec<i64> {
        let streets = self.streets.iter().map(|street| &street.nodes);
        let areas = self.areas.iter().flat_map(|area| &area.ways);
        let rivers = self.rivers.iter().map(|(_, nodes)| nodes);
        let houses = self.houses.iter().filter_map(|house| match &house.at {
            HousePlace::Around(nodes) => Some(nodes),
            HousePlace::Point(_) => None,
        });
        let lines = streets
            .chain(&self.coast)
            .chain(areas)
            .chain(rivers)
            .chain(houses);
        lines.flatten().copied().collect()
    }

    fn take_house(&mut self, tags: &Tags<'_>, at: impl Fn() -> HousePlace) {
        let Some((street, number)) = tags.address() else {
            return;
        };
        let numbers = house_number::read(number);
        self.numbers_not_read += u64::from(numbers.is_empty());
        let street = self.names.id(street);
        let houses = numbers.into_iter().map(|number| House {
            street,
            number,
            at: at(),
        });
        self.houses.extend(houses);
    }
}

/// First pass: which relations are areas, and with a box, which nodes lie in it.
#[derive(Debug)]
pub(crate) struct FirstPass {
    pub(crate) selection: Selection,
    pub(crate) inside: Inside,
}

/// The nodes of the box that was asked for; all where none was.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    bbox: Option<Extent>,
    ids: Vec<i64>,
}

impl Inside {
    pub(crate) fn is_too_large(&self) -> bool {
        self.ids.len() > NODES_MAX
    }

    fn touches(&self, nodes: &[i64]) -> bool {
        let is_in = |id: &i64| self.ids.binary_search(id).is_ok();
        self.bbox.is_none() || nodes.iter().any(is_in)
    }
}

impl FirstPass {
    pub(crate) fn new(bbox: Option<Extent>) -> Self {
        Self {
            selection: Selection::default(),
            inside: Inside {
                bbox,
                ids: Vec::new(),
            },
        }
    }

    /// The second pass, for which the box is to be searched.
    pub(crate) fn then(mut self) -> SecondPass {
        self.inside.ids.sort_unstable();
        SecondPass {
            selection: self.selection,
            inside: self.inside,
            nodes: 0,
        }
    }
}

impl Visitor for FirstPass {
    fn wanted(&self) -> Kinds {
        Kinds {
            nodes: self.inside.bbox.is_some(),
            relations: true,
            ways: false,
        }
    }

    fn node(&mut self, id: i64, at: Point, _tags: &Tags<'_>) {
        let is_in = |bbox: Extent| bbox.holds(at.lat(), at.lon());
        // One more than may be: then it is known to be too much.
        if self.inside.bbox.is_some_and(is_in) && !self.inside.is_too_large() {
            self.inside.ids.push(id);
        }
    }

    fn relation(&mut self, ways: &[i64], tags: &Tags<'_>) {
        let Some(kind) = tags.area().filter(|_| tags.is_multipolygon()) else {
            return;
        };
        let index = self.selection.areas.len();
        self.selection.areas.push(Area {
            kind,
            name: tags.name().map(str::to_owned),
            ways: Vec::new(),
        });
        let ways: HashSet<_> = ways.iter().copied().collect();
        for way in ways {
            let areas = self.selection.area_of_way.entry(way);
            areas.or_default().push(index);
        }
    }
}

/// Second pass: streets, coasts, areas, rivers and buildings.
#[derive(Debug)]
pub(crate) struct SecondPass {
    selection: Selection,
    inside: Inside,
    /// How many nodes the ways have.
    nodes: usize,
}

impl SecondPass {
    pub(crate) fn is_too_large(&self) -> bool {
        self.nodes > NODES_MAX
    }

    /// The third pass, with room for what is wanted.
    pub(crate) fn then(self) -> ThirdPass {
        ThirdPass {
            points: NodePoints::wanted(self.selection.nodes()),
            selection: self.selection,
            bbox: self.inside.bbox,
        }
    }

    fn take_street(&mut self, nodes: &[i64], tags: &Tags<'_>) -> bool {
        let Some(class) = tags.street() else {
            return false;
        };
        if tags.name().is_none() && class != StreetClass::Main {
            return false;
        }
        let name = tags.name().map(|name| self.selection.names.id(name));
        self.selection.streets.push(StreetWay {
            class,
            name,
            nodes: nodes.to_vec(),
        });
        true
    }

    fn take_area(&mut self, nodes: &[i64], tags: &Tags<'_>) -> bool {
        let is_closed = nodes.len() > 3 && nodes.first() == nodes.last();
        let Some(kind) = tags.area().filter(|_| is_closed) else {
            return false;
        };
        self.selection.areas.push(Area {
            kind,
            name: tags.name().map(str::to_owned),
            ways: vec![nodes.to_vec()],
        });
        true
    }

    fn take_of_relation(&mut self, id: i64, nodes: &[i64]) -> bool {
        let Some(areas) = self.selection.area_of_way.remove(&id) else {
            return false;
        };
        for area in areas {
            self.selection.areas[area].ways.push(nodes.to_vec());
        }
        true
    }
}

impl Visitor for SecondPass {
    fn wanted(&self) -> Kinds {
        Kinds {
            ways: true,
            ..Kinds::default()
        }
    }

    fn way(&mut self, id: i64, nodes: &[i64], tags: &Tags<'_>) {
        if self.is_too_large() {
            return;
        }
        // Of an area all lines are needed, also those outside of the box.
        let mut is_used = self.take_of_relation(id, nodes);
        if !tags.is_empty() && self.inside.touches(nodes) {
            is_used |= self.take_street(nodes, tags) || self.take_area(nodes, tags);
            if tags.is_coastline() {
                self.selection.coast.push(nodes.to_vec());
                is_used = true;
            }
            if let Some(name) = tags.name().filter(|_| tags.is_river()) {
                self.selection
                    .rivers
                    .push((name.to_owned(), nodes.to_vec()));
                is_used = true;
            }
            let houses = self.selection.houses.len();
            let around = || HousePlace::Around(nodes.to_vec());
            self.selection.take_house(tags, around);
            is_used |= self.selection.houses.len() > houses;
        }
        self.nodes += if is_used { nodes.len() } else { 0 };
    }
}

/// Third pass: where the nodes are, with entrances and the names of places.
#[derive(Debug)]
pub(crate) struct ThirdPass {
    pub(crate) selection: Selection,
    pub(crate) points: NodePoints,
    bbox: Option<Extent>,
}

impl Visitor for ThirdPass {
    fn wanted(&self) -> Kinds {
        Kinds {
            nodes: true,
            ..Kinds::default()
        }
    }

    fn node(&mut self, id: i64, at: Point, tags: &Tags<'_>) {
        self.points.set(id, at);
        let is_outside = |bbox: Extent| !bbox.holds(at.lat(), at.lon());
        if tags.is_empty() || self.bbox.is_some_and(is_outside) {
            return;
        }
        self.selection.take_house(tags, || HousePlace::Point(at));
        if let Some(place) = tags.place() {
            self.selection.places.push((place, at));
        }
    }
}
