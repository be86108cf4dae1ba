//! A trip: one rental, from a departure to an arrival.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One rental of one bike, from undocking to docking.
///
/// Shape: one per usable row of a trip file. Times are UTC with microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    /// The bike, where the file names it (legacy files until 2019-12, Jersey City until 2021-01).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bike_id: Option<String>,
    /// When the bike left its dock.
    pub departed_at: DateTime<Utc>,
    /// Where the bike left.
    pub from: Station,
    /// When the bike was docked again; never before `departed_at`.
    pub arrived_at: DateTime<Utc>,
    /// Where the bike was docked.
    pub to: Station,
    /// Who rode, where the file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rider: Option<Rider>,
    /// Which kind of bike it was, where the file says so (2021 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bike_kind: Option<BikeKind>,
}

/// A place with docks, as a trip names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Station {
    /// The operator's id: an opaque text such as `3202`, `HB103` or `6926.01`.
    pub station_id: String,
    /// The station's name, nearly always a street corner.
    pub street: String,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
}

/// The rider's kind of contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rider {
    /// Rides on a yearly contract (`Subscriber`, `member`).
    Member,
    /// Rides on a day pass or a single ticket (`Customer`, `casual`).
    Casual,
}

/// What a trip file calls the bike: `rideable_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BikeKind {
    /// Without a motor (`classic_bike`).
    Classic,
    /// With one (`electric_bike`).
    Electric,
    /// A bike of docks, in some files of 2021 to 2023 (`docked_bike`); what else it is nobody says.
    Docked,
}
