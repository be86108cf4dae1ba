//! The spellings of GBFS 3.0 as it is served, all of them.
//!
//! What is not known is left out: of trip files docks, capacities, the kinds of bikes. What the format
//! requires
//! all the same is said here once, with its reason. Times are the replay clock, because the counts
//! hold for it: a feed replayed from an old month is old for its readers too.
//!
//! Source: <https://github.com/MobilityData/gbfs/blob/v3.0/gbfs.md>.

use std::borrow::Cow;

use domain::{Stock, System};
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

/// A bike without a motor; any bike, where nothing tells e-bikes apart.
const BIKE: &str = "bike";

/// A bike with a motor.
const EBIKE: &str = "ebike";

/// Required of a vehicle with a motor, and told by nobody (chosen: what makers say of a full battery).
const EBIKE_RANGE_M: u32 = 50_000;

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
        File::VehicleTypes => envelope(file, stations_at, &vehicle_types(board.tells_ebikes())),
        File::StationInformation => {
            let language = board.system().language.as_str();
            let information = |entry| station_information(entry, language);
            let stations = board.stations().map(information).collect();
            envelope(file, stations_at, &Stations { stations })
        }
        File::StationStatus => {
            let status = |entry| station_status(entry, clock, board.tells_ebikes());
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
    vehicle_types: Vec<VehicleType>,
}

#[derive(Serialize)]
struct VehicleType {
    vehicle_type_id: &'static str,
    form_factor: &'static str,
    /// Required. Every bike of the system has pedals, also where nobody knows which ones help along.
    propulsion_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_range_meters: Option<u32>,
    name: Localized<'static>,
}

fn vehicle_types(tells_ebikes: bool) -> VehicleTypes {
    let bike = VehicleType {
        vehicle_type_id: BIKE,
        form_factor: "bicycle",
        propulsion_type: "human",
        max_range_meters: None,
        name: localized("Bike", ENGLISH),
    };
    let ebike = tells_ebikes.then(|| VehicleType {
        vehicle_type_id: EBIKE,
        form_factor: "bicycle",
        propulsion_type: "electric_assist",
        max_range_meters: Some(EBIKE_RANGE_M),
        name: localized("E-bike", ENGLISH),
    });
    VehicleTypes {
        vehicle_types: std::iter::once(bike).chain(ebike).collect(),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u16>,
}

fn station_information<'a>(entry: &'a Entry, language: &'a str) -> StationInformation<'a> {
    let dock = &entry.dock;
    StationInformation {
        station_id: printable(&entry.station_id),
        name: localized(&dock.name, language),
        lat: dock.lat,
        lon: dock.lon,
        capacity: dock.count.stock.capacity,
    }
}

/// The three `is_` are required: a station of which no live feed says anything, where bikes depart and
/// arrive, is in service as far as anybody knows here.
#[derive(Serialize)]
struct StationStatus<'a> {
    station_id: String,
    num_vehicles_available: i32,
    /// Required beside `vehicle_types`. Nothing is in it of a station whose e-bikes are not known, where
    /// those of others are.
    vehicle_types_available: Vec<VehicleCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_vehicles_disabled: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_docks_available: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_docks_disabled: Option<u16>,
    is_installed: bool,
    is_renting: bool,
    is_returning: bool,
    /// Where no feed says so: of a station that its live feed no longer has, when it had it last; of
    /// another one the clock.
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

fn by_type(bikes: i32, stock: Stock, tells_ebikes: bool) -> Vec<VehicleCount> {
    let of = |vehicle_type_id, count| VehicleCount {
        vehicle_type_id,
        count,
    };
    match stock.ebikes.map(i32::from) {
        None if tells_ebikes => Vec::new(),
        None => vec![of(BIKE, bikes)],
        Some(ebikes) => {
            let ebikes = ebikes.min(bikes);
            vec![of(BIKE, bikes - ebikes), of(EBIKE, ebikes)]
        }
    }
}

fn station_status<'a>(entry: &Entry, clock: &'a str, tells_ebikes: bool) -> StationStatus<'a> {
    let Count {
        bikes,
        estimated,
        service,
        stock,
        ..
    } = entry.dock.count;
    let last_reported = entry.last_reported.or(entry.last_seen);
    let last_reported = last_reported.map(|at| Cow::Owned(utc(at)));
    StationStatus {
        station_id: printable(&entry.station_id),
        num_vehicles_available: bikes,
        vehicle_types_available: by_type(bikes, stock, tells_ebikes),
        num_vehicles_disabled: stock.broken_bikes,
        num_docks_available: stock.free_docks,
        num_docks_disabled: stock.broken_docks,
        is_installed: service.installed,
        is_renting: service.renting,
        is_returning: service.returning,
        last_reported: last_reported.unwrap_or(Cow::Borrowed(clock)),
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
