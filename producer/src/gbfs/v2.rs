//! The spellings of GBFS 2.0 to 2.3 that are read: times are POSIX seconds, texts are texts, and
//! the discovery file has a list for each language.
//!
//! Source: <https://github.com/MobilityData/gbfs/blob/v2.3/gbfs.md>.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::raw::{Flags, Id, Link, RawCount, RawNumbers, RawStation};

#[derive(Debug, Deserialize)]
pub(super) struct Station {
    station_id: Id,
    name: String,
    lat: f64,
    lon: f64,
    #[serde(default)]
    capacity: Value,
}

impl From<Station> for RawStation {
    fn from(station: Station) -> Self {
        Self {
            station_id: station.station_id.into(),
            name: station.name,
            lat: station.lat,
            lon: station.lon,
            capacity: station.capacity,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    station_id: Id,
    num_bikes_available: i64,
    #[serde(flatten)]
    flags: Flags,
    #[serde(flatten)]
    numbers: RawNumbers,
    #[serde(default)]
    num_bikes_disabled: Value,
    #[serde(default)]
    last_reported: Value,
}

impl From<Status> for RawCount {
    fn from(status: Status) -> Self {
        Self {
            station_id: status.station_id.into(),
            field: "num_bikes_available",
            count: status.num_bikes_available,
            service: status.flags.into(),
            numbers: RawNumbers {
                disabled_name: "num_bikes_disabled",
                disabled: status.num_bikes_disabled,
                ..status.numbers
            },
            last_reported: instant(&status.last_reported),
        }
    }
}

/// The files of one language: English if there is any, or else the first; all name the same counts.
pub(super) fn links(data: &Value) -> Option<Vec<Link>> {
    let languages = data.as_object()?;
    let language = languages.get("en").or_else(|| languages.values().next())?;
    Vec::deserialize(language.get("feeds")?).ok()
}

/// The language of the texts in a file.
pub(super) fn language(system: &Value) -> Option<&str> {
    system.get("language")?.as_str()
}

pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(value.as_i64()?, 0)
}
