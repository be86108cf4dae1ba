//! A geocoder for Manhattan that asks nobody.
//!
//! In this order: a dock's name as it is; a building on an avenue (address rule, then the fitted
//! grid); a building on a numbered street; a building on lower Broadway; a corner of two streets
//! (a dock there, else the grid); a dock's name with a slip of the finger.

use std::collections::BTreeMap;

use domain::stations::{ReferenceStation, reference_stations};

use super::address::{Asked, Street, take_apart};
use super::avenues::cross_street;
use super::cross_streets;
use super::grid::{Degrees, Grid};
use super::words::words;
use super::{ADDRESS_BYTES_MAX, GeocodeError, Geocoder, Locating};
use crate::model::Place;

const BY_GRID: &str = "estimated from the street grid, to about one block";
const BY_NUMBERS: &str = "estimated from the street grid, to about two blocks";
const BY_CORNER: &str = "the dock at this corner";
const BY_NAME: &str = "the dock of this name";

/// Buildings of lower Broadway, below the numbered streets, with their places: 1 at Battery
/// Place, 120 at Cedar St, 280 at Chambers St, 423 at Canal St, 611 at Houston St, 770 at E 9 St.
const LOWER_BROADWAY: [(f64, Degrees); 6] = [
    (1.0, (40.7048, -74.0141)),
    (120.0, (40.7082, -74.0105)),
    (280.0, (40.7142, -74.0062)),
    (423.0, (40.7192, -74.0019)),
    (611.0, (40.7254, -73.9968)),
    (770.0, (40.7308, -73.9917)),
];

/// Knows Manhattan's addresses and the corners of all reference stations.
#[derive(Debug, Clone)]
pub struct ManhattanGeocoder {
    grid: Grid,
    /// Stations by their two streets, in the order of the streets.
    corners: BTreeMap<(Street, Street), &'static ReferenceStation>,
    /// Stations by name in one spelling.
    names: BTreeMap<String, &'static ReferenceStation>,
}

impl ManhattanGeocoder {
    /// Learns the city from the reference stations' names.
    #[must_use]
    pub fn from_reference_stations() -> Self {
        let stations = reference_stations();
        let mut corners = BTreeMap::new();
        let mut names = BTreeMap::new();
        for station in stations {
            let words = words(station.street);
            names.entry(words.join(" ")).or_insert(station);
            if let Asked::Corner(a, b) = take_apart(&words) {
                corners.entry(in_order(a, b)).or_insert(station);
            }
        }
        Self {
            grid: Grid::fit(stations),
            corners,
            names,
        }
    }

    /// Looks `query` up.
    ///
    /// # Errors
    /// As [`Geocoder::locate`].
    pub fn find(&self, query: &str) -> Result<Place, GeocodeError> {
        let query = query.trim();
        if query.len() > ADDRESS_BYTES_MAX {
            return Err(GeocodeError::TooLong);
        }
        let words = words(query);
        if let Some(station) = self.names.get(&words.join(" ")) {
            return Ok(at_station(
                station,
                if station.street.contains(" & ") {
                    BY_CORNER
                } else {
                    BY_NAME
                },
            ));
        }
        let asked = take_apart(&words);
        let found = match &asked {
            Asked::Address { number, street } => self.address(query, *number, street)?,
            Asked::Corner(a, b) => self.corner(query, a, b),
            Asked::Other => None,
        };
        found
            .or_else(|| self.nearly_named(&words.join(" ")))
            .ok_or_else(|| {
                let query = query.to_owned();
                match asked {
                    Asked::Other => GeocodeError::NotAnAddress { query },
                    Asked::Address { .. } | Asked::Corner(..) => GeocodeError::Unknown { query },
                }
            })
    }

    fn address(
        &self,
        query: &str,
        number: u32,
        street: &Street,
    ) -> Result<Option<Place>, GeocodeError> {
        Ok(match street {
            Street::Named(name) if name == "broadway" && number <= 755 => {
                Some(place(query, lower_broadway(f64::from(number)), BY_NUMBERS))
            }
            Street::Named(avenue) => cross_street(avenue, number)
                .and_then(|street| self.grid.locate(avenue, street))
                .map(|at| place(query, at, BY_GRID)),
            Street::Cross {
                side: Some(side),
                number: street,
            } => cross_streets::locate(&self.grid, *side, *street, number)
                .map(|at| place(query, at, BY_NUMBERS)),
            Street::Cross {
                side: None,
                number: street,
            } => {
                let (query, street) = (query.to_owned(), *street);
                return Err(GeocodeError::NoSide {
                    query,
                    number,
                    street,
                });
            }
        })
    }

