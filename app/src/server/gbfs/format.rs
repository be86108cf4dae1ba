//! The spellings of GBFS 3.0 as it is served, all of them.
//!
//! What is not known is left out: docks, capacities, the kinds of bikes. What the format requires
//! all the same is said here once, with its reason. Times are the replay clock, because the counts
//! hold for it: a feed replayed from an old month is old for its readers too.
//!
//! Source: <https://github.com/MobilityData/gbfs/blob/v3.0/gbfs.md>.

use std::borrow::Cow;

use domain::System;
use serde::Serialize;

use super::id::printable;
use super::settings::FeedSettings;
use crate::model::Count;
use crate::moment::utc;
use crate::server::board::{Board, Entry};

const VERSION: &str = "3.0";
/// The language of what is written here: the name of the only type of vehicle.
const ENGLISH: &str = "en";

/// How long a count may be kept, in seconds (chosen: one window of departures).
pub(super) const STATUS_TTL_S: u32 = 5;

/// How long the list of stations may be kept, in seconds (chosen: a new station is on the map of a
/// reader within a minute).
const STATIONS_TTL_S: u32 = 60;

/// How long what never changes while the server runs may be kept, in seconds.
const SYSTEM_TTL_S: u32 = 300;

/// The only type of vehicle: trip records do not tell a classic bike from an electric one.
const BIKE: &str = "bike";

/// A file of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    /// Where the others are.
    Discovery,
    SystemInformation,
    VehicleTypes,
    StationInformation,
    StationStatus,
}

impl File {
    const ALL: [Self; 5] = [
        Self::Discovery,
        Self::SystemInformation,
        Self::VehicleTypes,
        Self::StationInformation,
        Self::StationStatus,
    ];

    /// The file of a name such as `station_status.json`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".json")?;
        Self::ALL.into_iter().find(|file| file.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Discovery => "gbfs",
            Self::SystemInformation => "system_information",
            Self::VehicleTypes => "vehicle_types",
            Self::StationInformation => "station_information",
            Self::StationStatus => "station_status",
        }
    }

    /// How long the file may be kept, in seconds.
    pub(super) fn ttl_s(self) -> u32 {
        match self {
            Self::Discovery | Self::SystemInformation | Self::VehicleTypes => SYSTEM_TTL_S,
            Self::StationInformation => STATIONS_TTL_S,
            Self::StationStatus => STATUS_TTL_S,
        }
    }
}

/// Writes a file; none before the replay clock has started.
///
/// `origin` is what all addresses begin with, such as `https://bikes.example`. Cost: a millisecond
/// for two thousand stations.
pub(super) fn write(
    file: File,
    board: &Board,
    settings: &FeedSettings,
    origin: &str,
) -> Option<String> {
    let clock = board.clock()?.utc.as_str();
    // Only the counts change with every publish.
    let stations_at = board.stations_at()?.utc.as_str();
    Some(match file {
        File::Discovery => envelope(file, stations_at, &discovery(origin)),
        File::SystemInformation => {
            envelope(file, stations_at, &information(settings, board.system()))
        }
        File::VehicleTypes => envelope(file, stations_at, &vehicle_types()),
        File::StationInformation => {
            let language = board.system().language.as_str();
            let information = |entry| station_information(entry, language);
            let stations = board.stations().map(information).collect();
            envelope(file, stations_at, &Stations { stations })
        }
        File::StationStatus => {
            let status = |entry| station_status(entry, clock);
            let stations = board.stations().map(status).collect();
            envelope(file, clock, &Stations { stations })
        }
    })
}

fn envelope<D: Serialize>(file: File, last_updated: &str, data: &D) -> String {
    #[derive(Serialize)]
    struct Envelope<'a, D> {
        last_updated: &'a str,
        ttl: u32,
        version: &'static str,
        data: &'a D,
    }
    let envelope = Envelope {
        last_updated,
        ttl: file.ttl_s(),
        version: VERSION,
        data,
    };
    serde_json::to_string(&envelope).expect("the files have string keys and finite numbers only")
}

#[derive(Serialize)]
struct Discovery {
    feeds: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    name: &'static str,
    url: String,
}

