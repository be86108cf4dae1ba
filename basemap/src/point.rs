//! Places on the grid that a file keeps.

/// Step of the grid in degrees: 2.2 m to the north, in New York 1.7 m to the east.
pub const QUANTUM_DEGREES: f64 = 2e-5;

/// A place on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Point {
    /// Quanta north of the equator.
    pub(crate) north: i32,
    /// Quanta east of Greenwich.
    pub(crate) east: i32,
}

impl Point {
    const NORTH_MAX: i32 = 90 * 50_000;
    const EAST_MAX: i32 = 180 * 50_000;

    /// The point nearest to a place in degrees, WGS 84; none if that is not on Earth.
    #[must_use]
    pub fn from_degrees(lat: f64, lon: f64) -> Option<Self> {
        let is_on_earth = lat.abs() <= 90.0 && lon.abs() <= 180.0;
        is_on_earth.then(|| Self {
            north: (lat / QUANTUM_DEGREES).round() as i32,
            east: (lon / QUANTUM_DEGREES).round() as i32,
        })
    }

    /// The point so many quanta north of the equator and east of Greenwich; none beyond the Earth.
    #[must_use]
    pub fn from_quanta(north: i32, east: i32) -> Option<Self> {
        let is_on_earth = north.unsigned_abs() <= Self::NORTH_MAX.unsigned_abs()
            && east.unsigned_abs() <= Self::EAST_MAX.unsigned_abs();
        is_on_earth.then_some(Self { north, east })
    }

    /// Quanta north of the equator and east of Greenwich.
    #[must_use]
    pub fn quanta(self) -> (i32, i32) {
        (self.north, self.east)
    }

    /// Latitude in degrees.
    #[must_use]
    pub fn lat(self) -> f64 {
        f64::from(self.north) * QUANTUM_DEGREES
    }

    /// Longitude in degrees.
    #[must_use]
    pub fn lon(self) -> f64 {
        f64::from(self.east) * QUANTUM_DEGREES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_point_is_within_half_a_quantum_of_its_place(lat in -90.0..=90.0, lon in -180.0..=180.0) {
            let point = Point::from_degrees(lat, lon).unwrap();
            let near = QUANTUM_DEGREES / 2.0 + 1e-9;
            prop_assert!((point.lat() - lat).abs() <= near && (point.lon() - lon).abs() <= near);
        }
    }

    #[test]
    fn a_place_beyond_the_earth_is_no_point() {
        for (lat, lon) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0)] {
            assert_eq!(Point::from_degrees(lat, lon), None);
        }
    }
}
