//! What is served. The document for machines is made out of these types, with their comments.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::availability::DockCount;
use serde::Serialize;
use utoipa::ToSchema;

use crate::moment::utc;
use crate::server::board::Entry;

/// Docks at an instant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Docks<'a> {
    #[serde(flatten)]
    pub(super) instant: Instant<'a>,
    /// Whether `docks` is all that was asked for: false where it is what changed after `since`.
    pub(super) full: bool,
    /// By number; with `near`, the nearest first.
    pub(super) docks: Vec<Dock<'a>>,
}

/// A dock at an instant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OneDock<'a> {
    #[serde(flatten)]
    pub(super) instant: Instant<'a>,
    pub(super) dock: Dock<'a>,
}

/// For when the counts hold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Instant<'a> {
    /// The replay clock or, where an instant was asked for, the second of the past that is shown.
    #[schema(format = DateTime)]
    pub(super) at: String,
    /// Number of the publish, which grows: `since` takes it. Not of the past.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<i64>,
    /// Why this is another second than the one asked for, or that it is being corrected.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<&'a str>,
}

/// A station with docks, and what is there. Name and place are those of now, also in the past.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Dock<'a> {
    /// The number that addresses have.
    #[schema(minimum = 1)]
    pub(super) id: i32,
    /// The operator's id of the station.
    pub(super) station_id: &'a str,
    /// The station's name, nearly always a street corner.
    pub(super) name: &'a str,
    /// Latitude in degrees, WGS 84.
    #[schema(minimum = -90, maximum = 90)]
    pub(super) lat: f64,
    /// Longitude in degrees, WGS 84.
    #[schema(minimum = -180, maximum = 180)]
    pub(super) lon: f64,
    /// Metres from the place that `near` names, as the crow flies.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) distance_m: Option<u32>,
    #[serde(flatten)]
    pub(super) count: Count,
}

impl<'a> Dock<'a> {
    pub(super) fn of(entry: &'a Entry, count: DockCount) -> Self {
        Self {
            id: entry.dock.id,
            station_id: &entry.station_id,
            name: &entry.dock.name,
            lat: entry.dock.lat,
            lon: entry.dock.lon,
            distance_m: None,
            count: count.into(),
        }
    }
}

/// What the board knows of a dock now.
pub(super) fn count_now(entry: &Entry) -> DockCount {
    let count = entry.dock.count;
    DockCount {
        bikes: count.bikes,
        estimated: count.estimated,
        service: count.service,
        last_seen: entry.last_seen,
        stock: count.stock,
        last_reported: entry.last_reported,
    }
}

/// What is at a dock.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Count {
    /// Bikes of any kind.
    #[schema(minimum = 0)]
    bikes: i32,
    /// Whether that is worked out of trips which name no bike.
    estimated: bool,
    /// E-bikes among them.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    ebikes: Option<u16>,
    /// Docks to return a bike to.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    free_docks: Option<u16>,
    /// Docks in all.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u16>,
    /// Bikes that cannot be taken.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_bikes: Option<u16>,
    /// Docks that take no bike.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_docks: Option<u16>,
    /// Whether the station is on the street.
    installed: bool,
    /// Whether bikes can be taken.
    renting: bool,
    /// Whether bikes can be returned.
    returning: bool,
    /// When a live feed had the station for the last time, if it goes on without it.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// When the station last spoke to its operator. Not of the past.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reported: Option<String>,
}

impl From<DockCount> for Count {
    fn from(count: DockCount) -> Self {
        let DockCount { service, stock, .. } = count;
        Self {
            bikes: count.bikes,
            estimated: count.estimated,
            ebikes: stock.ebikes,
            free_docks: stock.free_docks,
            capacity: stock.capacity,
            broken_bikes: stock.broken_bikes,
            broken_docks: stock.broken_docks,
            installed: service.installed,
            renting: service.renting,
            returning: service.returning,
            last_seen: count.last_seen.map(utc),
            last_reported: count.last_reported.map(utc),
        }
    }
}

/// A dock's counts as they changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DockPast {
    /// The dock's number.
    pub(super) dock: i32,
    /// The first second that this tells of.
    #[schema(format = DateTime)]
    pub(super) from: String,
    /// The last one.
    #[schema(format = DateTime)]
    pub(super) until: String,
    /// The `from` of what follows, where that was asked for and did not fit.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    /// In order of time. The first one is of `from`, or of when the dock came.
    pub(super) counts: Vec<CountSince>,
}

/// What was at a dock from a second on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CountSince {
    /// From when on it was so, until the next count.
    #[schema(format = DateTime)]
    pub(super) since: String,
    #[serde(flatten)]
    pub(super) count: Count,
}

/// Departures per window, of the whole city.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Windows {
    /// The `from` of what follows, where that was asked for and did not fit.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    /// Windows that begin before it are closed: only a trip that comes late can still change them.
    #[schema(format = DateTime, nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed_until: Option<String>,
    /// In order of time; a window in which no bike left is not there.
    pub(super) windows: Vec<Window>,
}

/// Five seconds, unless the module `dock-window` is set to count others.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Window {
    /// Its first instant.
    #[schema(format = DateTime)]
    pub(super) start: String,
    /// Bikes that left in it.
    #[schema(minimum = 0)]
    pub(super) departures: i64,
}

impl Window {
    pub(super) fn of((start, departures): (DateTime<Utc>, i64)) -> Self {
        Self {
            start: to_the_fraction(start),
            departures,
        }
    }
}

/// RFC 3339, with as many digits as it takes: a window may be shorter than a second.
pub(super) fn to_the_fraction(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
