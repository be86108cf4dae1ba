//! What server and browser tell each other about the city.

#[cfg(any(feature = "hydrate", test))]
mod read;

use domain::{Service, Stock};
use serde::{Deserialize, Serialize};

#[cfg(any(feature = "hydrate", test))]
use crate::decimal::integer;
use crate::seeking::Seeking;
use crate::words::Words;

/// The radius of a search: three blocks, in metres.
pub(crate) const SEARCH_RADIUS_M: f64 = domain::geo::THREE_BLOCKS_M;

/// A station with docks, and how many bikes stand there.
///
/// JSON: `[location_id, name, lat, lon, count]`; short, since a page holds thousands.
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

type DockWire = (i32, String, f64, f64, Count);

impl From<DockWire> for Dock {
    fn from((id, name, lat, lon, count): DockWire) -> Self {
        Self {
            id,
            name,
            lat,
            lon,
            count,
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
        (id, name, lat, lon, count)
    }
}

/// Bikes at a dock at the replay clock.
///
/// JSON: `[bikes, estimated, installed, renting, returning, last_seen]`, with 0 and 1 for no and yes,
/// and at the end the numbers of the stock, if one is known: `[2, 12, 20]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "CountWire", into = "CountWire")]
pub struct Count {
    /// Number of bikes, 0 or more.
    pub bikes: i32,
    /// Whether trips without a bike id are part of the number.
    pub estimated: bool,
    /// What the station offers.
    pub service: Service,
    /// When a live feed had the station for the last time, if it goes on without it.
    pub last_seen: Option<WallTime>,
    /// What is there beside the bikes, as a live feed says.
    pub stock: Stock,
}

#[derive(Serialize, Deserialize)]
struct CountWire(
    i32,
    u8,
    u8,
    u8,
    u8,
    Option<WallTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")] Vec<Option<u16>>,
);

impl Count {
    /// How much of what is sought stands here; none where nobody says.
    #[must_use]
    pub(crate) fn told(self, seeking: Seeking) -> Option<i32> {
        match seeking {
            Seeking::Bikes => Some(self.bikes),
            Seeking::Ebikes => self.stock.ebikes.map(i32::from),
            Seeking::Docks => self.stock.free_docks.map(i32::from),
        }
    }

    /// Whether the station lets it be used.
    #[must_use]
    pub(crate) fn can_use(self, seeking: Seeking) -> bool {
        match seeking {
            Seeking::Bikes | Seeking::Ebikes => self.service.can_rent(),
            Seeking::Docks => self.service.can_return(),
        }
    }