    fn corner(&self, query: &str, a: &Street, b: &Street) -> Option<Place> {
        if let Some(station) = self.corners.get(&in_order(a.clone(), b.clone())) {
            return Some(at_station(station, BY_CORNER));
        }
        match (a, b) {
            (Street::Named(avenue), Street::Cross { number, .. })
            | (Street::Cross { number, .. }, Street::Named(avenue)) => self
                .grid
                .locate(avenue, f64::from(*number))
                .map(|at| place(query, at, BY_GRID)),
            _ => None,
        }
    }

    /// The one station whose name differs by a letter or two.
    fn nearly_named(&self, name: &str) -> Option<Place> {
        let letters = name.chars().count();
        if letters < 6 {
            return None;
        }
        let most = 1 + letters / 12;
        let mut near: Vec<_> = self
            .names
            .iter()
            .map(|(known, station)| (letters_apart(known, name), station))
            .filter(|(apart, _)| *apart <= most)
            .collect();
        near.sort_by_key(|(apart, _)| *apart);
        match near.as_slice() {
            [(_, station)] => Some(at_station(station, BY_NAME)),
            [(first, station), (second, _), ..] if first < second => {
                Some(at_station(station, BY_NAME))
            }
            _ => None,
        }
    }
}

impl Geocoder for ManhattanGeocoder {
    fn locate<'a>(&'a self, query: &'a str) -> Locating<'a> {
        Box::pin(std::future::ready(self.find(query)))
    }
}

fn in_order(a: Street, b: Street) -> (Street, Street) {
    if a <= b { (a, b) } else { (b, a) }
}

fn place(label: &str, (lat, lon): Degrees, accuracy: &str) -> Place {
    Place {
        label: label.to_owned(),
        lat,
        lon,
        accuracy: accuracy.to_owned(),
    }
}

fn at_station(station: &ReferenceStation, accuracy: &str) -> Place {
    place(station.street, (station.lat, station.lon), accuracy)
}

fn lower_broadway(number: f64) -> Degrees {
    let pair = LOWER_BROADWAY.windows(2).find(|pair| number <= pair[1].0);
    let pair = pair.unwrap_or_else(|| &LOWER_BROADWAY[LOWER_BROADWAY.len() - 2..]);
    let ((first, from), (last, to)) = (pair[0], pair[1]);
    let share = (number - first) / (last - first);
    (
        from.0 + (to.0 - from.0) * share,
        from.1 + (to.1 - from.1) * share,
    )
}

