//! A geocoder for Manhattan that asks nobody.
//!
//! In this order: degrees; a dock's name as it is; a building on an avenue (address rule, then the
//! fitted grid); a building on a numbered street; a building on lower Broadway; a corner of two streets
//! (a dock there, else the grid); a neighbourhood; a dock's name with a slip of the finger. Each only where the
//! place can lie that the search names: what is left open is an error, never a guess.

use domain::stations::{ReferenceStation, reference_stations};

use super::ADDRESS_BYTES_MAX;
use super::address::{Number, ParsedSearch, Side, Street, parse};
use super::area::{Area, Areas};
use super::avenues::{avenue_names, cross_street, crossing, is_elsewhere_too};
use super::coordinates::coordinates;
use super::cross_streets;
use super::degrees::Degrees;
use super::docks::{Dock, Docks, Found};
use super::error::GeocodeError;
use super::grid::Grid;
use super::lower_broadway;
use super::neighbourhoods::Neighbourhoods;
use super::place::Place;
use super::query::Query;
use super::suggest::{Completions, SUGGESTIONS_MAX, capitalised};
use super::words::words;
use crate::model::{Suggestion, SuggestionKind};
use crate::server::base_map::new_york;
use crate::words::{Message, Word};

/// An address that is known.
pub(super) const EXAMPLE: &str = "1 Park Avenue";

/// Metres that nine of ten corners on the grid stay within; `measured` checks it.
pub(super) const CORNER_M: f64 = 100.0;

/// The same for building numbers, along avenues and along numbered streets.
pub(super) const ADDRESS_M: f64 = 150.0;

/// The last numbered street of Manhattan.
const CROSS_STREET_MAX: u32 = 220;

/// Degrees east of north in which Manhattan's avenues run, by the plan of 1811.
const GRID_BEARING: f64 = 29.0;

/// Knows Manhattan's addresses and the corners of all reference stations.
#[derive(Debug, Clone)]
pub(crate) struct ManhattanGeocoder {
    grid: Grid,
    docks: Docks,
    neighbourhoods: Neighbourhoods,
    completions: Completions,
}

/// A search under way.
struct Search<'a> {
    /// As typed.
    text: &'a str,
    street: &'a [String],
    said: Option<Areas>,
}

impl Search<'_> {
    /// Where the place may lie.
    fn areas(&self) -> Areas {
        self.said.unwrap_or(Areas::ALL)
    }

    fn is_said_to_be_manhattan(&self) -> bool {
        self.said == Some(Areas::MANHATTAN)
    }
}

impl ManhattanGeocoder {
    /// Learns the city from the reference stations' names.
    #[must_use]
    pub(crate) fn from_reference_stations() -> Self {
        Self::new(reference_stations().iter().map(Dock::new).collect())
    }

    pub(super) fn new(docks: Vec<Dock>) -> Self {
        let neighbourhoods = Neighbourhoods::of(new_york());
        let dock_names = docks
            .iter()
            .map(|dock| (SuggestionKind::Dock, dock.station.street.to_owned()));
        let names = neighbourhoods
            .unique()
            .map(|it| (SuggestionKind::Neighbourhood, it.name.clone()));
        Self {
            completions: Completions::new(dock_names.chain(names), street_names()),
            grid: Grid::fit(docks.iter()),
            docks: Docks::new(docks),
            neighbourhoods,
        }
    }

    /// What a search that is being typed may become, the likeliest first; each is found by
    /// [`ManhattanGeocoder::find`].
    pub(crate) fn suggest(&self, typed: &str) -> Vec<Suggestion> {
        if typed.len() > ADDRESS_BYTES_MAX {
            return Vec::new();
        }
        let mut suggestions = self.completions.of(typed, |text| self.find(text).is_ok());
        if let Some((first, begun)) = typed.rsplit_once('&') {
            suggestions.extend(self.corners(first, begun));
        }
        suggestions.truncate(SUGGESTIONS_MAX);
        suggestions
    }

