//! A geocoder for a city's own map that asks nobody.
//!
//! In this order: degrees; a corner of two streets; a house, its number before or behind its street; a
//! town, a part of one or a park. Houses between two that are known are estimated. Docks are not known
//! here: the page lists them.

mod error;
mod places;
mod query;
mod streets;
#[cfg(test)]
mod tests;

use basemap::{Addresses, BaseMap};
use domain::geo::distance_m;

use self::error::CityError;
use self::places::Places;
use self::query::Query;
use self::streets::{Candidate, Streets, spelling};
use super::ADDRESS_BYTES_MAX;
use super::coordinates::coordinates;
use super::place::Place;
use super::suggest::Completions;
use crate::model::{Suggestion, SuggestionKind};
use crate::words::{Message, Word};

/// Candidates nearer to each other than this are one place (chosen: a long block; a building with
/// several entrances).
const ONE_PLACE_M: f64 = 300.0;

/// Places that a message names.
const NAMED_MAX: usize = 3;

/// Knows the houses, corners and names of one map.
#[derive(Debug)]
pub(crate) struct CityGeocoder {
    streets: Streets,
    places: Places,
    completions: Completions,
    /// A search that finds something; empty for a map without houses and corners.
    example: String,
    /// What a search must look like, with that example.
    expected: Message,
}

impl CityGeocoder {
    pub(crate) fn new(base_map: &BaseMap, addresses: Addresses) -> Self {
        let places = Places::of(base_map);
        let streets = Streets::new(addresses);
        let names = places.all().iter();
        let names = names.map(|place| (SuggestionKind::Neighbourhood, place.name.clone()));
        let example = example(&streets).unwrap_or_default();
        let with_houses = streets
            .all()
            .iter()
            .filter(|street| !street.numbers.is_empty());
        Self {
            completions: Completions::new(names, with_houses.map(|street| street.name.clone())),
            expected: expected(&streets, &example),
            example,
            streets,
            places,
        }
    }

    pub(crate) fn example(&self) -> &str {
        &self.example
    }

    /// What a search that is being typed may become, the likeliest first; each is found by
    /// [`CityGeocoder::find`].
    pub(crate) fn suggest(&self, typed: &str) -> Vec<Suggestion> {
        if typed.len() > ADDRESS_BYTES_MAX {
            return Vec::new();
        }
        let is_found = |text: &str| self.find(text).is_ok();
        match typed.rsplit_once('&') {
            Some((first, begun)) => self
                .completions
                .corners(begun, self.meeting(first), is_found),
            None => self.completions.of(typed, is_found),
        }
    }

    /// The streets that meet one, each as a corner; its name and the other's.
    fn meeting(&self, first: &str) -> impl Iterator<Item = (&str, &str)> {
        let first = self.streets.named(&spelling(first)).collect::<Vec<_>>();
        first.into_iter().flat_map(|(index, street)| {
            let others = self.streets.meeting(index);
            others.map(move |other| (street.name.as_str(), other.name.as_str()))
        })
    }

    /// Looks `query` up.
    ///
    /// # Errors
    /// [`CityError`], whose text is meant for the rider.
    pub(crate) fn find(&self, query: &str) -> Result<Place, CityError> {
        let text = query.trim();
        if text.len() > ADDRESS_BYTES_MAX {
            let expected = self.expected.clone();
            return Err(CityError::TooLong { expected });
        }
        if let Some((lat, lon)) = coordinates(text) {
            return Ok(Place::new(text, (lat, lon), Word::TheseDegrees));
        }
        let query = Query::read(text);
        let unknown = query
            .places
            .iter()
            .find(|place| self.places.named(place).next().is_none());
        if let Some(place) = unknown {
            return Err(CityError::UnknownPlace {
                query: text.to_owned(),
                place: place.clone(),
                expected: self.expected.clone(),
            });
        }
        let candidates = self.candidates(&query);
        if candidates.is_empty() {
            return Err(self.error(text, &query));
        }
        self.choose(text, &query, candidates)
    }

    /// Everything of this description, wherever it is.
    fn candidates(&self, query: &Query) -> Vec<Candidate> {
        let corners = query.corners();
        let mut found: Vec<_> = corners
            .iter()
            .flat_map(|(a, b)| self.streets.corners(a, b))
            .collect();
        for (house, street) in query.addresses() {
            if found.is_empty() {
                found = self.streets.houses(&street, &house);
            }
        }
        // A street of the name of a place is a street: `Nyby` leads to the place, if there is none.
        if found.is_empty() && !self.streets.has(&query.whole()) {
            found.extend(self.places.named(&query.whole()).map(|place| Candidate {
                label: place.name.clone(),
                at: place.at,
                accuracy: Word::WhereNameStands.into(),
            }));
        }
        found
    }

