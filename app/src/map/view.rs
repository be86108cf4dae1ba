//! What part of the city is shown, and its text in the page's address.

use super::plane::{Plane, Point};
use crate::decimal::{self, fixed};
use crate::math::within;

/// How far out and in a rider may zoom.
pub(crate) const ZOOM_MIN: f64 = 9.0;
/// See [`ZOOM_MIN`].
pub(crate) const ZOOM_MAX: f64 = 18.5;
/// Fitting a few docks stops here, so that a single dock is shown in its surroundings.
pub(crate) const ZOOM_FIT_MAX: f64 = 16.0;

/// A view: the centre in degrees and the zoom of Web Mercator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    /// Zoom: 256 pixels show the whole world at 0, half of it at 1.
    pub(crate) zoom: f64,
    /// Latitude of the centre in degrees.
    pub(crate) lat: f64,
    /// Longitude of the centre in degrees.
    pub(crate) lon: f64,
}

impl View {
    /// Reads `#15.2/40.7457/-73.9819`.
    #[must_use]
    pub(crate) fn from_hash(hash: &str) -> Option<Self> {
        let mut parts = hash.trim_start_matches('#').split('/').map(decimal::parse);
        let mut next = || parts.next().flatten();
        let (zoom, lat, lon) = (next()?, next()?, next()?);
        let on_earth = lat.abs() < 85.0 && lon.abs() <= 180.0;
        on_earth.then(|| Self {
            zoom: within(zoom, ZOOM_MIN, ZOOM_MAX),
            lat,
            lon,
        })
    }

    /// Writes `#15.20/40.74570/-73.98190`.
    #[must_use]
    pub(crate) fn to_hash(self) -> String {
        let Self { zoom, lat, lon } = self;
        format!("#{}/{}/{}", fixed(zoom, 2), fixed(lat, 5), fixed(lon, 5))
    }
}

/// A view on a screen: turns metres into pixels and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Camera {
    /// The centre of the screen.
    pub(crate) centre: Point,
    /// Pixels per metre.
    pub(crate) scale: f64,
    /// Width of the screen in pixels (CSS pixels, not the device's).
    pub(crate) width: f64,
    /// Height of the screen in pixels.
    pub(crate) height: f64,
}

impl Camera {
    /// Where a point of the plane is on the screen.
    #[must_use]
    pub(crate) fn screen(&self, point: Point) -> (f64, f64) {
        (
            (point.x - self.centre.x) * self.scale + self.width / 2.0,
            (point.y - self.centre.y) * self.scale + self.height / 2.0,
        )
    }

    /// What point of the plane a pixel shows.
    #[must_use]
    pub(crate) fn point(&self, x: f64, y: f64) -> Point {
        Point {
            x: (x - self.width / 2.0) / self.scale + self.centre.x,
            y: (y - self.height / 2.0) / self.scale + self.centre.y,
        }
    }

    /// Moves the map by pixels, as if dragged.
    #[must_use]
    pub(crate) fn panned(self, dx: f64, dy: f64) -> Self {
        let centre = Point {
            x: self.centre.x - dx / self.scale,
            y: self.centre.y - dy / self.scale,
        };
        Self { centre, ..self }
    }

    /// Changes the scale and keeps the point under pixel (`x`, `y`) where it is.
    #[must_use]
    pub(crate) fn scaled_at(self, scale: f64, x: f64, y: f64) -> Self {
        let fixed = self.point(x, y);
        let centre = Point {
            x: fixed.x - (x - self.width / 2.0) / scale,
            y: fixed.y - (y - self.height / 2.0) / scale,
        };
        Self {
            centre,
            scale,
            ..self
        }
    }

    /// Whether a box touches the screen.
    #[must_use]
    pub(crate) fn meets(&self, bounds: Bounds) -> bool {
        let ((left, top), (right, bottom)) = (self.screen(bounds.min), self.screen(bounds.max));
        left <= self.width && right >= 0.0 && top <= self.height && bottom >= 0.0
    }

    /// Whether a circle of `margin` pixels around a screen position touches the screen.
    #[must_use]
    pub(crate) fn sees(&self, (x, y): (f64, f64), margin: f64) -> bool {
        x > -margin && y > -margin && x < self.width + margin && y < self.height + margin
    }
}

/// The box around some points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    /// North-west corner.
    pub(crate) min: Point,
    /// South-east corner.
    pub(crate) max: Point,
}

impl Bounds {
    /// The smallest box around `points`; none around nothing.
    #[must_use]
    pub(crate) fn around(points: impl IntoIterator<Item = Point>) -> Option<Self> {
        points.into_iter().fold(None, |bounds, p| {
            let Bounds { min, max } = bounds.unwrap_or(Bounds { min: p, max: p });
            Some(Bounds {
                min: Point {
                    x: min.x.min(p.x),
                    y: min.y.min(p.y),
                },
                max: Point {
                    x: max.x.max(p.x),
                    y: max.y.max(p.y),
                },
            })
        })
    }

    /// The box, larger by `margin_m` metres on each side.
    #[must_use]
    pub(crate) fn widened(self, margin_m: f64) -> Self {
        Self {
            min: Point {
                x: self.min.x - margin_m,
                y: self.min.y - margin_m,
            },
            max: Point {
                x: self.max.x + margin_m,
                y: self.max.y + margin_m,
            },
        }
    }

    /// The middle.
    #[must_use]
    pub(crate) fn centre(self) -> Point {
        self.min.toward(self.max, 0.5)
    }

    /// Pixels per metre at which the box fills a screen of the given size.
    #[must_use]
    pub(crate) fn fitting_scale(self, width: f64, height: f64) -> f64 {
        let wide = (self.max.x - self.min.x).max(1.0);
        let high = (self.max.y - self.min.y).max(1.0);
        (width / wide).min(height / high)
    }
}

/// The camera that shows all of `bounds`, but no closer than [`ZOOM_FIT_MAX`].
#[must_use]
pub(crate) fn fit(plane: &Plane, bounds: Bounds, width: f64, height: f64) -> Camera {
    let scale = within(
        bounds.fitting_scale(width, height),
        plane.pixels_per_metre(ZOOM_MIN),
        plane.pixels_per_metre(ZOOM_FIT_MAX),
    );
    Camera {
        centre: bounds.centre(),
        scale,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_the_view() {
        let view = View {
            zoom: 15.25,
            lat: 40.7457,
            lon: -73.9819,
        };
        assert_eq!(view.to_hash(), "#15.25/40.74570/-73.98190");
        assert_eq!(View::from_hash(&view.to_hash()), Some(view));
    }

    #[test]
    fn a_foreign_hash_is_no_view() {
        for hash in ["", "#docks", "#15", "#15/40.7", "#15/NaN/1", "#15/95/1"] {
            assert_eq!(View::from_hash(hash), None, "{hash}");
        }
    }

    #[test]
    fn zooming_keeps_the_point_under_the_cursor() {
        let camera = Camera {
            centre: Point { x: 50.0, y: 20.0 },
            scale: 0.2,
            width: 800.0,
            height: 600.0,
        };
        let before = camera.point(100.0, 500.0);
        let after = camera.scaled_at(0.7, 100.0, 500.0).point(100.0, 500.0);
        assert!(before.distance(after) < 1e-9);
    }
}
