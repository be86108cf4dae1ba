//! The spellings of GBFS 3.0 that are read: times are RFC 3339, texts come in several languages.
//!
//! Source: <https://github.com/MobilityData/gbfs/blob/v3.0/gbfs.md>.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::feed::{Id, Link, RawCount, RawStation};

#[derive(Debug, Deserialize)]
pub(super) struct Station {
    station_id: Id,
    name: Vec<Localized>,
    lat: f64,
    lon: f64,
}

#[derive(Debug, Deserialize)]
struct Localized {
    text: String,
    language: String,
}

impl From<Station> for RawStation {
    fn from(station: Station) -> Self {
        let is_english = |name: &&Localized| name.language.starts_with("en");
        let names = &station.name;
        let name = names.iter().find(is_english).or_else(|| names.first());
        Self {
            station_id: station.station_id.into(),
            name: name.map(|name| name.text.clone()).unwrap_or_default(),
            lat: station.lat,
            lon: station.lon,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    station_id: Id,
    num_vehicles_available: i64,
    #[serde(default)]
    last_reported: Value,
}

impl From<Status> for RawCount {
    fn from(status: Status) -> Self {
        Self {
            station_id: status.station_id.into(),
            field: "num_vehicles_available",
            count: status.num_vehicles_available,
            reported_at: instant(&status.last_reported),
        }
    }
}

pub(super) fn links(data: &Value) -> Option<Vec<Link>> {
    Vec::deserialize(data.get("feeds")?).ok()
}

pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(at.to_utc())
}
