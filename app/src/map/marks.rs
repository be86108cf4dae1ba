//! The docks as marks on the screen: which are seen, which is hit, and which have changed.

use super::look::radius;
use super::motion::Motion;
use super::plane::{Plane, Point};
use super::ripples::Ripples;
use super::viewport::Viewport;
use crate::math::length;
use crate::model::{Count, SEARCH_RADIUS_M};
use crate::seeking::Seeking;

/// A dock is hit this many pixels beyond its circle: fingers are wide.
const HIT_MARGIN_PX: f64 = 9.0;
/// Pixels beyond the screen at which a dock is drawn all the same: its circle may reach in.
const SEEN_MARGIN_PX: f64 = 30.0;

/// A dock as it is drawn in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    pub(crate) id: i32,
    /// Centre in CSS pixels.
    pub(crate) at: (f64, f64),
    pub(crate) count: Count,
    /// How much of what is sought is there.
    pub(crate) amount: i32,
    /// Whether no search is on, or the dock is within its three blocks.
    pub(crate) is_near: bool,
}

/// The docks on the plane, in the list's order.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    points: Vec<Point>,
    /// What the circles are of.
    seeking: Seeking,
    ripples: Ripples,
}

impl Marks {
    /// Puts docks on the plane: their degrees (latitude, longitude) and counts.
    pub(crate) fn place(
        &mut self,
        plane: &Plane,
        docks: impl Iterator<Item = ((f64, f64), Count)> + Clone,
        seeking: Seeking,
    ) {
        self.seeking = seeking;
        self.ripples
            .reset(docks.clone().map(|(_, count)| count.amount(seeking)));
        self.points = docks.map(|((lat, lon), _)| plane.point(lat, lon)).collect();
    }

    /// What the circles are of.
    pub(crate) fn seeking(&self) -> Seeking {
        self.seeking
    }

