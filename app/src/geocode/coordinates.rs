//! Degrees as a search: where a rider's phone says it is.

use super::degrees::Degrees;

/// Reads latitude and longitude, WGS 84: `40.7461, -73.9818`. Both have a decimal point, which tells
/// them from numbers of buildings and streets.
pub(super) fn coordinates(text: &str) -> Option<Degrees> {
    let (lat, lon) = text.split_once(|c: char| c == ',' || c.is_whitespace())?;
    let degrees = |text: &str, most: f64| {
        let degrees: f64 = text.trim().parse().ok()?;
        (text.contains('.') && degrees.abs() <= most).then_some(degrees)
    };
    Some((degrees(lat, 90.0)?, degrees(lon, 180.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latitude_and_longitude_are_a_place() {
        for text in ["40.7461,-73.9818", "40.7461, -73.9818", "40.7461 -73.9818"] {
            assert_eq!(coordinates(text), Some((40.7461, -73.9818)), "{text}");
        }
    }

    #[test]
    fn what_could_be_anything_else_is_none() {
        for text in [
            "",
            "40.7461",
            "40, -73",
            "1 2",
            "91.0, 0.0",
            "40.7, -180.5",
            "nan., inf.",
            "40.7, -73.9, 1.0",
            "40.7.1, 2.0",
        ] {
            assert_eq!(coordinates(text), None, "{text}");
        }
    }
}