    /// The one place that candidates are; of several, that in the place that was said.
    fn choose(
        &self,
        text: &str,
        query: &Query,
        candidates: Vec<Candidate>,
    ) -> Result<Place, CityError> {
        let is_in = |it: &&Candidate| {
            query
                .places
                .iter()
                .all(|place| self.places.is_in(it.at, place))
        };
        let fitting: Vec<_> = candidates.iter().filter(is_in).collect();
        let Some(first) = fitting.first() else {
            return Err(CityError::Elsewhere {
                query: text.to_owned(),
                places: self.places_of(&candidates),
                expected: self.expected.clone(),
            });
        };
        let is_one =
            |it: &&Candidate| distance_m(first.at.0, first.at.1, it.at.0, it.at.1) <= ONE_PLACE_M;
        if fitting.iter().all(is_one) {
            return Ok(Place::new(&first.label, first.at, first.accuracy.clone()));
        }
        let places = self.places_of(&candidates).into_iter();
        let examples = places.map(|place| format!("\"{}, {place}\"", first.label));
        Err(CityError::Ambiguous {
            query: text.to_owned(),
            examples: examples.collect(),
        })
    }

    fn places_of(&self, candidates: &[Candidate]) -> Vec<String> {
        let mut names: Vec<_> = candidates
            .iter()
            .filter_map(|it| self.places.around(it.at))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(NAMED_MAX);
        names.into_iter().map(str::to_owned).collect()
    }

    /// Why nothing was found.
    fn error(&self, text: &str, query: &Query) -> CityError {
        let (query_text, expected) = (text.to_owned(), self.expected.clone());
        if self.streets.has(&query.whole()) {
            return CityError::StreetAlone {
                query: query_text,
                instead: self.instead_of(&query.whole()),
            };
        }
        let corners = query.corners();
        if !corners.is_empty() {
            let is_known = |(a, b): &(String, String)| self.streets.has(a) && self.streets.has(b);
            return match corners.iter().any(is_known) {
                true => CityError::NoCorner {
                    query: query_text,
                    expected,
                },
                false => CityError::UnknownStreet {
                    query: query_text,
                    expected,
                },
            };
        }
        let addresses = query.addresses();
        let street = addresses
            .iter()
            .find(|(_, street)| self.streets.has(street));
        match (street, addresses.is_empty()) {
            (Some((_, street)), _) => CityError::UnknownNumber {
                query: query_text,
                known: self.known_numbers(street),
                expected,
            },
            (None, false) => CityError::UnknownStreet {
                query: query_text,
                expected,
            },
            (None, true) => CityError::NotAnAddress {
                query: query_text,
                expected,
            },
        }
    }

    /// What to add to a street's name.
    fn instead_of(&self, street: &str) -> Message {
        let mut ways = Vec::new();
        for (index, street) in self.streets.named(street) {
            if let Some(house) = street.numbers.first() {
                let example = format!("{}{} {}", house.number, house.rest, street.name);
                ways.push(Message::new(Word::AddNumber, [example.into()]));
            }
            if let Some(other) = self.streets.meeting(index).next() {
                let example = format!("{} & {}", street.name, other.name);
                ways.push(Message::new(Word::AddStreet, [example.into()]));
            }
        }
        let mut ways = ways.into_iter().take(2);
        match (ways.next(), ways.next()) {
            (Some(one), Some(other)) => {
                Message::new(Word::OneWayOrOther, [one.into(), other.into()])
            }
            (Some(one), None) => one,
            (None, _) => self.expected.clone(),
        }
    }

    /// `numbers 2 to 14 of it`.
    fn known_numbers(&self, street: &str) -> Message {
        let numbers = self
            .streets
            .named(street)
            .flat_map(|(_, street)| &street.numbers);
        let numbers: Vec<_> = numbers.map(|house| house.number).collect();
        match (numbers.iter().min(), numbers.iter().max()) {
            (Some(least), Some(most)) if least == most => {
                Message::new(Word::NumberAlone, [(*least).into()])
            }
            (Some(least), Some(most)) => {
                Message::new(Word::SomeNumbers, [(*least).into(), (*most).into()])
            }
            _ => Word::NoNumber.into(),
        }
    }
}

/// The first house of the street that has most; without any house a corner.
fn example(streets: &Streets) -> Option<String> {
    let longest = streets
        .all()
        .iter()
        .max_by_key(|street| street.numbers.len());
    let house = longest.and_then(|street| Some((street.numbers.first()?, street)));
    match house {
        Some((house, street)) => Some(format!("{}{} {}", house.number, house.rest, street.name)),
        None => streets.first_corner(),
    }
}

fn expected(streets: &Streets, example: &str) -> Message {
    let has_houses = streets
        .all()
        .iter()
        .any(|street| !street.numbers.is_empty());
    match (has_houses, example) {
        (true, example) => Message::new(Word::SearchExpected, [example.into()]),
        (false, "") => Word::NameExpected.into(),
        (false, corner) => Message::new(Word::CornerExpected, [corner.into()]),
    }
}