    /// Where the docks are.
    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The dock at a pixel, if any: the nearest of those that are hit. `docks` are ids and counts.
    pub(crate) fn hit(
        &self,
        docks: impl Iterator<Item = (i32, Count)>,
        viewport: &Viewport,
        (x, y): (f64, f64),
    ) -> Option<i32> {
        let (camera, zoom) = (viewport.camera(), viewport.zoom());
        let hits = docks.zip(&self.points).filter_map(|((id, count), point)| {
            let (dock_x, dock_y) = camera.screen(*point);
            let distance = length(dock_x - x, dock_y - y);
            let reach = radius(count.amount(self.seeking), zoom) + HIT_MARGIN_PX;
            (distance <= reach).then_some((distance, id))
        });
        hits.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id)
    }

    /// The docks on the screen; a count that differs from the last drawing starts a ripple.
    ///
    /// `docks` are ids and counts, `place` is what was searched for.
    pub(crate) fn seen(
        &mut self,
        docks: impl Iterator<Item = (i32, Count)>,
        viewport: &Viewport,
        place: Option<Point>,
        now_ms: f64,
    ) -> Vec<Mark> {
        let Self {
            points,
            ripples,
            seeking,
        } = self;
        let camera = viewport.camera();
        let docks = docks.zip(points.iter()).enumerate();
        let seen = docks.filter_map(|(index, ((id, count), point))| {
            // Noted out of sight too: a dock that comes into sight has not changed just then.
            let amount = count.amount(*seeking);
            let is_news = ripples.note(index, amount);
            let at = camera.screen(*point);
            if !camera.sees(at, SEEN_MARGIN_PX) {
                return None;
            }
            if is_news && viewport.motion() == Motion::Full {
                ripples.start(id, now_ms);
            }
            Some(Mark {
                id,
                at,
                count,
                amount,
                is_near: place.is_none_or(|place| place.distance(*point) <= SEARCH_RADIUS_M),
            })
        });
        seen.collect()
    }

    /// The docks from which ripples run, with the share of the way that each has run, 0 to 1.
    pub(crate) fn ripples(&mut self, now_ms: f64) -> Vec<(i32, f64)> {
        self.ripples.running(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the middle of the plane, 400 m east of it, and 40 km east.
    const EAST_DEGREES: [f64; 3] = [0.0, 0.004_75, 0.475];

    fn docks(bikes: [i32; 3]) -> impl Iterator<Item = (i32, Count)> {
        let count = |bikes| Count {
            bikes,
            ..Count::default()
        };
        bikes
            .into_iter()
            .zip(1..)
            .map(move |(bikes, id)| (id, count(bikes)))
    }

    fn map(motion: Motion) -> (Viewport, Marks) {
        let mut viewport = Viewport::new(Plane::around(40.73, -73.98), motion);
        viewport.resize(800.0, 600.0);
        let mut marks = Marks::default();
        let placed = docks([5, 0, 7]).zip(EAST_DEGREES);
        let placed: Vec<_> = placed
            .map(|((_, count), east)| ((40.73, -73.98 + east), count))
            .collect();
        marks.place(viewport.plane(), placed.into_iter(), Seeking::Bikes);
        // The first two docks are on the screen: 400 m are 80 pixels.
        viewport.zoom_at(2.0, 400.0, 300.0);
        (viewport, marks)
    }

    fn ids(marks: &[Mark]) -> Vec<i32> {
        marks.iter().map(|mark| mark.id).collect()
    }

    #[test]
    fn only_docks_on_the_screen_are_drawn() {
        let (viewport, mut marks) = map(Motion::Full);
        assert_eq!(
            ids(&marks.seen(docks([5, 0, 7]), &viewport, None, 0.0)),
            [1, 2]
        );
    }

    #[test]
    fn docks_beyond_three_blocks_of_a_place_are_far() {
        let (viewport, mut marks) = map(Motion::Full);
        let near = |place, marks: &mut Marks| -> Vec<bool> {
            let seen = marks.seen(docks([5, 0, 7]), &viewport, place, 0.0);
            seen.iter().map(|mark| mark.is_near).collect()
        };
        assert_eq!(near(Some(Point::default()), &mut marks), [true, false]);
        assert_eq!(near(None, &mut marks), [true, true]);
    }

    #[test]
    fn a_dock_ripples_when_its_count_changes_in_sight() {
        let (mut viewport, mut marks) = map(Motion::Full);
        marks.seen(docks([5, 0, 7]), &viewport, None, 0.0);
        assert!(marks.ripples(0.0).is_empty(), "nothing has changed yet");
        marks.seen(docks([5, 1, 8]), &viewport, None, 100.0);
        assert_eq!(marks.ripples(100.0), [(2, 0.0)]);
        // The third changed out of sight, and is no news when it comes into sight.
        viewport.fly_to_dock(marks.points()[2], 0.0);
        viewport.advance(5_000.0);
        let seen = marks.seen(docks([5, 1, 8]), &viewport, None, 5_000.0);
        assert_eq!(ids(&seen), [3]);
        assert!(marks.ripples(5_000.0).is_empty());
    }

    #[test]
    fn nothing_ripples_for_who_asks_for_less_motion() {
        let (viewport, mut marks) = map(Motion::Reduced);
        marks.seen(docks([9, 9, 9]), &viewport, None, 0.0);
        assert!(marks.ripples(0.0).is_empty());
    }

    #[test]
    fn the_nearest_dock_within_a_fingers_width_is_hit() {
        let (viewport, marks) = map(Motion::Full);
        let hit = |at| marks.hit(docks([5, 0, 7]), &viewport, at);
        let east = viewport.camera().screen(marks.points()[1]);
        assert_eq!(hit((400.0, 300.0)), Some(1));
        assert_eq!(hit(east), Some(2));
        assert_eq!(hit((east.0, east.1 + HIT_MARGIN_PX)), Some(2));
        assert_eq!(hit((400.0, 400.0)), None);
    }
}
