//! Lines and areas on the grid: what lies in a frame, without points that nobody would see.

use basemap::{Extent, Point, Ring};
use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::Overlay;
use i_overlay::core::overlay_rule::OverlayRule;
use i_overlay::i_float::int::point::IntPoint;

/// How far a simplified line may lie from the true one, in quanta of the grid, which are about 2 m.
pub(crate) const LINE_TOLERANCE: f64 = 1.0;
/// The same of the edge of an area.
const AREA_TOLERANCE: f64 = 1.5;
/// Areas with fewer square quanta are left out (chosen: some 400 m², a large house).
const AREA_MIN: i64 = 100;

/// A closed line, x to the east and y to the north.
pub(crate) type Contour = Vec<IntPoint<i32>>;
/// An outer contour with the holes in it.
pub(crate) type Shape = Vec<Contour>;

pub(crate) fn contour(points: &[Point]) -> Contour {
    let contour = points.iter().map(|point| {
        let (north, east) = point.quanta();
        IntPoint::new(east, north)
    });
    contour.collect()
}

/// The edge of a frame.
pub(crate) fn frame(extent: Extent) -> Contour {
    let ((south, west), (north, east)) = (extent.min.quanta(), extent.max.quanta());
    let corners = [(west, south), (east, south), (east, north), (west, north)];
    corners.map(|(x, y)| IntPoint::new(x, y)).to_vec()
}

/// What closed lines enclose an odd number of times: with the ring of an island in that of its lake,
/// the lake without the island.
pub(crate) fn enclosed(rings: &[Contour]) -> Vec<Shape> {
    overlay(rings, &[], OverlayRule::Subject, FillRule::EvenOdd)
}

/// What any of some shapes covers.
pub(crate) fn union(shapes: &[Contour]) -> Vec<Shape> {
    overlay(shapes, &[], OverlayRule::Subject, FillRule::NonZero)
}

/// What both cover.
pub(crate) fn common(a: &[Contour], b: &[Contour]) -> Vec<Shape> {
    overlay(a, b, OverlayRule::Intersect, FillRule::NonZero)
}

/// What the first covers and the second does not.
pub(crate) fn without(a: &[Contour], b: &[Contour]) -> Vec<Shape> {
    overlay(a, b, OverlayRule::Difference, FillRule::NonZero)
}

fn overlay(a: &[Contour], b: &[Contour], rule: OverlayRule, fill: FillRule) -> Vec<Shape> {
    Overlay::from_subj_and_clip(a, b).overlay(rule, fill)
}

/// All contours of shapes, which the next operation takes.
pub(crate) fn contours(shapes: Vec<Shape>) -> Vec<Contour> {
    shapes.into_iter().flatten().collect()
}

/// Square quanta that a contour encloses.
pub(crate) fn area(contour: &[IntPoint<i32>]) -> i64 {
    let next = contour.iter().cycle().skip(1);
    let twice: i64 = contour
        .iter()
        .zip(next)
        .map(|(a, b)| i64::from(a.x) * i64::from(b.y) - i64::from(b.x) * i64::from(a.y))
        .sum();
    twice.abs() / 2
}

/// Square quanta of a shape, its holes left out.
pub(crate) fn area_of(shape: &Shape) -> i64 {
    let mut areas = shape.iter().map(|contour| area(contour));
    areas.next().unwrap_or_default() - areas.sum::<i64>()
}

/// The rings of shapes as a file has them, the largest first; what is too small to be seen is left out.
pub(crate) fn rings(shapes: Vec<Shape>) -> Vec<Ring> {
    let mut contours = contours(shapes);
    contours.retain(|contour| area(contour) >= AREA_MIN);
    contours.sort_by_cached_key(|contour| std::cmp::Reverse(area(contour)));
    let rings = contours.iter().map(|contour| {
        let points = contour
            .iter()
            .filter_map(|at| Point::from_quanta(at.y, at.x));
        let mut ring: Ring = points.collect();
        ring.extend(ring.first().copied());
        let mut ring = simplified(&ring, AREA_TOLERANCE);
        ring.pop();
        ring
    });
    rings.filter(|ring| ring.len() > 2).collect()
}

/// Leaves out points without which a line stays within `tolerance` quanta (Douglas and Peucker).
pub(crate) fn simplified(line: &[Point], tolerance: f64) -> Vec<Point> {
    let Some(last) = line.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut keep = vec![false; line.len()];
    (keep[0], keep[last]) = (true, true);
    let mut pieces = vec![(0, last)];
    while let Some((from, to)) = pieces.pop() {
        let far = (from + 1..to)
            .map(|at| (at, distance(line[at], line[from], line[to])))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, distance)) = far
            && distance > tolerance
        {
            keep[at] = true;
            pieces.extend([(from, at), (at, to)]);
        }
    }
    let kept = line.iter().zip(keep).filter(|(_, keep)| *keep);
    kept.map(|(point, _)| *point).collect()
}

