//! What the search knows: house numbers by street, and where streets meet.

use std::collections::BTreeMap;

use basemap::{Addresses, Corner, Extent, HouseNumber, NamedStreet, Point};

use crate::node_points::NodePoints;
use crate::selection::{House, HousePlace, NameId, StreetWay};

/// Crossings of the same two streets nearer than this are one corner, in quanta: of a street with two
/// carriageways (chosen: 60 m to the north).
const CORNER_QUANTA: i32 = 27;
/// The same number as near as this is one house: a building and its entrance.
const HOUSE_QUANTA: i32 = 27;
/// Streets that meet at one node, of which corners are made (chosen: no place has more).
const MEETING_MAX: usize = 8;

/// Everything of a frame. A street is in it if it has a name and is drawn, or has a house.
pub(crate) fn addresses(
    streets: &[StreetWay],
    houses: Vec<House>,
    names: &[(&str, NameId)],
    (points, extent): (&NodePoints, Extent),
) -> Addresses {
    let holds = |at: &Point| extent.holds(at.lat(), at.lon());
    let mut place_of = vec![0; names.len()];
    for (place, (_, id)) in names.iter().enumerate() {
        place_of[*id as usize] = place as u32;
    }
    let mut numbers: Vec<Vec<HouseNumber>> = vec![Vec::new(); names.len()];
    for House {
        street,
        number: (number, rest),
        at,
    } in houses
    {
        if let Some(at) = middle(&at, points).filter(holds) {
            let street = place_of[street as usize];
            numbers[street as usize].push(HouseNumber { number, rest, at });
        }
    }
    let is_named = |way: &StreetWay| Some((place_of[way.name? as usize], way.nodes.clone()));
    let mut corners = corners(streets.iter().filter_map(is_named), points);
    corners.retain(|corner| holds(&corner.at));
    let names = names
        .iter()
        .zip(numbers)
        .map(|((name, _), numbers)| NamedStreet {
            name: (*name).to_owned(),
            numbers: in_order(numbers),
        });
    Addresses {
        streets: names.collect(),
        corners,
    }
}

/// Amid the corners of a building.
fn middle(place: &HousePlace, points: &NodePoints) -> Option<Point> {
    let nodes = match place {
        HousePlace::Point(at) => return Some(*at),
        HousePlace::Around(nodes) => nodes,
    };
    let corners = points.of(nodes);
    mean(&corners)
}

/// The middle of points; a ring's first is not counted twice.
fn mean(points: &[Point]) -> Option<Point> {
    let is_closed = points.len() > 1 && points.first() == points.last();
    let points = &points[..points.len() - usize::from(is_closed)];
    let count = i64::try_from(points.len())
        .ok()
        .filter(|count| *count > 0)?;
    let (north, east) = points.iter().fold((0, 0), |(north, east), point| {
        let (to_north, to_east) = point.quanta();
        (north + i64::from(to_north), east + i64::from(to_east))
    });
    Point::from_quanta(
        i32::try_from(north / count).ok()?,
        i32::try_from(east / count).ok()?,
    )
}

fn is_near(a: Point, b: Point, quanta: i32) -> bool {
    let ((an, ae), (bn, be)) = (a.quanta(), b.quanta());
    an.abs_diff(bn).max(ae.abs_diff(be)) <= quanta.unsigned_abs()
}

/// By number; of a building and its entrances one alone.
fn in_order(mut numbers: Vec<HouseNumber>) -> Vec<HouseNumber> {
    numbers.sort_by(|a, b| (a.number, &a.rest, a.at).cmp(&(b.number, &b.rest, b.at)));
    numbers.dedup_by(|next, kept| {
        (next.number, &next.rest) == (kept.number, &kept.rest)
            && is_near(next.at, kept.at, HOUSE_QUANTA)
    });
    numbers
}

/// Where two streets of different names go through one node.
fn corners(ways: impl Iterator<Item = (u32, Vec<i64>)>, points: &NodePoints) -> Vec<Corner> {
    let mut through: Vec<(i64, u32)> = ways
        .flat_map(|(street, nodes)| nodes.into_iter().map(move |node| (node, street)))
        .collect();
    through.sort_unstable();
    through.dedup();
    let mut crossings = BTreeMap::<[u32; 2], Vec<Point>>::new();
    for meeting in through
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|meeting| meeting.len() > 1)
    {
        let Some(at) = points.get(meeting[0].0) else {
            continue;
        };
        let meeting = &meeting[..meeting.len().min(MEETING_MAX)];
        for (index, (_, first)) in meeting.iter().enumerate() {
            for (_, second) in &meeting[index + 1..] {
                crossings.entry([*first, *second]).or_default().push(at);
            }
        }
    }
    let corners = crossings.into_iter().flat_map(|(streets, mut at)| {
        at.sort_unstable();
        let middles = clusters(&at).into_iter().filter_map(|near| mean(&near));
        middles
            .map(move |at| Corner { streets, at })
            .collect::<Vec<_>>()
    });
    corners.collect()
}

/// Points that lie near the first of their cluster.
fn clusters(points: &[Point]) -> Vec<Vec<Point>> {
    let mut clusters: Vec<Vec<Point>> = Vec::new();
    for point in points {
        let near = clusters
            .iter_mut()
            .find(|near| is_near(near[0], *point, CORNER_QUANTA));
        match near {
            Some(near) => near.push(*point),
            None => clusters.push(vec![*point]),
        }
    }
    clusters
}
