//! What server and browser tell each other about the city.

use serde::{Deserialize, Serialize};

/// The radius of a search: three blocks, in metres.
pub const SEARCH_RADIUS_M: f64 = domain::geo::THREE_BLOCKS_M;

/// What a search must look like; shown whenever one does not.
pub const EXPECTED_SEARCH: &str =
    "type a building number and a street name, such as \"1 Park Avenue\"";

/// A station with docks, and how many bikes stand there.
///
/// JSON: `[location_id, name, lat, lon, bikes, estimated]`; short, since a page holds thousands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "DockWire", into = "DockWire")]
pub struct Dock {
    /// Key of table `location`.
    pub id: i32,
    /// The station's name, nearly always a street corner.
    pub name: String,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
    /// What stands there now.
    pub count: Count,
}

type DockWire = (i32, String, f64, f64, i32, bool);

impl From<DockWire> for Dock {
    fn from((id, name, lat, lon, bikes, estimated): DockWire) -> Self {
        Self {
            id,
            name,
            lat,
            lon,
            count: Count { bikes, estimated },
        }
    }
}

impl From<Dock> for DockWire {
    fn from(
        Dock {
            id,
            name,
            lat,
            lon,
            count,
        }: Dock,
    ) -> Self {
        (id, name, lat, lon, count.bikes, count.estimated)
    }
}

/// Bikes at a dock at the replay clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Number of bikes, 0 or more.
    pub bikes: i32,
    /// Whether trips without a bike id are part of the number.
    pub estimated: bool,
}

/// The replay clock: the "now" of everything shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// UTC, RFC 3339: `2020-03-02T13:14:05Z`.
    pub utc: String,
    /// New York wall clock for people: `Mon 2 Mar 2020, 08:14:05`.
    pub local: String,
}

/// Whether the server hears from Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// The server listens and has read the docks.
    Up,
    /// The server is trying to reach Postgres; it shows the last state it has.
    #[default]
    Down,
}

/// All docks at one version.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Number of the sink's publish; 0 before the first.
    pub version: i64,
    /// The replay clock; none before the first publish.
    pub clock: Option<Moment>,
    /// Milliseconds since the sink last published.
    pub age_ms: Option<u64>,
    /// Whether the numbers can still change.
    pub database: Database,
    /// Every dock known, by id.
    pub docks: Vec<Dock>,
}

/// What changed after some version; event `docks` of `/live`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Delta {
    /// The version after this change.
    pub version: i64,
    /// Replay clock in UTC, RFC 3339.
    pub clock: Option<String>,
    /// Replay clock in New York, for people.
    pub local: Option<String>,
    /// Whether `docks` is everything there is: forget all others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// `[location_id, bikes, estimated]` of each changed dock.
    pub docks: Vec<(i32, i32, bool)>,
    /// `[location_id, name, lat, lon]` of docks the reader may not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<(i32, String, f64, f64)>,
}

/// Event `heartbeat` of `/live`: the line is open, and how the server fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Whether the server hears from Postgres.
    pub database: Database,
    /// Milliseconds since the sink last published.
    pub age_ms: Option<u64>,
}

/// Whole seconds since the last publish, if that is longer ago than it should be; none before the
/// first. The one rule of the page, of `/healthz` and of `bikeshare status`.
#[must_use]
pub fn stale_seconds(age_ms: Option<u64>, stale_after_ms: u64) -> Option<u64> {
    age_ms
        .filter(|age_ms| *age_ms > stale_after_ms)
        .map(|age_ms| age_ms / 1_000)
}

/// A place that was searched for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What was asked, as understood: `1 Park Ave, near E 32 St`.
    pub label: String,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
    /// How the place was found, and how far off it may be.
    pub accuracy: String,
}

/// What a search gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The place.
    Found(Place),
    /// What to tell the rider instead; holds [`EXPECTED_SEARCH`].
    Flash(String),
}

/// Everything the page is drawn from: rendered on the server, taken over by the browser.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PageContent {
    /// The docks.
    pub snapshot: Snapshot,
    /// What the rider searched for, as typed.
    pub query: String,
    /// What it gave; none without a search.
    pub outcome: Option<Outcome>,
    /// The dock the rider selected.
    pub selected: Option<i32>,
    /// Milliseconds without a publish after which the page calls itself stale.
    pub stale_after_ms: u64,
    /// Raster tiles under the map.
    pub tiles: Option<Tiles>,
}

/// An optional raster layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tiles {
    /// URL with `{z}`, `{x}` and `{y}`.
    pub url: String,
    /// Who must be named on the map.
    pub attribution: String,
}
