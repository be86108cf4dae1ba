//! Web Mercator, scaled to metres on the ground around one origin.
//!
//! A city is small: on this plane one unit is one metre to within 0.4 % across New York, and the
//! numbers stay small enough for the 32-bit paths of a canvas.

use std::f64::consts::PI;

use crate::math;

/// Length of the equator in metres (WGS 84).
const EQUATOR_M: f64 = 40_075_016.686;

/// A point on a [`Plane`]: metres east and south of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    /// Metres east.
    pub(crate) x: f64,
    /// Metres south, as screens count.
    pub(crate) y: f64,
}

impl Point {
    /// Distance to `other` in metres.
    #[must_use]
    pub(crate) fn distance(self, other: Self) -> f64 {
        math::length(self.x - other.x, self.y - other.y)
    }

    /// The point at share `t` of the way to `other`.
    #[must_use]
    pub(crate) fn toward(self, other: Self, t: f64) -> Self {
        Self {
            x: self.x + (other.x - self.x) * t,
            y: self.y + (other.y - self.y) * t,
        }
    }
}

/// A flat piece of the world around an origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plane {
    origin: (f64, f64),
    /// Metres on the ground per world unit (the whole world is one unit wide).
    metres_per_world: f64,
}

impl Plane {
    /// A plane around a point given in degrees.
    #[must_use]
    pub(crate) fn around(lat: f64, lon: f64) -> Self {
        Self {
            origin: world(lat, lon),
            metres_per_world: EQUATOR_M * math::cos(lat.to_radians()),
        }
    }

    /// A plane in the middle of places (latitude, longitude); New York where there are none yet.
    #[must_use]
    pub(crate) fn amid(places: impl ExactSizeIterator<Item = (f64, f64)>) -> Self {
        if places.len() == 0 {
            return Self::around(40.73, -73.98);
        }
        let count = places.len() as f64;
        let (lat, lon) = places.fold((0.0, 0.0), |(lat, lon), place| {
            (lat + place.0, lon + place.1)
        });
        Self::around(lat / count, lon / count)
    }

    /// Projects degrees to the plane.
    #[must_use]
    pub(crate) fn point(&self, lat: f64, lon: f64) -> Point {
        let (x, y) = world(lat, lon);
        Point {
            x: (x - self.origin.0) * self.metres_per_world,
            y: (y - self.origin.1) * self.metres_per_world,
        }
    }

    /// The degrees (latitude, longitude) of a point.
    #[must_use]
    pub(crate) fn degrees(&self, point: Point) -> (f64, f64) {
        let (x, y) = self.world(point);
        let lat = math::atan(math::sinh(PI * (1.0 - 2.0 * y))).to_degrees();
        (lat, x * 360.0 - 180.0)
    }

    /// The point in world units, 0 to 1 from the north-west; tiles count in them.
    #[must_use]
    pub(crate) fn world(&self, point: Point) -> (f64, f64) {
        (
            self.origin.0 + point.x / self.metres_per_world,
            self.origin.1 + point.y / self.metres_per_world,
        )
    }

    /// The point at given world units.
    #[must_use]
    pub(crate) fn point_at_world(&self, x: f64, y: f64) -> Point {
        Point {
            x: (x - self.origin.0) * self.metres_per_world,
            y: (y - self.origin.1) * self.metres_per_world,
        }
    }

    /// Pixels per metre at a zoom of Web Mercator (256 pixels for the world at zoom 0).
    #[must_use]
    pub(crate) fn pixels_per_metre(&self, zoom: f64) -> f64 {
        256.0 * math::exp2(zoom) / self.metres_per_world
    }

    /// The zoom that shows one metre as `scale` pixels.
    #[must_use]
    pub(crate) fn zoom_of(&self, scale: f64) -> f64 {
        math::log2(scale * self.metres_per_world / 256.0)
    }
}

fn world(lat: f64, lon: f64) -> (f64, f64) {
    let lat = lat.to_radians();
    let north = math::asinh(math::tan(lat)) / PI;
    (lon / 360.0 + 0.5, (1.0 - north) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metre_on_the_plane_is_a_metre_on_the_ground() {
        let plane = Plane::around(40.75, -73.97);
        let (a, b) = ((40.7457, -73.9819), (40.8, -73.95));
        let flat = plane.point(a.0, a.1).distance(plane.point(b.0, b.1));
        let round = domain::geo::distance_m(a.0, a.1, b.0, b.1);
        assert!((flat / round - 1.0).abs() < 0.004, "{flat} {round}");
    }

    #[test]
    fn a_plane_amid_places_has_its_origin_in_their_middle() {
        let plane = Plane::amid([(40.7, -74.0), (40.8, -73.9)].into_iter());
        assert!(plane.point(40.75, -73.95).distance(Point::default()) < 1e-6);
        assert_eq!(Plane::amid([].into_iter()), Plane::around(40.73, -73.98));
    }

    #[test]
    fn degrees_come_back() {
        let plane = Plane::around(40.75, -73.97);
        let (lat, lon) = plane.degrees(plane.point(40.7, -74.02));
        assert!((lat - 40.7).abs() < 1e-9 && (lon + 74.02).abs() < 1e-9);
    }
}
