//! Trips in few bytes: what all of them share is kept once.
//!
//! A file is ordered in memory before it is sent, so a row must be small: 72 bytes, where a
//! [`Trip`] with its texts takes about 400.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{BikeKind, Rider, Trip};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// A file with more bikes and stations is refused (chosen: ten times what the city ever had).
pub(crate) const NAMES_MAX: usize = 500_000;

/// A trip whose bike and stations are indices into [`Names`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactTrip {
    /// Microseconds since 1970, UTC.
    pub departed_at: i64,
    /// Microseconds since 1970, UTC.
    pub arrived_at: i64,
    pub bike: Option<NameIndex>,
    pub from: Place,
    pub to: Place,
    pub rider: Option<Rider>,
    pub bike_kind: Option<BikeKind>,
}

/// A station and where this trip saw it: since 2021 the place is the bike's own, a bit different
/// from trip to trip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub lat: f64,
    pub lon: f64,
    pub station: NameIndex,
}

/// An index into [`Names`]; never 0, so that a missing one takes no room.
pub type NameIndex = std::num::NonZeroU32;

/// The texts of a source: its bikes and its stations.
#[derive(Debug, Default)]
pub struct Names {
    bikes: Interned<String>,
    stations: Interned<StationText>,
    station_keys: Vec<StationKey>,
}

/// Names as they stood in the file, in the order of their indices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    bikes: Vec<String>,
    stations: Vec<StationText>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StationText {
    station_id: String,
    street: String,
}

/// What decides about the partition of a trip from a station.
#[derive(Debug, Clone)]
pub struct StationKey {
    /// The station's id.
    pub key: Bytes,
    pub hash: u64,
}

/// Texts in the order in which they were first seen.
#[derive(Debug)]
struct Interned<T> {
    texts: Vec<T>,
    indices: HashMap<String, NameIndex>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            indices: HashMap::new(),
        }
    }
}

impl<T> Interned<T> {
    /// Finds `key`, or keeps what `text` makes of it; tells whether it is new.
    fn index(&mut self, key: &str, text: impl FnOnce() -> T) -> (NameIndex, bool) {
        if let Some(&index) = self.indices.get(key) {
            return (index, false);
        }
        self.texts.push(text());
        let count = u32::try_from(self.texts.len()).expect("a file has fewer than 4 billion names");
        let index = NameIndex::new(count).expect("one was pushed just now");
        self.indices.insert(key.to_owned(), index);
        (index, true)
    }

    fn text(&self, index: NameIndex) -> &T {
        &self.texts[position(index)]
    }
}

fn position(index: NameIndex) -> usize {
    index.get() as usize - 1
}

impl Names {
    /// Keeps the trip's texts and gives the rest.
    pub(crate) fn compact(&mut self, trip: &Trip) -> CompactTrip {
        CompactTrip {
            departed_at: trip.departed_at.timestamp_micros(),
            arrived_at: trip.arrived_at.timestamp_micros(),
            bike: trip.bike_id.as_deref().map(|id| self.bike(id)),
            from: self.place(&trip.from),
            to: self.place(&trip.to),
            rider: trip.rider,
            bike_kind: trip.bike_kind,
        }
    }

    /// Keeps a bike's id.
    pub(crate) fn bike(&mut self, bike_id: &str) -> NameIndex {
        self.bikes.index(bike_id, || bike_id.to_owned()).0
    }

    /// Keeps a station's id and street, beside its place.
    pub(crate) fn place(&mut self, station: &domain::Station) -> Place {
        Place {
            lat: station.lat,
            lon: station.lon,
            station: self.station(&station.station_id, &station.street),
        }
    }

    /// Keeps a station's id and street.
    pub(crate) fn station(&mut self, station_id: &str, street: &str) -> NameIndex {
        let key = format!("{station_id}\n{street}");
        let text = || StationText {
            station_id: station_id.to_owned(),
            street: street.to_owned(),
        };
        let (index, is_new) = self.stations.index(&key, text);
        if is_new {
            self.station_keys.push(StationKey {
                key: Bytes::copy_from_slice(station_id.as_bytes()),
                hash: xxh3_64(station_id.as_bytes()),
            });
        }
        index
    }

    /// The texts alone, from which [`Names::from_texts`] makes the same indices.
    pub(crate) fn to_texts(&self) -> Texts {
        Texts {
            bikes: self.bikes.texts.clone(),
            stations: self.stations.texts.clone(),
        }
    }

    /// Ids of the bikes that follow the first `known` ones, up to `last`.
    pub(crate) fn bike_texts(&self, known: usize, last: NameIndex) -> impl Iterator<Item = String> {
        let texts = self.bikes.texts.get(known..=position(last));
        texts.unwrap_or_default().iter().cloned()
    }

    /// Ids and streets of the stations that follow the first `known` ones, up to `last`.
    pub(crate) fn station_texts(
        &self,
        known: usize,
        last: NameIndex,
    ) -> impl Iterator<Item = (String, String)> {
        let texts = self.stations.texts.get(known..=position(last));
        let texts = texts.unwrap_or_default().iter();
        texts.map(|text| (text.station_id.clone(), text.street.clone()))
    }

    /// Keeps texts in their order.
    pub(crate) fn from_texts(texts: &Texts) -> Self {
        let mut names = Self::default();
        for bike_id in &texts.bikes {
            names.bike(bike_id);
        }
        for StationText { station_id, street } in &texts.stations {
            names.station(station_id, street);
        }
        names
    }

    /// How many there are: what bounds their memory.
    pub(crate) fn len(&self) -> usize {
        self.bikes.texts.len() + self.stations.texts.len()
    }

    /// The bike's id.
    pub(crate) fn bike_id(&self, bike: NameIndex) -> &str {
        self.bikes.text(bike)
    }

    /// The bike's id as a JSON string: samples of prepared files have the hash of that.
    pub(crate) fn bike_json(&self, bike: NameIndex) -> String {
        serde_json::to_string(self.bike_id(bike)).expect("a string is always JSON")
    }

    /// The station's id and street.
    pub(crate) fn station_id_and_street(&self, station: NameIndex) -> (&str, &str) {
        let StationText { station_id, street } = self.stations.text(station);
        (station_id, street)
    }

    /// The station's id as a key, with its hash.
    pub fn station_key(&self, station: NameIndex) -> &StationKey {
        &self.station_keys[position(station)]
    }
}

/// The instant, from microseconds since 1970.
pub fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_made_from_their_texts_have_the_same_indices(
            bikes in prop::collection::vec(".{0,5}", 0..20),
            stations in prop::collection::vec(("[a-c\n\"é]{0,3}", "[a-c\n]{0,3}"), 0..20),
        ) {
            let mut names = Names::default();
            bikes.iter().for_each(|bike| { names.bike(bike); });
            stations.iter().for_each(|(id, street)| { names.station(id, street); });
            let again = Names::from_texts(&names.to_texts());
            prop_assert_eq!(&again.bikes.texts, &names.bikes.texts);
            prop_assert_eq!(&again.stations.texts, &names.stations.texts);
            let hashes = |names: &Names| -> Vec<u64> {
                names.station_keys.iter().map(|key| key.hash).collect()
            };
            prop_assert_eq!(hashes(&again), hashes(&names));
        }
    }
}
