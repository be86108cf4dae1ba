//! A feed's files in one shape, whatever the format's generation.
//!
//! Not here: the fields' spellings (see [`v2`] and [`v3`]).

use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use domain::{Service, Stock, System, time};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::FeedError;
use super::raw::{RawCount, RawStation};
use super::url::FeedUrl;
use super::vehicles::{Kind, VehicleType, VehicleTypes};
use super::{stock, v2, v3};

/// A list with more entries is a fault of the feed (chosen: several times the largest system).
pub(crate) const STATIONS_MAX: usize = 20_000;

/// A station's or a system's id may have so many bytes (chosen: several times a UUID).
const ID_BYTES_MAX: usize = 128;

/// A name is cut at so many characters (chosen: several times a street corner).
const NAME_CHARS_MAX: usize = 200;

/// A text of the feed's in a reason is cut at so many characters.
const REASON_CHARS_MAX: usize = 200;

/// Times of a feed lie in these years. Another one is a fault, such as milliseconds for seconds, and
/// would hold the clock for ever: it never goes back.
const YEARS: std::ops::Range<i32> = 2000..2100;

/// A feed's clock and this machine's may differ by so much (chosen: more than machines without a time
/// server were seen to, and far less than a time zone).
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// What a system's id may not hold as it is; the percent sign is among it, so that no two ids become
/// one.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'-')
    .remove(b'.')
    .remove(b':');

/// Where the clocks are of a feed that does not say so.
const UTC: &str = "UTC";

/// The list of `data` in both files of stations.
const STATIONS: &str = "stations";

/// In the place of a language's tag (BCP 47).
const UNDETERMINED: &str = "und";

/// A language's tag has so many bytes (RFC 5646, 4.4.1).
const LANGUAGE_BYTES_MAX: usize = 35;

/// An error keeps this many characters of the file.
const START_CHARS: usize = 60;

/// A file is kept for at most this long, whatever it says (chosen: a day).
const TTL_MAX_S: u64 = 86_400;

/// Where the files are that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discovery {
    pub(crate) system_information: FeedUrl,
    pub(crate) station_information: FeedUrl,
    pub(crate) station_status: FeedUrl,
    /// Few feeds of one kind of bikes have it.
    pub(crate) vehicle_types: Option<FeedUrl>,
}

/// The entries of one file, each usable or not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing<T> {
    /// The instant the file speaks of, in microseconds' precision.
    pub(crate) last_updated: DateTime<Utc>,
    /// How long the file is good for.
    pub(crate) ttl: Duration,
    pub(crate) entries: Vec<Result<T, BadEntry>>,
    /// What is wrong with entries that are used all the same.
    pub(crate) doubts: Vec<BadEntry>,
}

/// An entry that cannot be used, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadEntry {
    /// Rank in the file, counted from 1.
    pub(crate) index: u64,
    pub(crate) reason: String,
    /// The entry as it stands there.
    pub(crate) entry: String,
}

/// A station as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) station: domain::Station,
    /// Docks in all.
    pub(crate) capacity: Option<u16>,
}

/// What a feed says of a station at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Count {
    pub(crate) bikes: u32,
    pub(crate) service: Service,
    pub(crate) stock: Stock,
    /// When the station last spoke to its operator.
    pub(crate) last_reported: Option<DateTime<Utc>>,
}

/// A count as a file has it, with its place there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted {
    /// Rank in the file, counted from 1.
    pub(crate) index: u64,
    pub(crate) station_id: String,
    pub(crate) count: Count,
    /// The entry as it stands there.
    pub(crate) entry: String,
}

/// Reads `gbfs.json`.
pub(crate) fn discovery(url: &str, bytes: &[u8]) -> Result<Discovery, FeedError> {
    let file = File::open(url, bytes)?;
    let links = match file.generation {
        Generation::V2 => v2::links(&file.data),
        Generation::V3 => v3::links(&file.data),
    };
    let links = links.ok_or_else(|| file.shape("names no files"))?;
    let find = |name: &'static str| {
        let link = links.iter().find(|link| link.name == name);
        let url = url.to_owned();
        match link {
            None => Err(FeedError::MissingFile { url, name }),
            Some(link) => link
                .url
                .parse()
                .map_err(|source| FeedError::Address { url, source }),
        }
    };
    Ok(Discovery {
        system_information: find("system_information")?,
        station_information: find("station_information")?,
        station_status: find("station_status")?,
        vehicle_types: find("vehicle_types").ok(),
    })
}