    /// How much of it a rider can count on.
    #[must_use]
    pub(crate) fn amount(self, seeking: Seeking) -> i32 {
        let usable = self.told(seeking).filter(|_| self.can_use(seeking));
        usable.unwrap_or(0)
    }
}

impl From<CountWire> for Count {
    fn from(wire: CountWire) -> Self {
        let CountWire(bikes, estimated, installed, renting, returning, last_seen, stock) = wire;
        Self {
            bikes,
            estimated: estimated != 0,
            service: Service {
                installed: installed != 0,
                renting: renting != 0,
                returning: returning != 0,
            },
            last_seen,
            stock: stock_of(&stock),
        }
    }
}

impl From<Count> for CountWire {
    fn from(count: Count) -> Self {
        let Service {
            installed,
            renting,
            returning,
        } = count.service;
        Self(
            count.bikes,
            count.estimated.into(),
            installed.into(),
            renting.into(),
            returning.into(),
            count.last_seen,
            numbers_of(count.stock),
        )
    }
}

/// The numbers of a stock up to the last one that is known.
fn numbers_of(stock: Stock) -> Vec<Option<u16>> {
    let mut numbers = stock.to_numbers().to_vec();
    while numbers.pop_if(|number| number.is_none()).is_some() {}
    numbers
}

fn stock_of(numbers: &[Option<u16>]) -> Stock {
    let number = |at: usize| numbers.get(at).copied().flatten();
    Stock::from_numbers(std::array::from_fn(number))
}

/// A stock in an attribute of the page: `2,12,20`; nothing if none is known.
#[must_use]
pub(crate) fn stock_text(stock: Stock) -> Option<String> {
    let text = |number: Option<u16>| number.map(|number| number.to_string()).unwrap_or_default();
    let numbers = numbers_of(stock).into_iter().map(text);
    let text = numbers.collect::<Vec<_>>().join(",");
    (!text.is_empty()).then_some(text)
}

/// Reads what [`stock_text`] writes.
#[cfg(any(feature = "hydrate", test))]
#[must_use]
pub(crate) fn parse_stock(text: &str) -> Stock {
    let numbers: Vec<_> = text.split(',').map(integer).collect();
    stock_of(&numbers)
}

/// A moment of the year by the clocks of the city, such as 28 February, 10:10.
///
/// JSON and text for machines: `[2, 28, 10, 10]` and `2-28-10-10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u8, u8, u8, u8)", into = "(u8, u8, u8, u8)")]
pub struct WallTime {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl From<(u8, u8, u8, u8)> for WallTime {
    fn from((month, day, hour, minute): (u8, u8, u8, u8)) -> Self {
        Self {
            month,
            day,
            hour,
            minute,
        }
    }
}

impl From<WallTime> for (u8, u8, u8, u8) {
    fn from(time: WallTime) -> Self {
        (time.month, time.day, time.hour, time.minute)
    }
}

impl WallTime {
    /// Reads what [`WallTime::to_text`] writes.
    #[cfg(any(feature = "hydrate", test))]
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-').map(integer);
        let mut next = || parts.next().flatten();
        Some((next()?, next()?, next()?, next()?).into())
    }

    /// For machines.
    #[must_use]
    pub(crate) fn to_text(self) -> String {
        let Self {
            month,
            day,
            hour,
            minute,
        } = self;
        format!("{month}-{day}-{hour}-{minute}")
    }
}

/// The replay clock: the "now" of everything shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Moment {
    /// UTC, RFC 3339: `2020-03-02T13:14:05Z`.
    pub(crate) utc: String,
    /// The city's wall clock, and the city: `2020-03-02T08:14:05 New York`.
    pub(crate) local: String,
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
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Snapshot {
    /// Number of the sink's publish; 0 before the first.
    pub(crate) version: i64,
    /// The replay clock; none before the first publish.
    pub(crate) clock: Option<Moment>,
    /// Milliseconds since the sink last published.
    pub(crate) age_ms: Option<u64>,
    /// Whether the numbers can still change.
    pub(crate) database: Database,
    /// Every dock known, by id.
    pub(crate) docks: Vec<Dock>,
}

/// What changed after some version; event `docks` of `/live`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Delta {
    /// The version after this change.
    pub version: i64,
    /// Replay clock in UTC, RFC 3339.
    pub clock: Option<String>,
    /// Replay clock as the city's clocks show it: `2020-03-02T08:14:05 New York`.
    pub local: Option<String>,
    /// Whether `docks` is everything there is: forget all others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
    /// `[location_id, count]` of each changed dock.
    pub docks: Vec<(i32, Count)>,
    /// `[location_id, name, lat, lon]` of docks the reader may not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<(i32, String, f64, f64)>,
}

/// Event `heartbeat` of `/live`: the event stream is open, and how old its numbers are.
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

/// What a search found: an address, a corner or a dock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundPlace {
    /// What was typed, as understood: `1 Park Ave, near E 32 St`.
    pub label: String,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lon: f64,
    /// How the place was found, and how far off it may be.
    pub accuracy: String,
    /// Degrees east of north in which the avenues around it run; none where streets have no common
    /// direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<f64>,
}

/// What a search gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The place.
    Found(FoundPlace),
    /// What to tell the rider instead.
    Flash(String),
}

/// What a search that is being typed may become.
///
/// JSON: `{"text": "1 Park Ave", "kind": "address"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Suggestion {
    /// A search that gives a place.
    pub(crate) text: String,
    /// What the place is.
    pub(crate) kind: SuggestionKind,
}

