//! Land from coastlines, which have it on their left.
//!
//! A coastline that leaves the frame is closed along the frame's edge, with the land on the left too.
//! One that ends inside, as in an extract of another shape than a box, is led straight to the edge.

use basemap::{Extent, Point};
use i_overlay::i_float::int::point::IntPoint;

use crate::join::{Direction, join};
use crate::node_points::NodePoints;
use crate::shape::{Contour, area, contour, frame};

/// Contours of the land in a frame, to be filled where they wind around a place; without any coastline
/// all is land.
pub(crate) fn land(coast: Vec<Vec<i64>>, points: &NodePoints, extent: Extent) -> Vec<Contour> {
    let joined = join(coast, Direction::Kept);
    let of = |nodes: &Vec<i64>| contour(&points.of(nodes));
    let islands: Vec<_> = joined.rings.iter().map(of).collect();
    let box_ = Frame::new(extent);
    let pieces: Vec<_> = joined
        .open
        .iter()
        .flat_map(|chain| box_.pieces(&of(chain)))
        .collect();
    let mut land = match pieces.is_empty() {
        true if is_amid_land(&islands) => vec![frame(extent)],
        true => Vec::new(),
        false => box_.closed(pieces),
    };
    land.extend(islands);
    land
}

/// Whether land lies around the largest ring: it is no island, but a lagoon.
fn is_amid_land(islands: &[Contour]) -> bool {
    let largest = islands.iter().max_by_key(|ring| area(ring));
    largest.is_none_or(is_clockwise)
}

fn is_clockwise(ring: &Contour) -> bool {
    let next = ring.iter().cycle().skip(1);
    let twice = ring
        .iter()
        .zip(next)
        .map(|(a, b)| i64::from(a.x) * i64::from(b.y) - i64::from(b.x) * i64::from(a.y));
    twice.sum::<i64>() < 0
}

/// A place with x to the east and y to the north, in quanta.
type Place = (f64, f64);

/// A coastline in the frame, from edge to edge.
type Piece = Vec<Place>;

struct Frame {
    min: Place,
    max: Place,
}

impl Frame {
    fn new(extent: Extent) -> Self {
        let place = |point: Point| {
            let (north, east) = point.quanta();
            (f64::from(east), f64::from(north))
        };
        Self {
            min: place(extent.min),
            max: place(extent.max),
        }
    }

    /// The parts of a chain that lie in the frame.
    fn pieces(&self, chain: &Contour) -> Vec<Piece> {
        let chain: Vec<Place> = chain
            .iter()
            .map(|at| (f64::from(at.x), f64::from(at.y)))
            .collect();
        let mut pieces: Vec<Piece> = Vec::new();
        let mut is_inside = false;
        for step in chain.windows(2) {
            let Some((from, to)) = self.clipped(step[0], step[1]) else {
                is_inside = false;
                continue;
            };
            match pieces.last_mut().filter(|_| is_inside) {
                Some(piece) => piece.push(to),
                None => pieces.push(vec![from, to]),
            }
            is_inside = to == step[1];
        }
        for piece in &mut pieces {
            self.lead_to_edge(piece);
        }
        pieces
    }