/// What `system_information.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SystemInformation {
    /// A part of the source's name.
    pub(crate) id: String,
    pub(crate) system: System,
}

/// Reads `system_information.json`.
pub(crate) fn system(url: &str, bytes: &[u8]) -> Result<SystemInformation, FeedError> {
    let file = File::open(url, bytes)?;
    let id = file.data.get("system_id").and_then(Value::as_str);
    let id = match id.map(str::trim) {
        None | Some("") => return Err(file.shape("system_id is missing or empty")),
        Some(id) if id.len() > ID_BYTES_MAX => return Err(file.shape("system_id is too long")),
        Some(id) => plain_id(id),
    };
    let language = match file.generation {
        Generation::V2 => v2::language(&file.data),
        Generation::V3 => v3::language(&file.data),
    };
    let timezone = file.data.get("timezone").and_then(Value::as_str);
    let system = System {
        timezone: timezone.map_or(UTC, known_timezone).to_owned(),
        language: language.map_or(UNDETERMINED, plain_tag).to_owned(),
    };
    Ok(SystemInformation { id, system })
}

/// The time zone, if it is in the database of today.
fn known_timezone(name: &str) -> &str {
    match time::is_timezone(name) {
        true => name,
        false => UTC,
    }
}

/// The tag of a language, if it can be one.
fn plain_tag(tag: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_tag = (2..=LANGUAGE_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(is_plain);
    if is_tag { tag } else { UNDETERMINED }
}

/// The id as a part of a source's name, where `#` and `@` have a meaning, and of log lines.
fn plain_id(id: &str) -> String {
    utf8_percent_encode(id, RESERVED).to_string()
}

/// Reads `station_information.json`.
pub(crate) fn stations(url: &str, bytes: &[u8]) -> Result<Listing<Placed>, FeedError> {
    let file = File::open(url, bytes)?;
    match file.generation {
        Generation::V2 => file.listing(STATIONS, |raw: v2::Station, entry| {
            station(raw.into(), entry)
        }),
        Generation::V3 => file.listing(STATIONS, |raw: v3::Station, entry| {
            station(raw.into(), entry)
        }),
    }
}

/// Reads `vehicle_types.json`: ids and what they are.
pub(crate) fn vehicle_types(url: &str, bytes: &[u8]) -> Result<Listing<(String, Kind)>, FeedError> {
    let file = File::open(url, bytes)?;
    file.listing("vehicle_types", |raw: VehicleType, _| Ok(raw.into()))
}

/// Reads `station_status.json`.
pub(crate) fn counts(
    url: &str,
    bytes: &[u8],
    types: &VehicleTypes,
) -> Result<Listing<Counted>, FeedError> {
    let file = File::open(url, bytes)?;
    let newest = file.last_updated + AHEAD_MAX;
    let count = |raw: RawCount, entry: &mut Entry<'_>| {
        let mut counted = counted(raw, types, entry)?;
        let reported = &mut counted.count.last_reported;
        *reported = reported.filter(|at| YEARS.contains(&at.year()) && *at <= newest);
        Ok(counted)
    };
    match file.generation {
        Generation::V2 => file.listing(STATIONS, |raw: v2::Status, entry| count(raw.into(), entry)),
        Generation::V3 => file.listing(STATIONS, |raw: v3::Status, entry| count(raw.into(), entry)),
    }
}

/// Refuses counts of a time that has not come yet. The city's clock never goes back: once it had been
/// believed, every right time after it would be too old.
pub(crate) fn check_time(
    url: &str,
    counts: &Listing<Counted>,
    now: DateTime<Utc>,
) -> Result<(), FeedError> {
    let last_updated = counts.last_updated;
    if last_updated - now <= AHEAD_MAX {
        return Ok(());
    }
    let url = url.to_owned();
    Err(FeedError::Ahead {
        url,
        last_updated,
        now,
    })
}

