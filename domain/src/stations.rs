//! Names and places of real stations of New York and Jersey City.
//!
//! The simulated city rides between them and the geocoder reads street corners out of their names.

use std::sync::LazyLock;

/// A real station: its name and its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceStation {
    /// The name, nearly always a street corner such as `E 32 St & Park Ave`.
    pub street: &'static str,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
}

/// All reference stations, ordered by name. Source: `data/stations.csv`.
#[must_use]
pub fn reference_stations() -> &'static [ReferenceStation] {
    static STATIONS: LazyLock<Vec<ReferenceStation>> = LazyLock::new(|| {
        include_str!("../data/stations.csv")
            .lines()
            .skip(1)
            .map(parse)
            .collect()
    });
    &STATIONS
}

// No name in the file holds a comma or a quote: a test checks it.
fn parse(line: &'static str) -> ReferenceStation {
    let mut fields = line.rsplitn(3, ',');
    let mut next = || fields.next().expect("data/stations.csv has three columns");
    let lon = next()
        .parse()
        .expect("data/stations.csv has longitudes in its last column");
    let lat = next()
        .parse()
        .expect("data/stations.csv has latitudes in its second column");
    ReferenceStation {
        street: next(),
        lat,
        lon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_station_has_a_name_and_lies_around_new_york() {
        for station in reference_stations() {
            assert!(!station.street.is_empty() && !station.street.contains(['"', ',']));
            assert!((40.4..41.0).contains(&station.lat), "{station:?}");
            assert!((-74.3..-73.6).contains(&station.lon), "{station:?}");
        }
        assert!(reference_stations().len() > 1_000);
    }
}
