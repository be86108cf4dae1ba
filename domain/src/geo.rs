//! Distances on the ground, and the block.

/// One block along an avenue, in metres (1/20 mile; measured along Park Avenue: 80.7 m).
pub const BLOCK_M: f64 = 80.5;

/// "Within three blocks", in metres.
pub const THREE_BLOCKS_M: f64 = 3.0 * BLOCK_M;

/// Mean radius of the earth in metres (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Sine, cosine and arc sine, of radians: a browser has its own.
pub type Trigonometry = [fn(f64) -> f64; 3];

/// Great-circle distance in metres between two points given in degrees (haversine).
#[must_use]
pub fn distance_m(lat_a: f64, lon_a: f64, lat_b: f64, lon_b: f64) -> f64 {
    let functions = [f64::sin, f64::cos, f64::asin];
    distance_m_by(functions, (lat_a, lon_a), (lat_b, lon_b))
}

/// The same by functions of the caller.
#[must_use]
#[inline]
pub fn distance_m_by(
    [sin, cos, asin]: Trigonometry,
    (lat_a, lon_a): (f64, f64),
    (lat_b, lon_b): (f64, f64),
) -> f64 {
    let half_lat = sin((lat_b - lat_a).to_radians() / 2.0);
    let half_lon = sin((lon_b - lon_a).to_radians() / 2.0);
    let parallels = cos(lat_a.to_radians()) * cos(lat_b.to_radians());
    let h = half_lat * half_lat + parallels * half_lon * half_lon;
    2.0 * EARTH_RADIUS_M * asin(h.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_along_park_avenue_is_about_eighty_metres() {
        // E 32 St & Park Ave to E 33 St & Park Ave.
        let metres = distance_m(40.745_712, -73.981_948, 40.746_342, -73.981_489);
        assert!((75.0..85.0).contains(&metres), "{metres}");
    }
}
