//! What OpenStreetMap's tags mean here; no other file spells them.

use basemap::{NameKind, StreetClass};

/// Bytes of a name that is used (chosen: twice the longest street names).
const NAME_BYTES_MAX: usize = 160;

/// The tags of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> FromIterator<(&'a str, &'a str)> for Tags<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(tags: I) -> Self {
        Self(tags.into_iter().collect())
    }
}

/// What an area is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AreaKind {
    /// A lake, a river from bank to bank, a basin.
    Water,
    /// A park, a cemetery, a wood.
    Park,
}

/// A part of the city, or the city, as one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: NameKind,
    pub(crate) name: String,
    /// People who live there; 0 where nobody says.
    pub(crate) population: u64,
}

impl<'a> Tags<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        let tag = self.0.iter().find(|(other, _)| *other == key);
        tag.map(|(_, value)| *value)
    }

    fn is(&self, key: &str, values: &[&str]) -> bool {
        self.get(key).is_some_and(|value| values.contains(&value))
    }

    /// The name in the language of the place.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let name = self.get("name")?.trim();
        (!name.is_empty() && name.len() <= NAME_BYTES_MAX).then_some(name)
    }

    /// Streets, with ways for people on foot; not what leads across a square.
    pub(crate) fn street(&self) -> Option<StreetClass> {
        if self.is("area", &["yes"]) {
            return None;
        }
        let highway = self.get("highway")?;
        Some(match highway.strip_suffix("_link").unwrap_or(highway) {
            "motorway" | "trunk" | "primary" => StreetClass::Main,
            "secondary" | "tertiary" => StreetClass::Middle,
            "residential" | "unclassified" | "living_street" | "pedestrian" | "road"
            | "service" | "footway" | "steps" => StreetClass::Local,
            _ => return None,
        })
    }

    pub(crate) fn is_coastline(&self) -> bool {
        self.is("natural", &["coastline"])
    }

    pub(crate) fn area(&self) -> Option<AreaKind> {
        let is_water = self.is("natural", &["water"])
            || self.is("waterway", &["riverbank", "dock"])
            || self.is("landuse", &["reservoir", "basin"]);
        let is_park = || {
            self.is("leisure", &["park", "nature_reserve"])
                || self.is("landuse", &["cemetery", "forest"])
                || self.is("natural", &["wood"])
                || self.is("amenity", &["grave_yard"])
        };
        match is_water {
            true => Some(AreaKind::Water),
            false => is_park().then_some(AreaKind::Park),
        }
    }

    /// Whether a relation is an area of several lines.
    pub(crate) fn is_multipolygon(&self) -> bool {
        self.is("type", &["multipolygon"])
    }

    /// Whether a line is the course of a river.
    pub(crate) fn is_river(&self) -> bool {
        self.is("waterway", &["river", "canal"])
    }

    pub(crate) fn place(&self) -> Option<Place> {
        let kind = match self.get("place")? {
            "city" | "borough" => NameKind::Area,
            "town" | "village" => NameKind::Town,
            "suburb" | "quarter" | "neighbourhood" | "hamlet" => NameKind::Neighbourhood,
            _ => return None,
        };
        let population = self.get("population").and_then(|text| text.parse().ok());
        Some(Place {
            kind,
            name: self.name()?.to_owned(),
            population: population.unwrap_or_default(),
        })
    }

    /// Street and house number of a building or an entrance.
    pub(crate) fn address(&self) -> Option<(&'a str, &'a str)> {
        let number = self.get("addr:housenumber")?;
        let street = self.get("addr:street").or_else(|| self.get("addr:place"));
        let street = street?.trim();
        (!street.is_empty() && street.len() <= NAME_BYTES_MAX).then_some((street, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Tags<'_> {
        let tags = text.split(' ').filter_map(|tag| tag.split_once('='));
        tags.collect()
    }

    #[test]
    fn streets_are_told_by_how_wide_they_are() {
        let class = |text| tags(text).street();
        assert_eq!(class("highway=trunk_link"), Some(StreetClass::Main));
        assert_eq!(class("highway=tertiary"), Some(StreetClass::Middle));
        assert_eq!(class("highway=living_street"), Some(StreetClass::Local));
        for other in [
            "highway=construction",
            "highway=bus_stop",
            "highway=pedestrian area=yes",
            "railway=tram",
        ] {
            assert_eq!(class(other), None, "{other}");
        }
    }

    #[test]
    fn areas_are_water_or_green() {
        let kind = |text| tags(text).area();
        assert_eq!(kind("natural=water"), Some(AreaKind::Water));
        assert_eq!(kind("waterway=riverbank"), Some(AreaKind::Water));
        assert_eq!(kind("landuse=cemetery"), Some(AreaKind::Park));
        assert_eq!(kind("building=yes"), None);
    }

    #[test]
    fn a_name_without_letters_or_without_end_is_none() {
        let long = format!("name={}", "x".repeat(NAME_BYTES_MAX + 1));
        for text in ["name=", &long, "ref=A1"] {
            assert_eq!(tags(text).name(), None, "{text}");
        }
        assert_eq!(tags("name=Öre").name(), Some("Öre"));
    }

    #[test]
    fn an_address_has_a_street_or_a_place_and_a_number() {
        let address = |text| tags(text).address();
        let street = "addr:street=Kai addr:housenumber=12a";
        assert_eq!(address(street), Some(("Kai", "12a")));
        let place = "addr:place=Werft addr:housenumber=3";
        assert_eq!(address(place), Some(("Werft", "3")));
        assert_eq!(address("addr:street=Kai"), None);
        assert_eq!(address("addr:housenumber=3"), None);
    }
}
