//! The spellings of GBFS 3.0 that are read: times are RFC 3339, texts come in several languages.
//!
//! Source: <https://github.com/MobilityData/gbfs/blob/v3.0/gbfs.md>.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::raw::{Flags, Id, Link, RawCount, RawNumbers, RawStation};

#[derive(Debug, Deserialize)]
pub(super) struct Station {
    station_id: Id,
    name: Vec<Localized>,
    lat: f64,
    lon: f64,
    #[serde(default)]
    capacity: Value,
}

#[derive(Debug, Deserialize)]
struct Localized {
    text: String,
    language: String,
}

impl From<Station> for RawStation {
    fn from(station: Station) -> Self {
        let names = &station.name;
        let english = names.iter().find(|name| is_english(&name.language));
        let name = english.or_else(|| names.first());
        Self {
            station_id: station.station_id.into(),
            name: name.map(|name| name.text.clone()).unwrap_or_default(),
            lat: station.lat,
            lon: station.lon,
            capacity: station.capacity,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    station_id: Id,
    num_vehicles_available: i64,
    #[serde(flatten)]
    flags: Flags,
    #[serde(flatten)]
    numbers: RawNumbers,
    #[serde(default)]
    num_vehicles_disabled: Value,
    #[serde(default)]
    last_reported: Value,
}

impl From<Status> for RawCount {
    fn from(status: Status) -> Self {
        Self {
            station_id: status.station_id.into(),
            field: "num_vehicles_available",
            count: status.num_vehicles_available,
            service: status.flags.into(),
            numbers: RawNumbers {
                disabled_name: "num_vehicles_disabled",
                disabled: status.num_vehicles_disabled,
                ..status.numbers
            },
            last_reported: instant(&status.last_reported),
        }
    }
}

pub(super) fn links(data: &Value) -> Option<Vec<Link>> {
    Vec::deserialize(data.get("feeds")?).ok()
}

/// The language of the names that are taken: English if there is any, or else the first.
pub(super) fn language(system: &Value) -> Option<&str> {
    let languages = system.get("languages")?.as_array()?;
    let mut tags = languages.iter().filter_map(Value::as_str);
    let english = tags.clone().find(|tag| is_english(tag));
    english.or_else(|| tags.next())
}

fn is_english(tag: &str) -> bool {
    tag.starts_with("en")
}

pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(at.to_utc())
}
