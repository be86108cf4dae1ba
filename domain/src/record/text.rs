//! Texts and stations of records, borrowed: at bulk speed every allocation shows.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use crate::Station;
use crate::location::Location;

/// A text, borrowed from the JSON it stands in unless something in it is escaped.
///
/// (`Option<Cow<str>>` never borrows in serde.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<'a>(Cow<'a, str>);

/// A [`Station`] whose texts are borrowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StationRef<'a> {
    /// The operator's id.
    #[serde(borrow)]
    pub station_id: Text<'a>,
    /// The station's name.
    #[serde(borrow)]
    pub street: Text<'a>,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
}

impl StationRef<'_> {
    /// Its name and place.
    #[must_use]
    pub fn location(&self) -> Location<&str> {
        Location {
            street: &self.street,
            lat: self.lat,
            lon: self.lon,
        }
    }
}

impl<'a> From<&'a Station> for StationRef<'a> {
    fn from(station: &'a Station) -> Self {
        Self {
            station_id: Text::from(station.station_id.as_str()),
            street: Text::from(station.street.as_str()),
            lat: station.lat,
            lon: station.lon,
        }
    }
}

impl From<Station> for StationRef<'_> {
    fn from(station: Station) -> Self {
        Self {
            station_id: Text::from(station.station_id),
            street: Text::from(station.street),
            lat: station.lat,
            lon: station.lon,
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.0.into_owned()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text::from(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text::from(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Text::from(text))
    }
}
