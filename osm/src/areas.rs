//! Waters and parks, and the ground they leave.

use basemap::{Extent, Point, Ring};

use crate::join::{Direction, join};
use crate::node_points::NodePoints;
use crate::selection::Area;
use crate::shape::{
    Contour, Shape, common, contour, contours, enclosed, frame, rings, union, without,
};
use crate::tags::AreaKind;

/// How far what reaches the edge of the box is drawn beyond it, in quanta: more than any screen shows.
const BEYOND_QUANTA: i32 = 75_000;

/// Each area with what it covers. Lines that do not close, as where an extract ends, are left out.
pub(crate) fn shapes(areas: Vec<Area>, points: &NodePoints) -> Vec<(Area, Vec<Shape>)> {
    let shaped = areas.into_iter().map(|mut area| {
        let joined = join(std::mem::take(&mut area.ways), Direction::Either);
        let rings = joined.rings.iter().map(|nodes| contour(&points.of(nodes)));
        (area, enclosed(&rings.collect::<Vec<_>>()))
    });
    shaped.filter(|(_, shapes)| !shapes.is_empty()).collect()
}

/// The land of a frame without its waters, and the parks on it; no two rings of a kind overlap.
pub(crate) fn ground(
    land: Vec<Contour>,
    areas: &[(Area, Vec<Shape>)],
    extent: Extent,
) -> (Vec<Ring>, Vec<Ring>) {
    let covered = |kind: AreaKind| {
        let of_kind = areas.iter().filter(move |(area, _)| area.kind == kind);
        let shapes = of_kind.flat_map(|(_, shapes)| shapes.iter().flatten().cloned());
        contours(union(&shapes.collect::<Vec<_>>()))
    };
    let land = contours(common(&[frame(extent)], &land));
    let land = contours(without(&land, &covered(AreaKind::Water)));
    let parks = common(&land, &covered(AreaKind::Park));
    let land = rings(vec![land]).into_iter();
    (
        land.map(|ring| beyond(ring, extent)).collect(),
        rings(parks),
    )
}

/// Leads land that reaches the edge straight on, so that it does not seem to end in water there.
fn beyond(mut ring: Ring, extent: Extent) -> Ring {
    let is_at_edge = |point: &Point| outward(*point, extent) != *point;
    // Each stay at the edge in one piece.
    let inside = ring.iter().position(|point| !is_at_edge(point));
    ring.rotate_left(inside.unwrap_or_default());
    let mut led = Ring::new();
    for stay in ring.chunk_by(|a, b| is_at_edge(a) == is_at_edge(b)) {
        match stay {
            [first, .., last] if is_at_edge(first) => {
                let ends = inside.map(|_| (*first, *last));
                led.extend(ends.map(|(first, _)| first));
                led.extend(stay.iter().map(|point| outward(*point, extent)));
                led.extend(ends.map(|(_, last)| last));
            }
            _ => led.extend(stay),
        }
    }
    led
}

/// A point of the edge, moved away from it; any other stays.
fn outward(point: Point, extent: Extent) -> Point {
    let (min, max) = (extent.min.quanta(), extent.max.quanta());
    let moved = |at: i32, min: i32, max: i32| match at {
        _ if at == min => at - BEYOND_QUANTA,
        _ if at == max => at + BEYOND_QUANTA,
        _ => at,
    };
    let (north, east) = point.quanta();
    let moved = Point::from_quanta(moved(north, min.0, max.0), moved(east, min.1, max.1));
    // Beyond the Earth there is nothing to draw.
    moved.unwrap_or(point)
}