    /// Corners of the grid without a dock, whose first street is typed.
    fn corners(&self, first: &str, begun: &str) -> Vec<Suggestion> {
        let streets: Vec<String> = street_names().collect();
        let first_words = words(first);
        let first = streets.iter().find(|street| words(street) == first_words);
        let others = streets.iter().map(String::as_str);
        let meeting = first.into_iter().flat_map(|first| {
            let others = others.clone();
            others.map(move |other| (first.as_str(), other))
        });
        // One with a dock is found under the dock's name.
        let is_on_grid = |text: &str| {
            self.find(text)
                .is_ok_and(|place| place.accuracy.word() != Word::DockAtCorner)
        };
        self.completions.corners(begun, meeting, is_on_grid)
    }

    /// Looks `query` up.
    ///
    /// # Errors
    /// [`GeocodeError`], whose text is meant for the rider.
    pub(crate) fn find(&self, query: &str) -> Result<Place, GeocodeError> {
        let text = query.trim();
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(GeocodeError::TooLong);
        }
        if let Some(at) = coordinates(text) {
            return Ok(place(text, at, Word::TheseDegrees));
        }
        let query = Query::read(text, |street| self.is_street(street));
        if let Some(place) = query.unknown {
            let query = text.to_owned();
            return Err(GeocodeError::UnknownPlace { query, place });
        }
        let search = Search {
            text,
            street: &query.street,
            said: query.said,
        };
        if let Found::One(dock) = self.docks.named(search.street, search.areas()) {
            return Ok(at_dock(dock));
        }
        let parsed = parse(search.street);
        let found = match &parsed {
            ParsedSearch::Address { number, street } => self.address(&search, *number, street)?,
            ParsedSearch::Corner(a, b) => self.corner(&search, a, b)?,
            ParsedSearch::Other => match self.neighbourhood(&search)? {
                Some(neighbourhood) => Some(neighbourhood),
                None => self.nearly_at(&search),
            },
        };
        found.ok_or_else(|| self.error(&search, &parsed))
    }

    /// Whether words are a street, so that what follows them may be a town.
    fn is_street(&self, words: &[String]) -> bool {
        parse(words) != ParsedSearch::Other
            || !matches!(self.docks.named(words, Areas::ALL), Found::Nothing)
    }

    /// Why nothing was found.
    fn error(&self, search: &Search<'_>, parsed: &ParsedSearch) -> GeocodeError {
        let query = search.text.to_owned();
        let Some(said) = search.said else {
            return match parsed {
                ParsedSearch::Other => GeocodeError::NotAnAddress { query },
                ParsedSearch::Address { .. } | ParsedSearch::Corner(..) => {
                    GeocodeError::Unknown { query }
                }
            };
        };
        if said.is_empty() {
            return GeocodeError::Contradiction { query };
        }
        let elsewhere = match parsed {
            ParsedSearch::Corner(a, b) => self.docks.at_corner(a, b, Areas::ALL),
            ParsedSearch::Address { .. } | ParsedSearch::Other => {
                self.docks.named(search.street, Areas::ALL)
            }
        };
        match elsewhere {
            Found::One(dock) => GeocodeError::InAnotherArea {
                query,
                area: area_of(dock),
            },
            _ if said.meets(Areas::MANHATTAN) => GeocodeError::Unknown { query },
            _ => GeocodeError::Outside {
                query,
                area: said.only(),
            },
        }
    }

    /// A building in Manhattan.
    fn address(
        &self,
        search: &Search<'_>,
        number: Number,
        street: &Street,
    ) -> Result<Option<Place>, GeocodeError> {
        if !search.areas().meets(Areas::MANHATTAN) {
            return Ok(None);
        }
        let number = match number {
            Number::One(number) => number,
            Number::Hyphenated(first, last) => one_side(search, first, last)?,
        };
        let at = match street {
            Street::Named(avenue) => lower_broadway::locate(avenue, number).or_else(|| {
                let street = cross_street(avenue, number)?;
                self.grid.locate(avenue, street)
            }),
            Street::Cross {
                side: Some(side),
                number: street,
            } => cross_streets::locate(&self.grid, *side, *street, number),
            Street::Cross {
                side: None,
                number: street,
            } => {
                return Err(GeocodeError::NoSide {
                    query: search.text.to_owned(),
                    number,
                    street: *street,
                });
            }
        };
        Ok(at.and_then(|at| estimate(search, at, Word::EstimatedAddress, ADDRESS_M)))
    }

    /// The dock at a corner; else the corner on Manhattan's grid; else a dock nearly of this name.
    fn corner(
        &self,
        search: &Search<'_>,
        a: &Street,
        b: &Street,
    ) -> Result<Option<Place>, GeocodeError> {
        let ambiguous = || GeocodeError::Ambiguous {
            query: search.text.to_owned(),
        };
        let on_grid = self.on_grid(search, a, b);
        let is_open = on_grid.as_ref().is_some_and(|on_grid| on_grid.is_open);
        match self.docks.at_corner(a, b, search.areas()) {
            Found::Several => Err(ambiguous()),
            // Another borough may have a corner that Manhattan's grid has too.
            Found::One(_) | Found::Nothing if is_open => Err(ambiguous()),
            Found::One(dock) => Ok(Some(at_dock(dock))),
            Found::Nothing => Ok(on_grid
                .map(|on_grid| on_grid.place)
                .or_else(|| self.nearly_at(search))),
        }
    }

    /// The corner of an avenue and a numbered street, if Manhattan has it.
    fn on_grid(&self, search: &Search<'_>, a: &Street, b: &Street) -> Option<OnGrid> {
        let ((Street::Named(avenue), Street::Cross { side, number })
        | (Street::Cross { side, number }, Street::Named(avenue))) = (a, b)
        else {
            return None;
        };
        if !search.areas().meets(Areas::MANHATTAN) {
            return None;
        }
        let name = crossing(avenue, *side, *number)?;
        Some(OnGrid {
            place: self.dock_on_grid(name, *number).or_else(|| {
                let at = self.grid.locate(name, f64::from(*number))?;
                estimate(search, at, Word::EstimatedCorner, CORNER_M)
            })?,
            is_open: side.is_none()
                && is_elsewhere_too(avenue)
                && !search.is_said_to_be_manhattan(),
        })
    }

    /// A dock at a corner of the grid, on either side if the avenue has both.
    fn dock_on_grid(&self, name: &str, number: u32) -> Option<Place> {
        let avenue = Street::Named(name.to_owned());
        [Side::East, Side::West].into_iter().find_map(|side| {
            crossing(name, Some(side), number)?;
            let street = Street::Cross {
                side: Some(side),
                number,
            };
            match self.docks.at_corner(&avenue, &street, Areas::MANHATTAN) {
                Found::One(dock) => Some(at_dock(dock)),
                Found::Nothing | Found::Several => None,
            }
        })
    }

    /// The neighbourhood or town of this name.
    fn neighbourhood(&self, search: &Search<'_>) -> Result<Option<Place>, GeocodeError> {
        let mut named = self.neighbourhoods.named(search.street, search.areas());
        match (named.next(), named.next()) {
            (Some(_), Some(_)) => Err(GeocodeError::Ambiguous {
                query: search.text.to_owned(),
            }),
            (one, _) => Ok(one.map(|it| place(&it.name, it.at, Word::AmidNeighbourhood))),
        }
    }

    /// A dock whose name is nearly what was typed, its two streets in either order.
    fn nearly_at(&self, search: &Search<'_>) -> Option<Place> {
        let mut streets: Vec<&[String]> = search.street.split(|word| word == "&").collect();
        streets.reverse();
        let turned = streets.join(&"&".to_owned());
        let nearly = |words: &[String]| self.docks.nearly_named(words, search.areas());
        nearly(search.street)
            .or_else(|| nearly(&turned))
            .map(at_dock)
    }
}