/// What a place is that a search can give, the more likely first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SuggestionKind {
    /// A building.
    Address,
    /// Where two streets meet.
    Corner,
    /// A part of the city, a town or a park.
    Neighbourhood,
    /// A dock, nearly always at a corner of its name.
    Dock,
}

/// The past that can be shown, and the instant of it that is. Seconds are since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Past {
    /// The first second stored.
    pub(crate) first: i64,
    /// The last one.
    pub(crate) last: i64,
    /// Both by the city's clocks, as [`Instant::local`] says.
    pub(crate) ends: (String, String),
    /// Name of the city's time zone, such as `America/New_York`.
    pub(crate) timezone: String,
    /// The one that the page shows; none: it is live.
    pub(crate) shown: Option<Instant>,
    /// What the rider has to know of it.
    pub(crate) note: Option<String>,
}

/// A second of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Instant {
    /// Since 1970, UTC.
    pub(crate) second: i64,
    /// By the city's clocks, as it stands in an address: `2020-03-01T08:30`, with `:05` where it is no
    /// full minute.
    pub(crate) local: String,
}

/// Everything the page is drawn from: rendered on the server, taken over by the browser.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct PageContent {
    /// The texts of the rider's language.
    pub(crate) words: Words,
    /// The docks.
    pub(crate) snapshot: Snapshot,
    /// What the rider searched for, as typed.
    pub(crate) query: String,
    /// What it gave; none without a search.
    pub(crate) outcome: Option<Outcome>,
    /// The dock the rider selected.
    pub(crate) selected: Option<i32>,
    /// The selected dock's day as HTML; the browser takes it as it stands on the page.
    #[serde(skip)]
    pub(crate) dock_day: String,
    /// When bikes were taken on the day of the past that is shown, as HTML, likewise.
    #[serde(skip)]
    pub(crate) city_day: String,
    /// What the rider looks for.
    pub(crate) seeking: Seeking,
    /// The past; none where nothing is stored of it.
    pub(crate) past: Option<Past>,
    /// Why the instant of the past that the rider asked for is not shown.
    pub(crate) refusal: Option<String>,
    /// Milliseconds without a publish after which the page calls itself stale.
    pub(crate) stale_after_ms: u64,
    /// Raster tiles under the map.
    pub(crate) tiles: Option<Tiles>,
    /// A search that finds something; the field shows it while it is empty.
    pub(crate) example: String,
    /// The base map under the docks; none where the docks lie outside of the one there is.
    pub(crate) base_map: Option<BaseMapLink>,
}

/// Where the browser finds the base map, and whom the page names for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BaseMapLink {
    /// The file's address on the page's own server, with its content's hash.
    pub(crate) address: String,
    /// Who made what it was prepared from.
    pub(crate) attribution: String,
    /// Where their terms are; empty for none.
    pub(crate) terms: String,
}

/// An optional raster layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tiles {
    /// URL with `{z}`, `{x}` and `{y}`.
    pub(crate) url: String,
    /// Who must be named on the map.
    pub(crate) attribution: String,
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(numbers: [Option<u16>; 5], expected: Expect) {
        let count = Count {
            bikes: 7,
            stock: Stock::from_numbers(numbers),
            ..Count::default()
        };
        let json = serde_json::to_string(&count).unwrap();
        assert_eq!(serde_json::from_str::<Count>(&json).unwrap(), count);
        let text = stock_text(count.stock);
        assert_eq!(
            parse_stock(text.as_deref().unwrap_or_default()),
            count.stock
        );
        expected.assert_eq(&format!("{json} {text:?}"));
    }

    #[test]
    fn a_count_is_no_longer_than_what_is_known() {
        check([None; 5], expect!["[7,0,1,1,1,null] None"]);
        check(
            [Some(2), Some(12), Some(20), None, None],
            expect![[r#"[7,0,1,1,1,null,[2,12,20]] Some("2,12,20")"#]],
        );
        check(
            [None, Some(12), None, Some(0), None],
            expect![[r#"[7,0,1,1,1,null,[null,12,null,0]] Some(",12,,0")"#]],
        );
    }
}