/// Quanta from a point to the piece from `a` to `b`.
fn distance(point: Point, a: Point, b: Point) -> f64 {
    let at = |point: Point| {
        let (north, east) = point.quanta();
        (f64::from(east), f64::from(north))
    };
    let ((x, y), (ax, ay), (bx, by)) = (at(point), at(a), at(b));
    let (dx, dy) = (bx - ax, by - ay);
    let long = dx * dx + dy * dy;
    let share = if long > 0.0 {
        ((x - ax) * dx + (y - ay) * dy) / long
    } else {
        0.0
    };
    let share = share.clamp(0.0, 1.0);
    (x - ax - dx * share).hypot(y - ay - dy * share)
}

/// A point well inside a shape, where its name can stand: amid the widest piece of the line through its
/// middle from west to east.
pub(crate) fn middle(shape: &Shape) -> Option<Point> {
    let outer = shape.first()?;
    let (south, north) = (
        outer.iter().map(|at| at.y).min()?,
        outer.iter().map(|at| at.y).max()?,
    );
    let y = f64::from(south).midpoint(f64::from(north)).floor() + 0.5;
    let mut crossings: Vec<f64> = Vec::new();
    for contour in shape {
        for (a, b) in contour.iter().zip(contour.iter().cycle().skip(1)) {
            let (ay, by) = (f64::from(a.y), f64::from(b.y));
            if (ay > y) != (by > y) {
                let share = (y - ay) / (by - ay);
                crossings.push(f64::from(a.x) + share * (f64::from(b.x) - f64::from(a.x)));
            }
        }
    }
    crossings.sort_by(f64::total_cmp);
    let widest = crossings
        .chunks_exact(2)
        .max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])))?;
    Point::from_quanta(y as i32, widest[0].midpoint(widest[1]) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: i32, y: i32, side: i32) -> Contour {
        let corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)];
        corners.map(|(x, y)| IntPoint::new(x, y)).to_vec()
    }

    fn turned(mut contour: Contour) -> Contour {
        contour.reverse();
        contour
    }

    fn areas(shapes: &[Shape]) -> Vec<i64> {
        shapes.iter().map(area_of).collect()
    }

    #[test]
    fn a_ring_in_a_ring_is_a_hole_in_whatever_direction_it_runs() {
        for inner in [square(40, 40, 20), turned(square(40, 40, 20))] {
            assert_eq!(
                areas(&enclosed(&[square(0, 0, 100), inner])),
                [10_000 - 400]
            );
        }
    }

    #[test]
    fn what_overlaps_is_covered_once() {
        let shapes = union(&[square(0, 0, 100), square(50, 0, 100)]);
        assert_eq!(areas(&shapes), [15_000]);
    }

    #[test]
    fn a_lake_is_cut_out_and_what_leaves_the_frame_is_cut_off() {
        let land = without(&[square(0, 0, 100)], &[square(90, 0, 100)]);
        assert_eq!(areas(&land), [9_000]);
        assert_eq!(
            areas(&common(&[square(0, 0, 100)], &contours(land))),
            [9_000]
        );
    }

    #[test]
    fn the_largest_ring_is_first_and_tiny_ones_are_gone() {
        let rings = rings(vec![
            vec![square(0, 0, 9)],
            vec![square(20, 0, 11)],
            vec![square(50, 0, 50)],
        ]);
        let sides: Vec<_> = rings
            .iter()
            .map(|ring| {
                let east = ring.iter().map(|point| point.quanta().1);
                east.clone().max().unwrap() - east.min().unwrap()
            })
            .collect();
        assert_eq!(sides, [50, 11]);
    }

    #[test]
    fn points_on_a_straight_line_are_left_out() {
        let line: Vec<_> = [(0, 0), (1, 50), (0, 100), (40, 100)]
            .into_iter()
            .filter_map(|(north, east)| Point::from_quanta(north, east))
            .collect();
        assert_eq!(simplified(&line, LINE_TOLERANCE).len(), 3);
        assert_eq!(simplified(&line, 0.5).len(), 4);
        assert_eq!(simplified(&[], 1.0), []);
    }

    #[test]
    fn a_name_stands_in_its_area_beside_the_hole() {
        let shape = vec![square(0, 0, 100), turned(square(30, 10, 60))];
        let (north, east) = middle(&shape).unwrap().quanta();
        assert_eq!((north, east), (50, 15));
        assert_eq!(middle(&Vec::new()), None);
    }
}
