//! Fingers and mouse buttons that are down on the map, and what their moves mean.

use crate::math::{length, log2};

/// Pointers that moved less than this many pixels have clicked.
const CLICK_MAX_PX: f64 = 6.0;

/// The pointers of one gesture, from the first that came down to the last that went up.
#[derive(Debug, Default)]
pub(crate) struct Pointers {
    /// Id and place of each pointer that is down.
    down: Vec<(i32, f64, f64)>,
    /// How far they have moved since the first came down, in pixels.
    moved: f64,
    /// Whether a second finger was ever part of it: then it is no click.
    was_pinch: bool,
}

/// What a move does to the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drag {
    /// Pixels by which the map moves.
    pub(crate) pan: (f64, f64),
    /// Levels by which it zooms and the pixel around which, after it has moved; none with one pointer.
    pub(crate) zoom: Option<(f64, (f64, f64))>,
}

impl Pointers {
    /// Whether no pointer is down: then a move is a hover.
    pub(crate) fn are_up(&self) -> bool {
        self.down.is_empty()
    }

    /// A pointer came down.
    pub(crate) fn press(&mut self, id: i32, (x, y): (f64, f64)) {
        if self.down.is_empty() {
            *self = Self::default();
        }
        self.down.push((id, x, y));
        self.was_pinch |= self.down.len() > 1;
    }

    /// A pointer moved: one alone pans, two pan and zoom. None while it may still be a click.
    pub(crate) fn drag(&mut self, id: i32, (x, y): (f64, f64)) -> Option<Drag> {
        let pointer = self.down.iter_mut().find(|(known, ..)| *known == id)?;
        let (_, old_x, old_y) = std::mem::replace(pointer, (id, x, y));
        let (dx, dy) = (x - old_x, y - old_y);
        self.moved += length(dx, dy);
        if self.moved < CLICK_MAX_PX && !self.was_pinch {
            return None;
        }
        let other = self.down.iter().find(|(other, ..)| *other != id);
        let Some((_, other_x, other_y)) = other else {
            return Some(Drag {
                pan: (dx, dy),
                zoom: None,
            });
        };
        let before = length(old_x - other_x, old_y - other_y).max(1.0);
        let after = length(x - other_x, y - other_y).max(1.0);
        let middle = ((x + other_x) / 2.0, (y + other_y) / 2.0);
        Some(Drag {
            // Each finger moves the middle by half its way.
            pan: (dx / 2.0, dy / 2.0),
            zoom: Some((log2(after / before), middle)),
        })
    }

    /// A pointer went up; says whether the gesture was a click.
    pub(crate) fn release(&mut self, id: i32) -> bool {
        self.cancel(id);
        self.down.is_empty() && self.moved < CLICK_MAX_PX && !self.was_pinch
    }

    /// The browser took a pointer away.
    pub(crate) fn cancel(&mut self, id: i32) {
        self.down.retain(|(known, ..)| *known != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(ids: &[(i32, (f64, f64))]) -> Pointers {
        let mut pointers = Pointers::default();
        for (id, at) in ids {
            pointers.press(*id, *at);
        }
        pointers
    }

    #[test]
    fn a_press_that_hardly_moves_is_a_click() {
        let mut pointers = pressed(&[(1, (100.0, 100.0))]);
        assert_eq!(pointers.drag(1, (102.0, 101.0)), None);
        assert!(pointers.release(1));
        assert!(pointers.are_up());
    }

    #[test]
    fn one_pointer_pans_and_has_not_clicked() {
        let mut pointers = pressed(&[(1, (100.0, 100.0))]);
        let drag = pointers.drag(1, (110.0, 95.0));
        let pan = Drag {
            pan: (10.0, -5.0),
            zoom: None,
        };
        assert_eq!(drag, Some(pan));
        assert!(!pointers.release(1));
    }

    #[test]
    fn two_fingers_that_part_to_twice_their_distance_zoom_by_a_level_around_their_middle() {
        let mut pointers = pressed(&[(1, (100.0, 100.0)), (2, (200.0, 100.0))]);
        let drag = pointers.drag(2, (300.0, 100.0));
        let pinch = Drag {
            pan: (50.0, 0.0),
            zoom: Some((1.0, (200.0, 100.0))),
        };
        assert_eq!(drag, Some(pinch));
    }

    #[test]
    fn a_pinch_is_no_click_even_if_nothing_moved() {
        let mut pointers = pressed(&[(1, (100.0, 100.0)), (2, (200.0, 100.0))]);
        assert!(!pointers.release(2));
        assert!(!pointers.release(1));
        pointers.press(3, (50.0, 50.0));
        assert!(pointers.release(3), "the next gesture starts anew");
    }

    #[test]
    fn a_pointer_that_is_not_down_moves_nothing() {
        assert_eq!(Pointers::default().drag(7, (500.0, 500.0)), None);
    }
}
