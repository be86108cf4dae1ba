//! What both generations of the format share, before it is checked.

use chrono::{DateTime, Utc};
use domain::Service;
use serde::Deserialize;
use serde_json::Value;

/// The three flags of a station in both generations.
#[derive(Debug, Deserialize)]
pub(super) struct Flags {
    #[serde(default)]
    is_installed: Value,
    #[serde(default)]
    is_renting: Value,
    #[serde(default)]
    is_returning: Value,
}

impl From<Flags> for Service {
    fn from(flags: Flags) -> Self {
        // Some feeds write 1 and 0. What is no flag says nothing, which is no reason to close a station.
        let is_set = |value: Value| match value {
            Value::Bool(flag) => flag,
            Value::Number(number) => number.as_i64() != Some(0),
            _ => true,
        };
        Self {
            installed: is_set(flags.is_installed),
            renting: is_set(flags.is_renting),
            returning: is_set(flags.is_returning),
        }
    }
}

/// A file's address in the discovery file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) url: String,
}

/// A station as both generations have it, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawStation {
    pub(super) station_id: String,
    pub(super) name: String,
    pub(super) lat: f64,
    pub(super) lon: f64,
    pub(super) capacity: Value,
}

/// A count as both generations have it, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawCount {
    pub(super) station_id: String,
    /// The count's name in this generation.
    pub(super) field: &'static str,
    pub(super) count: i64,
    pub(super) service: Service,
    pub(super) numbers: RawNumbers,
    pub(super) last_reported: Option<DateTime<Utc>>,
}

/// The other numbers of a station; a bad one shall not refuse the station, so they may be anything.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct RawNumbers {
    #[serde(default)]
    pub(super) num_docks_available: Value,
    #[serde(default)]
    pub(super) num_docks_disabled: Value,
    #[serde(default)]
    pub(super) vehicle_types_available: Value,
    /// Citi Bike's own.
    #[serde(default)]
    pub(super) num_ebikes_available: Value,
    /// As some feeds have it that are older than types of vehicles.
    #[serde(default)]
    pub(super) num_bikes_available_types: Value,
    /// The name of the next one in this generation.
    #[serde(skip)]
    pub(super) disabled_name: &'static str,
    #[serde(skip)]
    pub(super) disabled: Value,
}

/// An id is a text; some feeds write numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Id {
    Text(String),
    Number(serde_json::Number),
}

impl Id {
    pub(super) fn read(value: &Value) -> Option<String> {
        Self::deserialize(value).ok().map(String::from)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        }
    }
}