/// Letters to change, add or leave out to make one text the other (Levenshtein).
fn letters_apart(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use domain::geo::distance_m;
    use expect_test::{Expect, expect};

    use super::*;

    /// Dock E 32 St & Park Ave.
    const PARK_AND_32: Degrees = (40.7457, -73.9819);

    fn metres_off(query: &str, (lat, lon): Degrees) -> f64 {
        let found = ManhattanGeocoder::from_reference_stations()
            .find(query)
            .unwrap();
        distance_m(found.lat, found.lon, lat, lon)
    }

    fn check(queries: &[&str], expected: &Expect) {
        let geocoder = ManhattanGeocoder::from_reference_stations();
        let lines: Vec<String> = queries
            .iter()
            .map(|query| match geocoder.find(query) {
                Ok(place) => format!(
                    "{query} → {:.4}, {:.4} {}: {}\n",
                    place.lat, place.lon, place.label, place.accuracy
                ),
                Err(error) => format!("{query} → {error}\n"),
            })
            .collect();
        expected.assert_eq(&lines.concat());
    }

    #[test]
    fn one_park_avenue_is_by_the_dock_at_e_32_st() {
        for query in [
            "1 Park Avenue",
            "1 park ave",
            "1 PARK AVE, New York, NY 10016",
        ] {
            let metres = metres_off(query, PARK_AND_32);
            assert!(metres < 120.0, "{query}: {metres:.0} m");
        }
    }

    /// Places of these buildings as NYC `GeoSearch` gives them, or read off a map.
    #[test]
    fn known_buildings_are_within_three_blocks() {
        for (query, at) in [
            ("350 Fifth Avenue", (40.748441, -73.985656)),
            ("120 Broadway", (40.70822, -74.01052)),
            ("405 Lexington Ave", (40.7517, -73.9755)),
            ("1230 Avenue of the Americas", (40.7584, -73.9798)),
            ("1071 5th Ave", (40.7830, -73.9590)),
            ("200 W 42 St", (40.7556, -73.9869)),
            ("200 Central Park West", (40.7813, -73.9740)),
            ("2 Broadway", (40.7047, -74.0131)),
            ("450 W 33 St", (40.7536, -73.9990)),
        ] {
            let metres = metres_off(query, at);
            assert!(metres < 241.0, "{query}: {metres:.0} m");
        }
    }

    #[test]
    fn searches_and_their_answers() {
        check(
            &[
                "1 Park Avenue",
                "501 5th Avenue",
                "62 Ave B",
                "200 West 42nd Street",
                "120 Broadway",
                "E 32 St & Park Ave",
                "park avenue and east 32nd street",
                "5 Ave & E 42 St",
                "Newport PATH",
                "newport pth",
            ],
            &expect![[r#"
                1 Park Avenue → 40.7460, -73.9817 1 Park Avenue: estimated from the street grid, to about one block
                501 5th Avenue → 40.7542, -73.9805 501 5th Avenue: estimated from the street grid, to about one block
                62 Ave B → 40.7246, -73.9818 62 Ave B: estimated from the street grid, to about one block
                200 West 42nd Street → 40.7560, -73.9867 200 West 42nd Street: estimated from the street grid, to about two blocks
                120 Broadway → 40.7082, -74.0105 120 Broadway: estimated from the street grid, to about two blocks
                E 32 St & Park Ave → 40.7457, -73.9819 E 32 St & Park Ave: the dock at this corner
                park avenue and east 32nd street → 40.7457, -73.9819 E 32 St & Park Ave: the dock at this corner
                5 Ave & E 42 St → 40.7535, -73.9810 5 Ave & E 42 St: estimated from the street grid, to about one block
                Newport PATH → 40.7272, -74.0338 Newport PATH: the dock of this name
                newport pth → 40.7272, -74.0338 Newport PATH: the dock of this name
            "#]],
        );
    }

    #[test]
    fn a_search_longer_than_any_address_is_not_repeated_to_the_rider() {
        let geocoder = ManhattanGeocoder::from_reference_stations();
        assert_eq!(geocoder.find(&"x".repeat(500)), Err(GeocodeError::TooLong));
    }

    #[test]
    fn anything_else_says_what_is_expected() {
        check(
            &[
                "hello",
                "Park Avenue",
                "5 Ave",
                "42",
                "'; drop table location; --",
                "200 42nd St",
                "12 Nowhere Lane",
                "90000 Park Ave",
                "Nowhere & Neverland",
            ],
            &expect![[r#"
                hello → "hello" is not an address: type a building number and a street name, such as "1 Park Avenue"
                Park Avenue → "Park Avenue" is not an address: type a building number and a street name, such as "1 Park Avenue"
                5 Ave → "5 Ave" is not an address: type a building number and a street name, such as "1 Park Avenue"
                42 → "42" is not an address: type a building number and a street name, such as "1 Park Avenue"
                '; drop table location; -- → "'; drop table location; --" is not an address: type a building number and a street name, such as "1 Park Avenue"
                200 42nd St → "200 42nd St" could be east or west of 5 Avenue: type a building number and a street name, such as "1 Park Avenue" or "200 W 42 St"
                12 Nowhere Lane → no place found for "12 Nowhere Lane": type a building number and a street name, such as "1 Park Avenue", on a street of Manhattan, or a corner such as "Broadway & W 25 St"
                90000 Park Ave → no place found for "90000 Park Ave": type a building number and a street name, such as "1 Park Avenue", on a street of Manhattan, or a corner such as "Broadway & W 25 St"
                Nowhere & Neverland → no place found for "Nowhere & Neverland": type a building number and a street name, such as "1 Park Avenue", on a street of Manhattan, or a corner such as "Broadway & W 25 St"
            "#]],
        );
    }
}