fn station(raw: RawStation, entry: &mut Entry<'_>) -> Result<Placed, String> {
    let RawStation {
        station_id,
        name,
        lat,
        lon,
        capacity,
    } = raw;
    check_id(&station_id)?;
    let is_on_earth = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    if !is_on_earth || (lat, lon) == (0.0, 0.0) {
        return Err(format!("lat {lat}, lon {lon} is no place of a station"));
    }
    let name = name_of(&name);
    let street = match name.trim() {
        "" => station_id.clone(),
        name => name.to_owned(),
    };
    Ok(Placed {
        station: domain::Station {
            station_id,
            street,
            lat,
            lon,
        },
        capacity: stock::number("capacity", &capacity, &mut entry.doubts),
    })
}

fn check_id(station_id: &str) -> Result<(), String> {
    if station_id.trim().is_empty() {
        return Err("station_id is blank".to_owned());
    }
    if station_id.len() > ID_BYTES_MAX || station_id.contains(char::is_control) {
        let start = cut(station_id, REASON_CHARS_MAX);
        return Err(format!(
            "station_id {start:?} has control characters or more than {ID_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

/// A name without line breaks and the like, and not without end.
fn name_of(text: &str) -> String {
    let spaced = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    text.trim()
        .chars()
        .take(NAME_CHARS_MAX)
        .map(spaced)
        .collect()
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn counted(raw: RawCount, types: &VehicleTypes, entry: &mut Entry<'_>) -> Result<Counted, String> {
    let RawCount {
        station_id,
        field,
        count,
        service,
        numbers,
        last_reported,
    } = raw;
    check_id(&station_id)?;
    if count > stock::STATION_BIKES_MAX.cast_signed() {
        return Err(format!(
            "{field} {count} is above {}, more than any station holds",
            stock::STATION_BIKES_MAX
        ));
    }
    let vehicles = u32::try_from(count).map_err(|_| format!("{field} {count} is below 0"))?;
    let (bikes, stock) = stock::read((field, vehicles), &numbers, types, &mut entry.doubts);
    Ok(Counted {
        index: entry.index,
        station_id,
        count: Count {
            bikes,
            service,
            stock,
            last_reported: last_reported.map(to_micros),
        },
        entry: entry.value.to_string(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    V2,
    V3,
}

/// An entry of a list while it is read.
struct Entry<'a> {
    /// Rank in the file, counted from 1.
    index: u64,
    value: &'a Value,
    /// What is wrong with it although it is used.
    doubts: Vec<String>,
}

/// What every file has, of both generations.
#[derive(Debug)]
struct File<'a> {
    url: &'a str,
    start: String,
    generation: Generation,
    last_updated: DateTime<Utc>,
    ttl: Duration,
    data: Value,
}

impl<'a> File<'a> {
    fn open(url: &'a str, bytes: &[u8]) -> Result<Self, FeedError> {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(default)]
            version: Value,
            #[serde(default)]
            last_updated: Value,
            #[serde(default)]
            ttl: Value,
            #[serde(default)]
            data: Value,
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}').trim();
        let start = cut(text, START_CHARS);
        let value: Value = serde_json::from_str(text).map_err(|source| FeedError::NotJson {
            url: url.to_owned(),
            start: start.clone(),
            source,
        })?;
        let shape = |reason: &str| FeedError::Shape {
            url: url.to_owned(),
            reason: reason.to_owned(),
            start: start.clone(),
        };
        let envelope = Some(value).filter(Value::is_object);
        let envelope = envelope.and_then(|value| Envelope::deserialize(value).ok());
        let envelope = envelope.ok_or_else(|| shape("not a GBFS file"))?;
        let version = match &envelope.version {
            Value::String(version) => cut(version, REASON_CHARS_MAX),
            Value::Null if envelope.data.is_null() => {
                return Err(shape("not a GBFS file: it has no version and no data"));
            }
            // The files that it names have versions of their own.
            Value::Null if v3::links(&envelope.data).is_some() => "3".to_owned(),
            Value::Null if v2::links(&envelope.data).is_some() => "2".to_owned(),
            Value::Null => "1.0".to_owned(), // Whose files do not name it.
            other => cut(&other.to_string(), REASON_CHARS_MAX),
        };
        let (generation, instant) = match version.split('.').next() {
            Some("2") => (Generation::V2, v2::instant(&envelope.last_updated)),
            Some("3") => (Generation::V3, v3::instant(&envelope.last_updated)),
            _ => {
                let url = url.to_owned();
                return Err(FeedError::Version { url, version });
            }
        };
        let last_updated = instant
            .filter(|at| YEARS.contains(&at.year()))
            .map(to_micros)
            .ok_or_else(|| shape("last_updated is missing or no time of this century"))?;
        Ok(Self {
            url,
            start,
            generation,
            last_updated,
            ttl: Duration::from_secs(envelope.ttl.as_u64().unwrap_or(0).min(TTL_MAX_S)),
            data: envelope.data,
        })
    }

    /// Reads a list of `data`, each entry on its own.
    fn listing<R: DeserializeOwned, T>(
        &self,
        name: &str,
        check: impl Fn(R, &mut Entry<'_>) -> Result<T, String>,
    ) -> Result<Listing<T>, FeedError> {
        let list = self.data.get(name).and_then(Value::as_array);
        let list = list.ok_or_else(|| self.shape(&format!("data.{name} is missing or no list")))?;
        if list.len() > STATIONS_MAX {
            let reason = format!("data.{name} has more than {STATIONS_MAX} entries");
            return Err(self.shape(&reason));
        }
        let mut listing = Listing {
            last_updated: self.last_updated,
            ttl: self.ttl,
            entries: Vec::with_capacity(list.len()),
            doubts: Vec::new(),
        };
        for (index, value) in (1..).zip(list) {
            let mut entry = Entry {
                index,
                value,
                doubts: Vec::new(),
            };
            let bad = |reason| BadEntry {
                index,
                reason,
                entry: value.to_string(),
            };
            let raw = R::deserialize(value);
            let raw = raw.map_err(|error| cut(&error.to_string(), REASON_CHARS_MAX));
            let read = raw.and_then(|raw| check(raw, &mut entry));
            listing.entries.push(read.map_err(bad));
            listing.doubts.extend(entry.doubts.into_iter().map(bad));
        }
        Ok(listing)
    }

    fn shape(&self, reason: &str) -> FeedError {
        FeedError::Shape {
            url: self.url.to_owned(),
            reason: reason.to_owned(),
            start: self.start.clone(),
        }
    }
}

/// Records and tables know microseconds.
fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const V2: &str = r#"{"version":"2.2","last_updated":1583020800,"ttl":30,"data":"#;
    const V3: &str =
        r#"{"version":"3.0","last_updated":"2020-03-01T01:00:00.123456789+01:00","data":"#;

    fn counts(url: &str, bytes: &[u8]) -> Result<Listing<Counted>, FeedError> {
        super::counts(url, bytes, &VehicleTypes::default())
    }

    fn text<T>(listing: &Listing<T>, show: impl Fn(&T) -> String) -> String {
        let entry = |entry: &Result<T, BadEntry>| match entry {
            Ok(entry) => show(entry),
            Err(bad) => format!("{}: {}", bad.index, bad.reason),
        };
        let entries: Vec<_> = listing.entries.iter().map(entry).collect();
        let Listing {
            last_updated, ttl, ..
        } = listing;
        format!("{last_updated}, {ttl:?}\n{}", entries.join("\n"))
    }

    fn check_stations(start: &str, stations: &str, expected: Expect) {
        let file = format!(r#"{start}{{"stations":[{stations}]}}}}"#);
        let listing = super::stations("u", file.as_bytes()).unwrap();
        expected.assert_eq(&text(&listing, |placed| format!("{:?}", placed.station)));
    }

    fn check_counts(start: &str, stations: &str, expected: Expect) {
        let file = format!(r#"{start}{{"stations":[{stations}]}}}}"#);
        let listing = counts("u", file.as_bytes()).unwrap();
        expected.assert_eq(&text(&listing, |counted| {
            let Count {
                bikes,
                last_reported,
                ..
            } = counted.count;
            format!("{} {bikes} {last_reported:?}", counted.station_id)
        }));
    }

    #[test]
    fn a_station_needs_an_id_and_a_place() {
        check_stations(
            V2,
            r#"{"station_id":"3202","name":" Newport PATH ","lat":40.7,"lon":-74},
               {"station_id":72,"name":"","lat":40.7,"lon":-74},
               {"station_id":" ","name":"x","lat":40.7,"lon":-74},
               {"station_id":"a","name":"x","lat":0,"lon":0},
               {"station_id":"a","name":"x","lat":91,"lon":0},
               {"station_id":"a","name":"x","lat":"40.7","lon":-74},
               7"#,
            expect![[r#"
                2020-03-01 00:00:00 UTC, 30s
                Station { station_id: "3202", street: "Newport PATH", lat: 40.7, lon: -74.0 }
                Station { station_id: "72", street: "72", lat: 40.7, lon: -74.0 }
                3: station_id is blank
                4: lat 0, lon 0 is no place of a station
                5: lat 91, lon 0 is no place of a station
                6: invalid type: string "40.7", expected f64
                7: invalid type: integer `7`, expected struct Station"#]],
        );
    }

    #[test]
    fn a_name_in_several_languages_is_taken_in_english_or_else_the_first() {
        check_stations(
            V3,
            r#"{"station_id":"a","name":[{"text":"Gare","language":"fr"},{"text":"Station","language":"en-US"}],"lat":1,"lon":2},
               {"station_id":"b","name":[{"text":"Gare","language":"fr"}],"lat":1,"lon":2}"#,
            expect![[r#"
                2020-03-01 00:00:00.123456 UTC, 0ns
                Station { station_id: "a", street: "Station", lat: 1.0, lon: 2.0 }
                Station { station_id: "b", street: "Gare", lat: 1.0, lon: 2.0 }"#]],
        );
    }

    #[test]
    fn a_count_is_a_whole_number_that_a_station_can_hold() {
        check_counts(
            V2,
            r#"{"station_id":"a","num_bikes_available":7,"last_reported":1583020799},
               {"station_id":"b","num_bikes_available":0,"last_reported":null},
               {"station_id":"c","num_bikes_available":-1},
               {"station_id":"d","num_bikes_available":1001},
               {"station_id":"e","num_bikes_available":1.5},
               {"station_id":"f"}"#,
            expect![[r#"
                2020-03-01 00:00:00 UTC, 30s
                a 7 Some(2020-02-29T23:59:59Z)
                b 0 None
                3: num_bikes_available -1 is below 0
                4: num_bikes_available 1001 is above 1000, more than any station holds
                5: invalid type: floating point `1.5`, expected i64
                6: missing field `num_bikes_available`"#]],
        );
        check_counts(
            V3,
            r#"{"station_id":"a","num_vehicles_available":7,"last_reported":"2020-03-01T00:59:59+01:00"},
               {"station_id":"b","num_bikes_available":7}"#,
            expect![[r#"
                2020-03-01 00:00:00.123456 UTC, 0ns
                a 7 Some(2020-02-29T23:59:59Z)
                2: missing field `num_vehicles_available`"#]],
        );
    }

    #[test]
    fn a_station_that_never_spoke_or_speaks_from_the_future_says_no_time() {
        check_counts(
            V2,
            r#"{"station_id":"a","num_bikes_available":7,"last_reported":1583020804},
               {"station_id":"b","num_bikes_available":7,"last_reported":86400},
               {"station_id":"c","num_bikes_available":7,"last_reported":1583121200},
               {"station_id":"d","num_bikes_available":7,"last_reported":9007199254740991}"#,
            expect![[r#"
                2020-03-01 00:00:00 UTC, 30s
                a 7 Some(2020-03-01T00:00:04Z)
                b 7 None
                c 7 None
                d 7 None"#]],
        );
    }

    #[test]
    fn a_number_that_cannot_be_is_told_and_the_entry_is_used() {
        let file = format!(
            r#"{V2}{{"stations":[{{"station_id":"a","num_bikes_available":3,"num_docks_available":-1}}]}}}}"#
        );
        let listing = counts("u", file.as_bytes()).unwrap();
        assert_eq!(listing.entries[0].as_ref().unwrap().count.bikes, 3);
        let doubts = [BadEntry {
            index: 1,
            reason: "num_docks_available is no whole number from 0 to 1000: left out".to_owned(),
            entry: r#"{"num_bikes_available":3,"num_docks_available":-1,"station_id":"a"}"#
                .to_owned(),
        }];
        assert_eq!(listing.doubts, doubts);
        let file = format!(
            r#"{V2}{{"stations":[{{"station_id":"a","name":"x","lat":1,"lon":2,"capacity":-4}}]}}}}"#
        );
        let listing = super::stations("u", file.as_bytes()).unwrap();
        assert_eq!(listing.entries[0].as_ref().unwrap().capacity, None);
        let reason = "capacity is no whole number from 0 to 1000: left out";
        assert_eq!(listing.doubts[0].reason, reason);
    }

    #[test]
    fn vehicle_types_say_what_is_a_bike_and_what_has_a_motor() {
        let file = format!(
            r#"{V2}{{"vehicle_types":[
                {{"vehicle_type_id":"1","form_factor":"bicycle","propulsion_type":"human"}},
                {{"vehicle_type_id":2,"form_factor":"bicycle","propulsion_type":"electric_assist"}},
                {{"vehicle_type_id":"c","form_factor":"cargo_bicycle","propulsion_type":"electric"}},
                {{"vehicle_type_id":"s","form_factor":"scooter_standing","propulsion_type":"electric"}},
                {{"vehicle_type_id":"m","form_factor":"moped","propulsion_type":"electric"}},
                {{"vehicle_type_id":"x","form_factor":"bicycle"}}]}}}}"#
        );
        let listing = vehicle_types("u", file.as_bytes()).unwrap();
        expect![[r#"
            2020-03-01 00:00:00 UTC, 30s
            ("1", Classic)
            ("2", Electric)
            ("c", Electric)
            ("s", Other)
            ("m", Other)
            6: missing field `propulsion_type`"#]]
        .assert_eq(&text(&listing, |found| format!("{found:?}")));
    }

    #[test]
    fn names_have_no_line_breaks_and_ids_are_bounded() {
        check_stations(
            V2,
            &format!(
                r#"{{"station_id":"a","name":"1 Ave\n2026-11-03 ERROR forged","lat":1,"lon":2}},
                   {{"station_id":"a\nb","name":"x","lat":1,"lon":2}},
                   {{"station_id":"{}","name":"x","lat":1,"lon":2}}"#,
                "9".repeat(129)
            ),
            expect![[r#"
                2020-03-01 00:00:00 UTC, 30s
                Station { station_id: "a", street: "1 Ave 2026-11-03 ERROR forged", lat: 1.0, lon: 2.0 }
                2: station_id "a\nb" has control characters or more than 128 bytes
                3: station_id "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999" has control characters or more than 128 bytes"#]],
        );
        let system = |id: &str| {
            let file = serde_json::json!({"version": "2.3", "last_updated": 1_583_020_800, "data": {"system_id": id}});
            let read = super::system("u", file.to_string().as_bytes());
            read.map(|read| read.id).map_err(|error| error.to_string())
        };
        assert_eq!(
            system(" citi_bike-nyc.2 "),
            Ok("citi_bike-nyc.2".to_owned())
        );
        assert_eq!(system("a@1-0#b\n"), Ok("a%401-0%23b".to_owned()));
        assert_eq!(system("é"), Ok("%C3%A9".to_owned()));
        assert_eq!(
            system(&"a".repeat(129)),
            Err("u: system_id is too long".to_owned())
        );
        let many = vec!["{}"; STATIONS_MAX + 1].join(",");
        let file = format!(r#"{V2}{{"stations":[{many}]}}}}"#);
        let error = counts("u", file.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "u: data.stations has more than 20000 entries");
    }

    #[test]
    fn a_discovery_file_without_a_version_is_of_the_one_whose_shape_it_has() {
        let links = [
            "system_information",
            "station_information",
            "station_status",
        ]
        .map(|name| format!(r#"{{"name":"{name}","url":"https://b.example/{name}.json"}}"#));
        let links = links.join(",");
        let old = format!(r#"{{"last_updated":1583020800,"data":{{"de":{{"feeds":[{links}]}}}}}}"#);
        let new =
            format!(r#"{{"last_updated":"2020-03-01T00:00:00Z","data":{{"feeds":[{links}]}}}}"#);
        for file in [old, new] {
            let found = discovery("u", file.as_bytes()).unwrap();
            let url = found.station_status.to_string();
            assert_eq!(url, "https://b.example/station_status.json");
        }
    }

    #[test]
    fn a_system_tells_its_clocks_and_the_language_of_its_names() {
        let read = |start: &str, data: &str| {
            let file = format!(r#"{start}{{"system_id":"s",{data}}}}}"#);
            let System { timezone, language } = super::system("u", file.as_bytes()).unwrap().system;
            format!("{timezone} {language}")
        };
        let systems = [
            read(V2, r#""timezone":"Europe/Oslo","language":"nb""#),
            read(V3, r#""timezone":"Asia/Tokyo","languages":["ja","en-GB"]"#),
            read(V3, r#""timezone":"Asia/Tokyo","languages":["ja","zh"]"#),
            read(V2, r#""timezone":"Nowhere/Else","language":"<b>""#),
            read(V3, r#""languages":[]"#),
        ];
        expect![[r#"
            Europe/Oslo nb
            Asia/Tokyo en-GB
            Asia/Tokyo ja
            UTC und
            UTC und"#]]
        .assert_eq(&systems.join("\n"));
    }

    #[test]
    fn a_time_that_has_not_come_yet_is_refused_where_no_clock_is_so_wrong() {
        let counts = counts("u", format!(r#"{V2}{{"stations":[]}}}}"#).as_bytes()).unwrap();
        let check = |ahead: i64| {
            let now = counts.last_updated - TimeDelta::seconds(ahead);
            check_time("u", &counts, now).map_err(|error| error.to_string())
        };
        assert_eq!(check(-86_400), Ok(()));
        assert_eq!(check(300), Ok(()));
        expect!["u: its time 2020-03-01 00:00:00 UTC is ahead of this machine's, 2020-02-29 23:54:59 UTC: one of the two clocks is wrong, or the feed's time zone"]
            .assert_eq(&check(301).unwrap_err());
    }

    #[test]
    fn what_is_no_feed_says_why() {
        let check = |file: &str, expected: Expect| {
            expected.assert_eq(&counts("u", file.as_bytes()).unwrap_err().to_string());
        };
        check(
            "<html>",
            expect![[r#"u: not JSON, it begins with "<html>""#]],
        );
        check("", expect![[r#"u: not JSON, it begins with """#]]);
        check("[]", expect!["u: not a GBFS file"]);
        check(
            "{}",
            expect!["u: not a GBFS file: it has no version and no data"],
        );
        for old in [
            r#"{"version":"1.0","data":{}}"#,
            r#"{"last_updated":1583020800,"ttl":10,"data":{"stations":[]}}"#,
        ] {
            check(
                old,
                expect![[
                    r#"u: GBFS version "1.0" is not supported, only 2.x and 3.x are: ask the operator for the address of a newer one, which often has the version in it, such as …/gbfs/2.3/gbfs.json; https://gbfs.org lists systems"#
                ]],
            );
        }
        check(
            r#"{"version":"3.0","last_updated":1583020800}"#,
            expect!["u: last_updated is missing or no time of this century"],
        );
        check(
            r#"{"version":"2.3","last_updated":1583020800000}"#,
            expect!["u: last_updated is missing or no time of this century"],
        );
        check(
            &format!("\u{feff}{V2}{{}}}}"),
            expect!["u: data.stations is missing or no list"],
        );
    }
}
