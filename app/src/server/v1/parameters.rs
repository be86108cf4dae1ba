//! Parameters of an address: read once, at the edge, and refused with what is expected. What each one's
//! schema allows is taken, and all of it.

use std::error::Error as _;

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use domain::geo::distance_m;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use crate::model::Dock;

/// A route's query, of which each parameter is as expected and none unknown.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            // Its cause names the parameter and says what is expected.
            Err(error) => {
                let cause = error.source().map(ToString::to_string);
                let detail = cause.unwrap_or_else(|| error.body_text());
                Err(Problem::of_text(StatusCode::BAD_REQUEST, &detail))
            }
        }
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Whole<const MIN: i64, const MAX: i64>(pub(super) i64);

impl<const MIN: i64, const MAX: i64> TryFrom<String> for Whole<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.parse().ok();
        let number = number.filter(|number| (MIN..=MAX).contains(number));
        number
            .map(Self)
            .ok_or_else(|| format!("expected a whole number from {MIN} to {MAX}"))
    }
}

impl<const MIN: i64, const MAX: i64> PartialSchema for Whole<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let whole = ObjectBuilder::new().schema_type(Type::Integer);
        whole.minimum(Some(MIN)).maximum(Some(MAX)).into()
    }
}

impl<const MIN: i64, const MAX: i64> ToSchema for Whole<MIN, MAX> {}

/// The number of a dock: key of table `location`.
pub(super) type DockId = Whole<1, { i32::MAX as i64 }>;

/// A version that was served; as large as a number can be in any reader of JSON.
pub(super) type Version = Whole<0, { (1 << 53) - 1 }>;

/// Metres around a place (chosen: farther than anybody goes for a bike).
pub(super) type Metres = Whole<1, 50_000>;

/// Windows in one response: a row each, of each partition (chosen: more than an hour of them).
pub(super) type Limit = Whole<1, WINDOWS_MAX>;
/// See [`Limit`].
pub(super) const WINDOWS_MAX: i64 = 1_000;

impl DockId {
    pub(super) fn get(self) -> i32 {
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }
}

/// An instant (RFC 3339), with the difference from UTC that it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Instant(pub(super) DateTime<Utc>);

impl TryFrom<String> for Instant {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let at = DateTime::parse_from_rfc3339(&text);
        at.map(|at| Self(at.to_utc()))
            .map_err(|_| "expected an instant such as 2020-03-01T13:30:00Z")
    }
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.format(Some(format))
            .examples(["2020-03-01T13:30:00Z"])
            .into()
    }
}

impl ToSchema for Instant {}

/// A place: latitude and longitude in degrees, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Place {
    lat: f64,
    lon: f64,
}

impl Place {
    /// Metres to a dock.
    pub(super) fn distance_m(self, dock: &Dock) -> f64 {
        distance_m(self.lat, self.lon, dock.lat, dock.lon)
    }
}

impl TryFrom<String> for Place {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let [lat, lon] = degrees(&text, [LAT, LON])
            .ok_or("expected latitude and longitude in degrees, such as 40.7461,-73.9818")?;
        Ok(Self { lat, lon })
    }
}

impl PartialSchema for Place {
    fn schema() -> RefOr<Schema> {
        matching(
            &format!("^{LAT_PATTERN},{LON_PATTERN}$"),
            "40.7461,-73.9818",
        )
    }
}

impl ToSchema for Place {}

/// A box: west, south, east and north in degrees, as in `GeoJSON`. One whose west lies east of its east
/// crosses the 180th meridian.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct BoundingBox {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl BoundingBox {
    pub(super) fn holds(self, dock: &Dock) -> bool {
        let is_between = if self.west <= self.east {
            (self.west..=self.east).contains(&dock.lon)
        } else {
            dock.lon >= self.west || dock.lon <= self.east
        };
        is_between && (self.south..=self.north).contains(&dock.lat)
    }
}

impl TryFrom<String> for BoundingBox {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let [west, south, east, north] = degrees(&text, [LON, LAT, LON, LAT]).ok_or(
            "expected west,south,east,north in degrees, such as -74.02,40.70,-73.95,40.77",
        )?;
        Ok(Self {
            west,
            south,
            east,
            north,
        })
    }
}

impl PartialSchema for BoundingBox {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^{LON_PATTERN},{LAT_PATTERN},{LON_PATTERN},{LAT_PATTERN}$");
        matching(&pattern, "-74.02,40.70,-73.95,40.77")
    }
}

impl ToSchema for BoundingBox {}

/// A text of a form that no format has a name for.
fn matching(pattern: &str, example: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).examples([example]).into()
}

/// A latitude; more decimals than anybody measures are no number of degrees.
const LAT_PATTERN: &str = r"-?([1-8]?[0-9](\.[0-9]{1,9})?|90(\.0{1,9})?)";
/// A longitude.
const LON_PATTERN: &str = r"-?((1[0-7][0-9]|[1-9]?[0-9])(\.[0-9]{1,9})?|180(\.0{1,9})?)";

/// Degrees of a latitude, from 0 on.
const LAT: f64 = 90.0;
/// Degrees of a longitude.
const LON: f64 = 180.0;

/// As many numbers as there are limits, separated by commas, none farther from 0 than its limit.
fn degrees<const N: usize>(text: &str, limits: [f64; N]) -> Option<[f64; N]> {
    let mut parts = text.split(',');
    let mut all = [0.0; N];
    for (degrees, limit) in all.iter_mut().zip(limits) {
        let number: f64 = parts.next()?.parse().ok()?;
        *degrees = Some(number).filter(|number| number.abs() <= limit)?;
    }
    parts.next().is_none().then_some(all)
}