    /// The part of a step that lies in the frame (Liang and Barsky).
    fn clipped(&self, a: Place, b: Place) -> Option<(Place, Place)> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        for (towards, room) in [
            (-dx, a.0 - self.min.0),
            (dx, self.max.0 - a.0),
            (-dy, a.1 - self.min.1),
            (dy, self.max.1 - a.1),
        ] {
            if towards < 0.0 {
                first = first.max(room / towards);
            } else if towards > 0.0 {
                last = last.min(room / towards);
            } else if room < 0.0 {
                return None;
            }
        }
        let at = |share: f64| match share {
            0.0 => a,
            1.0 => b,
            _ => (a.0 + dx * share, a.1 + dy * share),
        };
        (first < last).then(|| (at(first), at(last)))
    }

    /// Adds the nearest place of the edge to an end that lies inside.
    fn lead_to_edge(&self, piece: &mut Piece) {
        piece.insert(0, self.nearest_of_edge(piece[0]));
        piece.push(self.nearest_of_edge(piece[piece.len() - 1]));
    }

    fn nearest_of_edge(&self, (x, y): Place) -> Place {
        let edges = [
            (self.min.0, y),
            (self.max.0, y),
            (x, self.min.1),
            (x, self.max.1),
        ];
        let distance = |edge: &Place| (edge.0 - x).abs() + (edge.1 - y).abs();
        let nearest = edges
            .into_iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.unwrap_or((x, y))
    }

    /// How far around the edge a place of it lies, against the clock from the south-west: 0 to 4.
    fn around(&self, (x, y): Place) -> f64 {
        let (wide, high) = (self.max.0 - self.min.0, self.max.1 - self.min.1);
        let (right, up) = ((x - self.min.0) / wide, (y - self.min.1) / high);
        let sides = [
            (up, right),
            (1.0 - right, 1.0 + up),
            (1.0 - up, 3.0 - right),
            (right, 4.0 - up),
        ];
        let side = sides
            .into_iter()
            .min_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        side.map_or(0.0, |(_, around)| around.rem_euclid(4.0))
    }

    /// The corner that begins a side, by its number.
    fn corner(&self, side: usize) -> Place {
        match side % 4 {
            0 => self.min,
            1 => (self.max.0, self.min.1),
            2 => self.max,
            _ => (self.min.0, self.max.1),
        }
    }

    /// Closes pieces along the edge: from where one ends on against the clock to where the next begins.
    fn closed(&self, pieces: Vec<Piece>) -> Vec<Contour> {
        let ends: Vec<_> = pieces
            .iter()
            .map(|piece| (self.around(piece[0]), self.around(piece[piece.len() - 1])))
            .collect();
        let mut is_used = vec![false; pieces.len()];
        let mut contours = Vec::new();
        for first in 0..pieces.len() {
            let mut at = first;
            let mut ring: Piece = Vec::new();
            while !is_used[at] {
                is_used[at] = true;
                ring.extend(&pieces[at]);
                let end = ends[at].1;
                let ahead = |start: f64| (start - end).rem_euclid(4.0);
                // The first piece is used, and yet may be the one that closes the ring.
                let next = (0..pieces.len())
                    .filter(|next| !is_used[*next] || *next == first)
                    .min_by(|a, b| ahead(ends[*a].0).total_cmp(&ahead(ends[*b].0)));
                at = next.unwrap_or(first);
                let start = end + ahead(ends[at].0);
                let sides = (1..=8).filter(|side| (end..start).contains(&f64::from(*side)));
                ring.extend(sides.map(|side| self.corner(side as usize)));
            }
            if ring.len() > 2 {
                contours.push(ring.into_iter().map(rounded).collect());
            }
        }
        contours
    }
}

fn rounded((x, y): Place) -> IntPoint<i32> {
    IntPoint::new(x.round() as i32, y.round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{area_of, common};

    /// Square quanta of land in a frame of 100 by 100, whose coastlines go through these places.
    fn check(coasts: &[&[(i32, i32)]], expected: i64) {
        let point = |east, north| Point::from_quanta(north, east).unwrap();
        let extent = Extent {
            min: point(0, 0),
            max: point(100, 100),
        };
        let id = |(x, y): (i32, i32)| i64::from(x) * 1_000 + i64::from(y);
        let ways: Vec<Vec<i64>> = coasts
            .iter()
            .map(|coast| coast.iter().map(|at| id(*at)).collect())
            .collect();
        let mut points = NodePoints::wanted(ways.concat());
        for at in coasts.iter().copied().flatten() {
            points.set(id(*at), point(at.0, at.1));
        }
        let land = common(&[frame(extent)], &land(ways, &points, extent));
        assert_eq!(
            land.iter().map(area_of).sum::<i64>(),
            expected,
            "{coasts:?}"
        );
    }

    #[test]
    fn without_a_coastline_all_is_land() {
        check(&[], 10_000);
    }

    #[test]
    fn land_is_on_the_left() {
        check(&[&[(40, -10), (40, 110)]], 4_000);
        check(&[&[(40, 110), (40, -10)]], 6_000);
        check(&[&[(-10, 30), (110, 30)]], 7_000);
    }

    #[test]
    fn a_coastline_may_come_in_parts_and_leave_the_frame_on_its_way() {
        check(&[&[(40, 50), (40, 110)], &[(40, -10), (40, 50)]], 4_000);
        check(
            &[&[
                (50, -10),
                (50, 20),
                (150, 20),
                (150, 80),
                (50, 80),
                (50, 110),
            ]],
            5_000 + 50 * 60,
        );
    }

    #[test]
    fn a_river_mouth_between_two_coastlines_is_water() {
        check(&[&[(40, -10), (40, 110)], &[(60, 110), (60, -10)]], 8_000);
    }

    #[test]
    fn an_island_is_land_and_a_lagoon_is_not() {
        let island = [(10, 10), (30, 10), (30, 30), (10, 30), (10, 10)];
        check(&[&island], 400);
        let mut lagoon = island;
        lagoon.reverse();
        check(&[&lagoon], 9_600);
        check(&[&[(40, 110), (40, -10)], &island], 6_400);
        check(&[&[(40, -10), (40, 110)], &lagoon], 3_600);
    }

    #[test]
    fn a_coastline_that_ends_inside_is_led_to_the_edge() {
        check(&[&[(40, 5), (40, 110)]], 4_000);
        check(&[&[(40, 5), (40, 95)]], 4_000);
    }
}
