//! How a dock looks: circle size by bikes and zoom, and what number it carries.

use crate::model::Count;

/// From this radius in pixels a circle is large enough for its number.
const NUMBER_RADIUS_MIN: f64 = 8.2;
/// Below this zoom circles overlap, and numbers would only be noise.
const NUMBER_ZOOM_MIN: f64 = 13.2;

/// A circle does not grow beyond this many bikes.
const BIKES_MAX: f64 = 60.0;

/// Radius of a dock's circle in pixels.
///
/// The area grows with the bikes; zoomed out, circles shrink so that a city stays readable.
#[must_use]
pub fn radius(bikes: i32, zoom: f64) -> f64 {
    let size = ((zoom - 14.6) * 0.62).exp2().clamp(0.12, 1.0);
    if bikes <= 0 {
        return 0.7 + 3.3 * size;
    }
    let root = f64::from(bikes).min(BIKES_MAX).sqrt();
    size * (7.4 + 2.5 * root)
}

/// Whether a circle of this radius carries its number.
#[must_use]
pub fn has_number(radius: f64, zoom: f64) -> bool {
    radius >= NUMBER_RADIUS_MIN && zoom >= NUMBER_ZOOM_MIN
}

/// The number on the circle: `7`, or `≈7` if estimated.
#[must_use]
pub fn number(count: Count) -> String {
    if count.estimated {
        format!("≈{}", count.bikes)
    } else {
        count.bikes.to_string()
    }
}

/// The count in words: `no bikes`, `1 bike`, `about 7 bikes`.
#[must_use]
pub fn words(count: Count) -> String {
    let about = if count.estimated { "about " } else { "" };
    match count.bikes {
        i32::MIN..=0 if count.estimated => "probably no bikes".to_owned(),
        i32::MIN..=0 => "no bikes".to_owned(),
        1 => format!("{about}1 bike"),
        bikes => format!("{about}{bikes} bikes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_bikes_make_a_larger_circle() {
        for zoom in [10.0, 12.5, 15.0, 18.0] {
            for bikes in 0..60 {
                assert!(
                    radius(bikes, zoom) < radius(bikes + 1, zoom),
                    "{bikes} at {zoom}"
                );
            }
        }
    }

    #[test]
    fn counts_read_as_words() {
        let read = |bikes, estimated| words(Count { bikes, estimated });
        assert_eq!(read(0, false), "no bikes");
        assert_eq!(read(1, false), "1 bike");
        assert_eq!(read(7, true), "about 7 bikes");
        assert_eq!(read(0, true), "probably no bikes");
    }
}