fn discovery(origin: &str) -> Discovery {
    let link = |file: File| Link {
        name: file.name(),
        url: format!("{origin}/gbfs/{VERSION}/{}.json", file.name()),
    };
    Discovery {
        feeds: File::ALL.into_iter().map(link).collect(),
    }
}

#[derive(Serialize)]
struct SystemInformation<'a> {
    system_id: &'a str,
    languages: [&'a str; 1],
    name: Localized<'a>,
    /// Docks never close.
    opening_hours: &'static str,
    feed_contact_email: &'a str,
    timezone: &'a str,
}

fn information<'a>(settings: &'a FeedSettings, system: &'a System) -> SystemInformation<'a> {
    SystemInformation {
        system_id: &settings.system_id,
        languages: [&system.language],
        name: localized(&settings.name, &system.language),
        opening_hours: "24/7",
        feed_contact_email: &settings.contact_email,
        timezone: &system.timezone,
    }
}

#[derive(Serialize)]
struct VehicleTypes {
    vehicle_types: [VehicleType; 1],
}

#[derive(Serialize)]
struct VehicleType {
    vehicle_type_id: &'static str,
    form_factor: &'static str,
    /// Required. Every bike of the system has pedals; which ones help along is not known.
    propulsion_type: &'static str,
    name: Localized<'static>,
}

fn vehicle_types() -> VehicleTypes {
    VehicleTypes {
        vehicle_types: [VehicleType {
            vehicle_type_id: BIKE,
            form_factor: "bicycle",
            propulsion_type: "human",
            name: localized("Bike", ENGLISH),
        }],
    }
}

#[derive(Serialize)]
struct Stations<S> {
    stations: Vec<S>,
}

#[derive(Serialize)]
struct StationInformation<'a> {
    station_id: String,
    name: Localized<'a>,
    lat: f64,
    lon: f64,
}

fn station_information<'a>(entry: &'a Entry, language: &'a str) -> StationInformation<'a> {
    let dock = &entry.dock;
    StationInformation {
        station_id: printable(&entry.station_id),
        name: localized(&dock.name, language),
        lat: dock.lat,
        lon: dock.lon,
    }
}

/// The three `is_` are required: a station of which no live feed says anything, where bikes depart and
/// arrive, is in service as far as anybody knows here.
#[derive(Serialize)]
struct StationStatus<'a> {
    station_id: String,
    num_vehicles_available: i32,
    vehicle_types_available: [VehicleCount; 1],
    is_installed: bool,
    is_renting: bool,
    is_returning: bool,
    /// Of a station that its live feed no longer has, when it had it last.
    last_reported: Cow<'a, str>,
    /// An extension, named as the format asks: the count is net flow, not a count of bikes.
    #[serde(rename = "_estimated", skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
}

#[derive(Serialize)]
struct VehicleCount {
    vehicle_type_id: &'static str,
    count: i32,
}

fn station_status<'a>(entry: &Entry, clock: &'a str) -> StationStatus<'a> {
    let Count {
        bikes: count,
        estimated,
        service,
        ..
    } = entry.dock.count;
    let last_seen = entry.last_seen.map(|at| Cow::Owned(utc(at)));
    StationStatus {
        station_id: printable(&entry.station_id),
        num_vehicles_available: count,
        vehicle_types_available: [VehicleCount {
            vehicle_type_id: BIKE,
            count,
        }],
        is_installed: service.installed,
        is_renting: service.renting,
        is_returning: service.returning,
        last_reported: last_seen.unwrap_or(Cow::Borrowed(clock)),
        estimated,
    }
}

type Localized<'a> = [Text<'a>; 1];

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
    language: &'a str,
}

fn localized<'a>(text: &'a str, language: &'a str) -> Localized<'a> {
    [Text { text, language }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_name() {
        assert_eq!(
            File::named("station_status.json"),
            Some(File::StationStatus)
        );
        assert_eq!(File::named("gbfs.json"), Some(File::Discovery));
        for name in ["station_status", "free_bike_status.json", ".json", ""] {
            assert_eq!(File::named(name), None, "{name}");
        }
    }
}