/// The streets on which buildings are known: avenues, and numbered streets.
fn street_names() -> impl Iterator<Item = String> {
    let cross = (1..=CROSS_STREET_MAX)
        .flat_map(|number| ["e", "w"].map(|side| format!("{side} {number} st")));
    let streets = avenue_names().map(str::to_owned).chain(cross);
    streets.map(|street| capitalised(&street))
}

/// A corner of Manhattan.
struct OnGrid {
    place: Place,
    /// Whether another borough may have a corner of this name.
    is_open: bool,
}

/// The first of two buildings on one side of a street of Manhattan: `12-14`.
///
/// Queens' numbers look alike, with two digits last: then Manhattan has to be said.
fn one_side(search: &Search<'_>, first: u32, last: u32) -> Result<u32, GeocodeError> {
    let is_pair = first < last && (last - first).is_multiple_of(2) && last - first <= PAIR_MAX;
    if is_pair && (last > 99 || search.is_said_to_be_manhattan()) {
        return Ok(first);
    }
    Err(GeocodeError::Hyphenated {
        query: search.text.to_owned(),
    })
}

/// Numbers that one building has at most (chosen: a block).
const PAIR_MAX: u32 = 100;

/// A place on the grid, with how far off nine of ten of its kind are at most; none across a river, where
/// the grid goes on but Manhattan does not.
fn estimate(search: &Search<'_>, at: Degrees, kind: Word, most_m: f64) -> Option<Place> {
    let accuracy = Message::new(kind, [most_m.to_string().into()]);
    (Area::at(at) == Some(Area::Manhattan)).then(|| place(search.text, at, accuracy))
}

