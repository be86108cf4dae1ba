//! A place on the globe, as the files of the geocoder hand it on.

/// Latitude and longitude in degrees, WGS 84.
pub(super) type Degrees = (f64, f64);
