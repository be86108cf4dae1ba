//! Motion on the map: how the camera flies from one view to another, and whether riders want that.

use super::view::Camera;
use crate::math::{pow, within};

/// A flight takes this long, in milliseconds.
const FLIGHT_MS: f64 = 420.0;

/// How much may move without the rider's hand on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    /// The camera flies, changed docks ripple.
    Full,
    /// Nothing does: the rider's system asks for less motion.
    Reduced,
}

/// A flight of the camera: fast at first, then slower and slower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Flight {
    from: Camera,
    to: Camera,
    began_ms: f64,
}

impl Flight {
    /// Takes off at `now_ms`.
    pub(crate) fn new(from: Camera, to: Camera, now_ms: f64) -> Self {
        Self {
            from,
            to,
            began_ms: now_ms,
        }
    }

    /// Where it leads.
    pub(crate) fn target(&self) -> Camera {
        self.to
    }

    /// The camera on its way; `current` gives the size of the screen, which may change meanwhile.
    ///
    /// The scale grows by the same factor in the same share of the way, as eyes expect of a zoom.
    pub(crate) fn camera(&self, current: Camera, now_ms: f64) -> Camera {
        let Self { from, to, .. } = self;
        let left = 1.0 - self.share(now_ms);
        let eased = 1.0 - left * left * left;
        Camera {
            centre: from.centre.toward(to.centre, eased),
            scale: from.scale * pow(to.scale / from.scale, eased),
            ..current
        }
    }

    /// Whether it is over.
    pub(crate) fn has_landed(&self, now_ms: f64) -> bool {
        self.share(now_ms) >= 1.0
    }

    /// The share of its time that has passed, 0 to 1. A frame may be older than the flight.
    fn share(&self, now_ms: f64) -> f64 {
        within((now_ms - self.began_ms) / FLIGHT_MS, 0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::plane::Point;

    fn camera(x: f64, scale: f64) -> Camera {
        Camera {
            centre: Point { x, y: 0.0 },
            scale,
            width: 800.0,
            height: 600.0,
        }
    }

    fn flight() -> Flight {
        Flight::new(camera(0.0, 0.1), camera(1_000.0, 0.4), 5_000.0)
    }

    #[test]
    fn a_flight_begins_where_it_takes_off_and_ends_at_its_target() {
        let flight = flight();
        for (now_ms, x, scale, has_landed) in [
            (4_990.0, 0.0, 0.1, false),
            (5_000.0, 0.0, 0.1, false),
            (5_420.0, 1_000.0, 0.4, true),
            (9_000.0, 1_000.0, 0.4, true),
        ] {
            let at = flight.camera(camera(7.0, 7.0), now_ms);
            assert!((at.centre.x - x).abs() < 1e-6, "{now_ms}: {at:?}");
            assert!((at.scale - scale).abs() < 1e-9, "{now_ms}: {at:?}");
            assert_eq!(flight.has_landed(now_ms), has_landed, "{now_ms}");
        }
    }

    #[test]
    fn most_of_a_flight_lies_in_its_first_half() {
        let at = flight().camera(camera(0.0, 0.1), 5_210.0);
        assert!((at.centre.x - 875.0).abs() < 1e-6, "{at:?}");
        // Seven eighths of two doublings.
        assert!((at.scale - 0.1 * 1.75_f64.exp2()).abs() < 1e-9, "{at:?}");
    }

    #[test]
    fn a_screen_that_changes_its_size_keeps_it_in_flight() {
        let resized = Camera {
            width: 320.0,
            ..camera(0.0, 0.1)
        };
        assert!((flight().camera(resized, 5_100.0).width - 320.0).abs() < 1e-9);
    }
}