fn place(label: &str, at: Degrees, accuracy: impl Into<Message>) -> Place {
    Place {
        grid: grid_at(at),
        ..Place::new(label, at, accuracy)
    }
}

/// The direction of the avenues around a place, if it is in the part of Manhattan that has a grid: above
/// Houston Street and 14th Street in the west.
fn grid_at((lat, lon): Degrees) -> Option<f64> {
    let is_above = lat > 40.7395 || (lat > 40.7245 && lon > -73.992);
    (is_above && Area::at((lat, lon)) == Some(Area::Manhattan)).then_some(GRID_BEARING)
}

/// The dock, with its area if that is not Manhattan.
fn at_dock(dock: &Dock) -> Place {
    let ReferenceStation { street, lat, lon } = *dock.station;
    let found = if matches!(dock.parsed, ParsedSearch::Corner(..)) {
        Word::DockAtCorner
    } else {
        Word::DockOfName
    };
    let accuracy = match area_of(dock) {
        Area::Manhattan => Message::from(found),
        area => {
            let found = Message::from(found);
            Message::new(Word::DockIn, [found.into(), area.name().into()])
        }
    };
    place(street, (lat, lon), accuracy)
}

/// The area that a dock stands in.
fn area_of(dock: &Dock) -> Area {
    // Every station lies in one: a test of `area` checks it.
    Area::at((dock.station.lat, dock.station.lon)).unwrap_or(Area::Manhattan)
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
        let lines = queries
            .iter()
            .map(|query| super::super::place::line(query, geocoder.find(query)));
        expected.assert_eq(&lines.collect::<String>());
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
    fn the_example_is_found() {
        assert!(metres_off(EXAMPLE, PARK_AND_32) < 120.0);
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
                1 Park Avenue → 40.7460, -73.9817 1 Park Avenue: estimated from the street grid: nine of ten such addresses are within 150 m
                501 5th Avenue → 40.7542, -73.9805 501 5th Avenue: estimated from the street grid: nine of ten such addresses are within 150 m
                62 Ave B → 40.7238, -73.9824 62 Ave B: estimated from the street grid: nine of ten such addresses are within 150 m
                200 West 42nd Street → 40.7560, -73.9868 200 West 42nd Street: estimated from the street grid: nine of ten such addresses are within 150 m
                120 Broadway → 40.7087, -74.0111 120 Broadway: estimated from the street grid: nine of ten such addresses are within 150 m
                E 32 St & Park Ave → 40.7457, -73.9819 E 32 St & Park Ave: the dock at this corner
                park avenue and east 32nd street → 40.7457, -73.9819 E 32 St & Park Ave: the dock at this corner
                5 Ave & E 42 St → 40.7535, -73.9810 5 Ave & E 42 St: estimated from the street grid: nine of ten such corners are within 100 m
                Newport PATH → 40.7272, -74.0338 Newport PATH: the dock of this name, in New Jersey
                newport pth → 40.7272, -74.0338 Newport PATH: the dock of this name, in New Jersey
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
                12 Nowhere Lane → "12 Nowhere Lane" is not known here: type a building number and a street name, such as "1 Park Avenue", on an avenue or a numbered street of Manhattan, or a corner with a dock, such as "Broadway & W 25 St"
                90000 Park Ave → "90000 Park Ave" is not known here: type a building number and a street name, such as "1 Park Avenue", on an avenue or a numbered street of Manhattan, or a corner with a dock, such as "Broadway & W 25 St"
                Nowhere & Neverland → "Nowhere & Neverland" is not known here: type a building number and a street name, such as "1 Park Avenue", on an avenue or a numbered street of Manhattan, or a corner with a dock, such as "Broadway & W 25 St"
            "#]],
        );
    }
}
