//! Citi Bike's trip files: which column means what, and how a row becomes a trip.
//!
//! The only place that knows the files' spellings. Pure: it is given the fields of one row.
//! Not here: finding and opening files, splitting lines into fields (see crate `producer`).

use chrono::{DateTime, TimeDelta, Utc};
use csv::StringRecord;

use crate::reject::cut;
use crate::time::{Instants, TimeError, new_york, parse_local, resolve};
use crate::{BikeKind, Reject, Rider, Station, Trip};

/// A trip that lasts longer has a wrong arrival (chosen: Citi Bike's longest, of a bike that was lost
/// and found, last two thirds of it).
const TRIP_MAX: TimeDelta = TimeDelta::days(366);

/// An error quotes so many characters of a value or a column's name (chosen: twice the longest
/// street).
const QUOTE_CHARS_MAX: usize = 100;

/// An error names so many columns (chosen: as many as a header has, about).
const NAMES_MAX: usize = 20;

/// What a column means to a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    DepartedAt,
    ArrivedAt,
    /// In seconds; decides between the two hours of the autumn clock change.
    Duration,
    FromId,
    FromStreet,
    FromLat,
    FromLon,
    ToId,
    ToStreet,
    ToLat,
    ToLon,
    BikeId,
    Rider,
    BikeKind,
    /// Known, not needed.
    Unused,
}

/// The two generations of the header, in the order of the spellings in [`COLUMNS`].
const GENERATIONS: [&str; 2] = ["legacy", "2021"];

/// One row per column: its meaning, and how each generation of the header spells it.
///
/// `docs/TRIP_FILES.md` shows the same for people, with a fixture of each form.
///
/// Read without regard to case, blanks and underscores, so that the first spelling stands for all
/// of these. Legacy: quoted or not, New York 2013-06 to 2019-12, Jersey City 2015-09 to 2021-01;
/// in Title Case (`Start Time`, `Bike ID`) about 2015-09 to 2017-03. 2021: Jersey City from
/// 2021-02, New York from 2020-01 on as rewritten; some files quote every field. An empty
/// spelling: the generation lacks the column. The order of the legacy columns is the order in
/// files without a header.
const COLUMNS: [(Meaning, [&str; GENERATIONS.len()]); 17] = [
    (Meaning::Duration, ["tripduration", ""]),
    (Meaning::DepartedAt, ["starttime", "started_at"]),
    (Meaning::ArrivedAt, ["stoptime", "ended_at"]),
    (Meaning::FromId, ["start station id", "start_station_id"]),
    (
        Meaning::FromStreet,
        ["start station name", "start_station_name"],
    ),
    (Meaning::FromLat, ["start station latitude", "start_lat"]),
    (Meaning::FromLon, ["start station longitude", "start_lng"]),
    (Meaning::ToId, ["end station id", "end_station_id"]),
    (Meaning::ToStreet, ["end station name", "end_station_name"]),
    (Meaning::ToLat, ["end station latitude", "end_lat"]),
    (Meaning::ToLon, ["end station longitude", "end_lng"]),
    (Meaning::BikeId, ["bikeid", ""]),
    (Meaning::Rider, ["usertype", "member_casual"]),
    (Meaning::Unused, ["birth year", "ride_id"]),
    (Meaning::Unused, ["gender", ""]),
    // Not in files without a header.
    (Meaning::Unused, ["name_localizedValue0", ""]),
    (Meaning::BikeKind, ["", "rideable_type"]),
];

/// How many of [`COLUMNS`] a file without a header has.
const HEADERLESS_COLUMNS: usize = 15;

/// How tools write that a value is missing, read without regard to case.
///
/// In turn: an empty value, SQL databases, pandas and polars, R and Julia, spreadsheets, and what C
/// prints for no number.
const MISSING: [&str; 29] = [
    "",
    "NULL",
    "(null)",
    "\\N",
    "NaN",
    "<NA>",
    "None",
    "NaT",
    "nil",
    "undefined",
    "NA",
    "N/A",
    "n.a.",
    "<null>",
    "missing",
    "#N/A",
    "#NA",
    "#N/A N/A",
    "#VALUE!",
    "#REF!",
    "#NULL!",
    "#NAME?",
    "#NUM!",
    "#DIV/0!",
    "-NaN",
    "1.#IND",
    "-1.#IND",
    "1.#QNAN",
    "-1.#QNAN",
];

/// How tools name the column of row numbers that they put before a table's own: pandas and
/// spreadsheets not at all, read again `Unnamed: 0`, R `X` or `...1`, polars `row_nr` or `index`.
const INDEX_NAMES: [&str; 7] = ["", "x", "index", "rownr", "rowindex", "rownames", "level0"];

/// Where the file's columns are: made once per file from its first row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    departed_at: Column,
    arrived_at: Column,
    from: StationColumns,
    to: StationColumns,
    duration: Option<Column>,
    bike_id: Option<Column>,
    rider: Option<Column>,
    bike_kind: Option<Column>,
    width: usize,
    has_header: bool,
}

/// A column: its index and its name as the file spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    index: usize,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct StationColumns {
    id: Column,
    street: Column,
    lat: Column,
    lon: Column,
}

/// A file whose columns are not those of a trip file: the whole file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing in the first row is of a trip file.
    #[error("not a trip file: the first row is {0:?}")]
    NotTrips(String),
    /// The header differs from every known generation.
    #[error("header of generation \"{generation}\" {}", list(.unknown, .missing, .repeated))]
    Header {
        /// The generation that shares the most columns with the file.
        generation: &'static str,
        /// Columns of the file that no generation has.
        unknown: Vec<String>,
        /// Columns the file should have.
        missing: Vec<String>,
        /// Columns that are there twice.
        repeated: Vec<String>,
    },
}

fn list(unknown: &[String], missing: &[String], repeated: &[String]) -> String {
    [
        ("has unknown columns", quoted(unknown)),
        ("lacks columns", quoted(missing)),
        ("repeats columns", quoted(repeated)),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(what, names)| format!("{what} {}", names.join(", ")))
    .collect::<Vec<_>>()
    .join("; ")
}

/// Quotes the first names and counts the others.
fn quoted(names: &[String]) -> Vec<String> {
    let first = names.iter().take(NAMES_MAX);
    // As in code: a file with other line ends has one line, and names with line ends in them.
    let mut quoted: Vec<_> = first.map(|name| format!("{name:?}")).collect();
    if let Some(more) = names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        quoted.push(format!("and {more} more"));
    }
    quoted
}

/// A row that cannot become a trip: it is rejected, the file goes on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct RowError {
    /// Name of the file.
    pub file: String,
    /// Line where the row starts, counted from 1, the header included.
    pub line: u64,
    /// What is wrong.
    pub reason: Reason,
}

impl RowError {
    /// Makes the reject that keeps the row, given as it stood in the file.
    #[must_use]
    pub fn into_reject(self, row: &str) -> Reject {
        Reject::new(self.file, self.line, self.reason.to_string(), row)
    }
}

/// Why a row cannot become a trip.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason {
    /// The row is cut, or a separator is missing or too many.
    #[error("row has {found} fields, the header has {expected}")]
    Width {
        /// Fields in the row.
        found: usize,
        /// Fields in the header.
        expected: usize,
    },
    /// A needed value is not there.
    #[error("{column} \"{value}\" is blank")]
    Blank {
        /// The column as the file spells it.
        column: String,
        /// The value: empty, or how a tool writes that it is missing.
        value: String,
    },
    /// A time is unreadable or was skipped by the clocks.
    #[error("{column} \"{value}\" {problem}")]
    Time {
        /// The column as the file spells it.
        column: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        problem: TimeError,
    },
    /// A coordinate is no number or lies outside the globe.
    #[error("{column} \"{value}\" is not a coordinate in degrees")]
    Coordinate {
        /// The column as the file spells it.
        column: String,
        /// The value.
        value: String,
    },
    /// A coordinate is 0: the place is not known.
    #[error("{column} \"{value}\" is zero: the station's place is not known")]
    Zero {
        /// The column as the file spells it.
        column: String,
        /// The value.
        value: String,
    },
    /// The trip lasts longer than any does.
    #[error("{column} \"{value}\" is more than a year after the departure \"{departure}\"")]
    TooLong {
        /// The column as the file spells it.
        column: String,
        /// The arrival.
        value: String,
        /// The departure.
        departure: String,
    },
    /// The trip ends before it begins.
    #[error("{column} \"{value}\" is before the departure \"{departure}\"")]
    ArrivalFirst {
        /// The column as the file spells it.
        column: String,
        /// The arrival.
        value: String,
        /// The departure.
        departure: String,
    },
}

impl Columns {
    /// Finds the columns by name in the file's first row.
    ///
    /// A first row that is itself a trip in legacy order is accepted: the file has no header (see
    /// [`Columns::has_header`]).
    ///
    /// # Errors
    /// [`FileError`] if a column is unknown, missing or there twice.
    pub fn from_header(first_row: &StringRecord) -> Result<Self, FileError> {
        let names: Vec<_> = first_row.iter().map(bare).collect();
        let (generation, matches) = best_generation(&names);
        if matches == 0 {
            return Self::headerless(first_row);
        }
        let header = Header {
            first_row,
            names,
            generation,
        };
        header.check()?;
        header.columns()
    }

    /// Whether the first row names the columns; if not it is a row to read.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.has_header
    }

    /// Reads one row into a trip; `file` and `line` appear in errors only.
    ///
    /// # Errors
    /// [`RowError`] if the row is cut, a station has no id or no place, a time is unreadable or
    /// does not exist, or the trip ends before it begins or more than a year later. A missing bike,
    /// kind of bike, rider or duration is no error.
    pub fn parse_row(&self, row: &StringRecord, file: &str, line: u64) -> Result<Trip, RowError> {
        self.trip(row).map_err(|reason| RowError {
            file: file.to_owned(),
            line,
            reason,
        })
    }

    fn trip(&self, row: &StringRecord) -> Result<Trip, Reason> {
        if row.len() != self.width {
            return Err(Reason::Width {
                found: row.len(),
                expected: self.width,
            });
        }
        let from = self.from.station(row)?;
        let to = self.to.station(row)?;
        let (departed_at, arrived_at) = self.times(row)?;
        Ok(Trip {
            bike_id: self.bike_id.as_ref().and_then(|column| column.id(row)),
            departed_at,
            from,
            arrived_at,
            to,
            rider: self
                .rider
                .as_ref()
                .and_then(|column| rider(column.value(row))),
            bike_kind: self
                .bike_kind
                .as_ref()
                .and_then(|column| bike_kind(column.value(row))),
        })
    }

    fn times(&self, row: &StringRecord) -> Result<(DateTime<Utc>, DateTime<Utc>), Reason> {
        let departure = self.departed_at.instants(row)?;
        let arrival = self.arrived_at.instants(row)?;
        let duration = self.duration.as_ref().and_then(|column| {
            // As `389`, in the hands of some tools as `389.0`.
            let seconds = without_zero_fraction(column.value(row));
            TimeDelta::try_seconds(seconds.parse().ok()?)
        });
        let (departed_at, arrived_at) = resolve(departure, arrival, duration);
        if arrived_at < departed_at {
            return Err(Reason::ArrivalFirst {
                column: self.arrived_at.name.clone(),
                value: quote(self.arrived_at.value(row)),
                departure: quote(self.departed_at.value(row)),
            });
        }
        if arrived_at - departed_at > TRIP_MAX {
            return Err(Reason::TooLong {
                column: self.arrived_at.name.clone(),
                value: quote(self.arrived_at.value(row)),
                departure: quote(self.departed_at.value(row)),
            });
        }
        Ok((departed_at, arrived_at))
    }

    /// The departure as the row has it, for an error: `started_at "2032-03-05 08:00:00"`.
    #[must_use]
    pub fn departure_text(&self, row: &StringRecord) -> String {
        let Column { name, .. } = &self.departed_at;
        format!("{name} \"{}\"", quote(self.departed_at.value(row)))
    }

    fn headerless(first_row: &StringRecord) -> Result<Self, FileError> {
        let header: StringRecord = COLUMNS
            .iter()
            .take(HEADERLESS_COLUMNS)
            .map(|(_, spellings)| spellings[0])
            .collect();
        let columns = Self {
            has_header: false,
            ..Self::from_header(&header)?
        };
        let is_trip = first_row.len() == columns.width
            && columns.departed_at.instants(first_row).is_ok()
            && columns.arrived_at.instants(first_row).is_ok();
        if is_trip {
            return Ok(columns);
        }
        let text: Vec<_> = first_row.iter().collect();
        let start = text.join(",").chars().take(80).collect();
        Err(FileError::NotTrips(start))
    }
}

/// A first row that names columns, and the generation it belongs to.
struct Header<'a> {
    first_row: &'a StringRecord,
    names: Vec<String>,
    generation: usize,
}

impl Header<'_> {
    fn check(&self) -> Result<(), FileError> {
        let spell = |index: usize| quote(self.first_row[index].trim());
        let is_index = |index: usize| is_index_name(&self.names[index]);
        let known = |name: &String| {
            COLUMNS
                .iter()
                .any(|(_, spellings)| *name == bare(spellings[self.generation]))
        };
        let all = || 0..self.names.len();
        let unknown: Vec<_> = all()
            .filter(|&i| !is_index(i) && !known(&self.names[i]))
            .map(spell)
            .collect();
        let repeated: Vec<_> = all()
            .filter(|&i| !is_index(i) && self.names[..i].contains(&self.names[i]))
            .map(spell)
            .collect();
        let missing: Vec<_> = COLUMNS
            .iter()
            .filter(|(meaning, _)| !meaning.is_optional())
            .map(|(_, spellings)| spellings[self.generation])
            .filter(|spelling| !spelling.is_empty() && !self.names.contains(&bare(spelling)))
            .map(str::to_owned)
            .collect();
        if unknown.is_empty() && missing.is_empty() && repeated.is_empty() {
            return Ok(());
        }
        Err(FileError::Header {
            generation: GENERATIONS[self.generation],
            unknown,
            missing,
            repeated,
        })
    }

    fn columns(&self) -> Result<Columns, FileError> {
        use Meaning::{FromId, FromLat, FromLon, FromStreet, ToId, ToLat, ToLon, ToStreet};
        let station = |id, street, lat, lon| -> Result<_, FileError> {
            Ok(StationColumns {
                id: self.required(id)?,
                street: self.required(street)?,
                lat: self.required(lat)?,
                lon: self.required(lon)?,
            })
        };
        Ok(Columns {
            departed_at: self.required(Meaning::DepartedAt)?,
            arrived_at: self.required(Meaning::ArrivedAt)?,
            from: station(FromId, FromStreet, FromLat, FromLon)?,
            to: station(ToId, ToStreet, ToLat, ToLon)?,
            duration: self.find(Meaning::Duration),
            bike_id: self.find(Meaning::BikeId),
            rider: self.find(Meaning::Rider),
            bike_kind: self.find(Meaning::BikeKind),
            width: self.names.len(),
            has_header: true,
        })
    }

    fn find(&self, meaning: Meaning) -> Option<Column> {
        let spelling = COLUMNS.iter().find(|(m, _)| *m == meaning)?.1[self.generation];
        // A generation without the column; a column of row numbers has an empty name, too.
        if spelling.is_empty() {
            return None;
        }
        let index = self.names.iter().position(|name| *name == bare(spelling))?;
        Some(Column {
            index,
            name: quote(self.first_row[index].trim()),
        })
    }

    fn required(&self, meaning: Meaning) -> Result<Column, FileError> {
        self.find(meaning).ok_or_else(|| FileError::Header {
            generation: GENERATIONS[self.generation],
            unknown: Vec::new(),
            missing: vec![format!("{meaning:?}")],
            repeated: Vec::new(),
        })
    }
}

impl Meaning {
    fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Unused | Self::Duration | Self::Rider | Self::BikeKind
        )
    }
}

/// Whether a value, without blanks around it, says that there is none.
fn is_missing(value: &str) -> bool {
    // Nearly every value ends in a digit or is longer; none of these does.
    let may_be = value.len() <= 9 && !value.ends_with(|last: char| last.is_ascii_digit());
    may_be
        && MISSING
            .iter()
            .any(|missing| value.eq_ignore_ascii_case(missing))
}

/// Whether a column with this bare name numbers the rows.
fn is_index_name(name: &str) -> bool {
    let number = name
        .strip_prefix("unnamed")
        .or_else(|| name.strip_prefix('x'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    INDEX_NAMES.contains(&name) || is_number(number.unwrap_or(name))
}

/// As much of a text as an error quotes.
fn quote(text: &str) -> String {
    cut(text, QUOTE_CHARS_MAX)
}

/// A column's name without case, blanks and underscores.
fn bare(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The generation most of these names belong to, and how many of them do.
fn best_generation(names: &[String]) -> (usize, usize) {
    let matches = |generation: usize| {
        let spelled = |name: &&String| {
            COLUMNS
                .iter()
                .any(|(_, spellings)| !name.is_empty() && **name == bare(spellings[generation]))
        };
        names.iter().filter(spelled).count()
    };
    (0..GENERATIONS.len())
        .map(|generation| (generation, matches(generation)))
        .max_by_key(|&(generation, count)| (count, GENERATIONS.len() - generation))
        .unwrap_or_default()
}

impl Column {
    /// The value without blanks around it; empty where it is missing.
    fn value<'a>(&self, row: &'a StringRecord) -> &'a str {
        match row[self.index].trim() {
            value if is_missing(value) => "",
            value => value,
        }
    }

    fn needed<'a>(&self, row: &'a StringRecord) -> Result<&'a str, Reason> {
        match self.value(row) {
            "" => Err(Reason::Blank {
                column: self.name.clone(),
                value: quote(&row[self.index]),
            }),
            value => Ok(value),
        }
    }

    fn id(&self, row: &StringRecord) -> Option<String> {
        match self.value(row) {
            "" => None,
            id => Some(without_zero_fraction(id).to_owned()),
        }
    }

    fn instants(&self, row: &StringRecord) -> Result<Instants, Reason> {
        let value = self.needed(row)?;
        parse_local(value)
            .and_then(new_york)
            .map_err(|problem| Reason::Time {
                column: self.name.clone(),
                value: quote(value),
                problem,
            })
    }

    /// A coordinate in degrees, at most `limit` away from zero and not zero.
    fn degrees(&self, row: &StringRecord, limit: f64) -> Result<f64, Reason> {
        let value = self.needed(row)?;
        match value.parse::<f64>() {
            Ok(0.0) => Err(Reason::Zero {
                column: self.name.clone(),
                value: quote(value),
            }),
            Ok(degrees) if degrees.abs() <= limit => Ok(degrees),
            _ => Err(Reason::Coordinate {
                column: self.name.clone(),
                value: quote(value),
            }),
        }
    }
}

impl StationColumns {
    fn station(&self, row: &StringRecord) -> Result<Station, Reason> {
        Ok(Station {
            station_id: station_id(self.id.needed(row)?),
            street: self.street.needed(row)?.to_owned(),
            lat: self.lat.degrees(row, 90.0)?,
            lon: self.lon.degrees(row, 180.0)?,
        })
    }
}

/// A station's id without what spreadsheet tools do to numbers.
///
/// Since 2021 New York's ids are four digits, a point and two digits. So one digit after the point
/// means that a zero was lost: `5343.1` is `5343.10`.
fn station_id(text: &str) -> String {
    let id = without_zero_fraction(text);
    match id.as_bytes() {
        [number @ .., b'.', b'1'..=b'9']
            if number.len() == 4 && number.iter().all(u8::is_ascii_digit) =>
        {
            format!("{id}0")
        }
        _ => id.to_owned(),
    }
}

/// Drops the `.0` that spreadsheet tools append to whole numbers: `497.0` is `497`.
fn without_zero_fraction(text: &str) -> &str {
    match text.strip_suffix(".0") {
        Some(number) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => text,
    }
}

fn bike_kind(value: &str) -> Option<BikeKind> {
    match value {
        "classic_bike" => Some(BikeKind::Classic),
        "electric_bike" => Some(BikeKind::Electric),
        "docked_bike" => Some(BikeKind::Docked),
        _ => None,
    }
}

fn rider(value: &str) -> Option<Rider> {
    match value {
        "Subscriber" | "member" => Some(Rider::Member),
        "Customer" | "casual" => Some(Rider::Casual),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LEGACY: &str = "tripduration,starttime,stoptime,start station id,start station name,\
        start station latitude,start station longitude,end station id,end station name,\
        end station latitude,end station longitude,bikeid,usertype,birth year,gender";
    const NEW: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,\
        start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,\
        member_casual";
    const LEGACY_ROW: &str = "389,2020-03-01 00:14:07.0000,2020-03-01 00:20:36.0880,3202,\
        Newport PATH,40.7272235,-74.0337589,3203,Hamilton Park,40.727595966,-74.044247311,42381,\
        Subscriber,1992,1";
    const NEW_ROW: &str = "DA95,classic_bike,2021-07-13 17:54:13,2021-07-13 18:01:43,\
        W 44 St & 5 Ave,6551.02,Grand Army Plaza,6839.10,40.755,-73.98,40.764,-73.973,casual";

    fn fields(text: &str) -> StringRecord {
        text.split(',').collect()
    }

    fn check_header(text: &str, expected: Expect) {
        let found = match Columns::from_header(&fields(text)) {
            Ok(columns) => format!(
                "header: {}, columns: {}, departure: {:?}, bike: {:?}",
                columns.has_header,
                columns.width,
                columns.departed_at.name,
                columns.bike_id.map(|column| column.name),
            ),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&found);
    }

    fn parse(header: &str, row: &str) -> Result<Trip, RowError> {
        let columns = Columns::from_header(&fields(header)).unwrap();
        columns.parse_row(&fields(row), "a.csv", 2)
    }

    /// The reason for which `row`, with `good` replaced by `bad`, is rejected.
    fn check_reason(header: &str, row: &str, good: &str, bad: &str, expected: Expect) {
        assert!(row.contains(good));
        let error = parse(header, &row.replacen(good, bad, 1)).unwrap_err();
        expected.assert_eq(&error.to_string());
    }

    #[test]
    fn columns_are_found_by_name_in_every_generation_and_in_any_order() {
        check_header(
            LEGACY,
            expect![[r#"header: true, columns: 15, departure: "starttime", bike: Some("bikeid")"#]],
        );
        check_header(
            "Trip Duration,Start Time,Stop Time,Start Station ID,Start Station Name,\
             Start Station Latitude,Start Station Longitude,End Station ID,End Station Name,\
             End Station Latitude,End Station Longitude,Bike ID,User Type,Birth Year,Gender",
            expect![[
                r#"header: true, columns: 15, departure: "Start Time", bike: Some("Bike ID")"#
            ]],
        );
        check_header(
            &LEGACY.replace("bikeid", "bikeid,name_localizedValue0"),
            expect![[r#"header: true, columns: 16, departure: "starttime", bike: Some("bikeid")"#]],
        );
        check_header(
            NEW,
            expect![[r#"header: true, columns: 13, departure: "started_at", bike: None"#]],
        );
        let reversed: Vec<_> = NEW.split(',').rev().collect();
        check_header(
            &reversed.join(","),
            expect![[r#"header: true, columns: 13, departure: "started_at", bike: None"#]],
        );
    }

    #[test]
    fn a_first_row_that_is_a_trip_in_legacy_order_means_that_there_is_no_header() {
        check_header(
            LEGACY_ROW,
            expect![[
                r#"header: false, columns: 15, departure: "starttime", bike: Some("bikeid")"#
            ]],
        );
    }

    #[test]
    fn a_file_with_other_columns_is_refused_by_their_names() {
        check_header(
            &LEGACY
                .replace("starttime", "begin")
                .replace(",gender", ",sex"),
            expect![[
                r#"header of generation "legacy" has unknown columns "begin", "sex"; lacks columns "starttime""#
            ]],
        );
        check_header(
            &NEW.replace("end_lng,", "end_lat,"),
            expect![[
                r#"header of generation "2021" lacks columns "end_lng"; repeats columns "end_lat""#
            ]],
        );
        check_header(
            "name,lat,lon",
            expect![[r#"not a trip file: the first row is "name,lat,lon""#]],
        );
        check_header("", expect![[r#"not a trip file: the first row is """#]]);
    }

    #[test]
    fn a_row_becomes_a_trip_in_utc() {
        let trip = parse(LEGACY, LEGACY_ROW).unwrap();
        expect![[r#"{"bike_id":"42381","departed_at":"2020-03-01T05:14:07Z","from":{"station_id":"3202","street":"Newport PATH","lat":40.7272235,"lon":-74.0337589},"arrived_at":"2020-03-01T05:20:36.088Z","to":{"station_id":"3203","street":"Hamilton Park","lat":40.727595966,"lon":-74.044247311},"rider":"member"}"#]]
            .assert_eq(&serde_json::to_string(&trip).unwrap());
        let trip = parse(NEW, NEW_ROW).unwrap();
        expect![[r#"{"departed_at":"2021-07-13T21:54:13Z","from":{"station_id":"6551.02","street":"W 44 St & 5 Ave","lat":40.755,"lon":-73.98},"arrived_at":"2021-07-13T22:01:43Z","to":{"station_id":"6839.10","street":"Grand Army Plaza","lat":40.764,"lon":-73.973},"rider":"casual","bike_kind":"classic"}"#]]
            .assert_eq(&serde_json::to_string(&trip).unwrap());
    }

    #[test]
    fn ids_lose_a_zero_fraction_and_blanks_get_a_lost_zero_and_keep_everything_else() {
        let id = |written: &str| {
            let row = LEGACY_ROW.replacen("3202", written, 1);
            parse(LEGACY, &row).unwrap().from.station_id
        };
        assert_eq!(id("497.0"), "497");
        assert_eq!(id("6926.01"), "6926.01");
        assert_eq!(id("6498.10"), "6498.10");
        assert_eq!(id("6498.1"), "6498.10");
        assert_eq!(id("20645.1"), "20645.1");
        assert_eq!(id(" HB103 "), "HB103");
        assert_eq!(id("Shop Morgan "), "Shop Morgan");
    }

    #[test]
    fn a_missing_bike_or_rider_is_no_error() {
        let row = LEGACY_ROW
            .replace("42381", "NULL")
            .replace("Subscriber", "\\N");
        let trip = parse(LEGACY, &row).unwrap();
        assert_eq!((trip.bike_id, trip.rider), (None, None));
    }

    #[test]
    fn missing_is_missing_however_a_tool_writes_it() {
        for missing in MISSING.iter().flat_map(|text| {
            [
                text.to_lowercase(),
                text.to_uppercase(),
                format!(" {text} "),
            ]
        }) {
            let reason = |good: &str| {
                let error = parse(NEW, &NEW_ROW.replacen(good, &missing, 1)).unwrap_err();
                error.reason
            };
            for good in [
                "6551.02",
                "Grand Army Plaza",
                "40.755",
                "-73.973",
                "2021-07-13 18:01:43",
            ] {
                let reason = reason(good);
                assert!(matches!(reason, Reason::Blank { .. }), "{good}: {reason}");
            }
            let row = LEGACY_ROW
                .replace("42381", &missing)
                .replace("Subscriber", &missing);
            let trip = parse(LEGACY, &row).unwrap();
            assert_eq!((trip.bike_id, trip.rider), (None, None), "{missing:?}");
        }
    }

    #[test]
    fn what_only_looks_like_missing_is_a_value() {
        for name in ["Nan Ave", "Nonesuch St", "N", "NAN 2", "Null Point Pier"] {
            let trip = parse(NEW, &NEW_ROW.replace("W 44 St & 5 Ave", name)).unwrap();
            assert_eq!(trip.from.street, name);
        }
        check_reason(
            NEW,
            NEW_ROW,
            "40.755",
            "-inf",
            expect![[r#"a.csv, line 2: start_lat "-inf" is not a coordinate in degrees"#]],
        );
    }

    #[test]
    fn a_column_of_row_numbers_is_taken_in_every_generation() {
        let title = LEGACY.replace("starttime", "Start Time");
        for header in [LEGACY, &title, NEW] {
            let plain = Columns::from_header(&fields(header)).unwrap();
            for name in [
                "",
                " ",
                "Unnamed: 0",
                "Unnamed: 0.1",
                "...1",
                "X",
                "X.1",
                "row_nr",
                "index",
            ] {
                for header in [format!("{name},{header}"), format!("{header},{name}")] {
                    let columns = Columns::from_header(&fields(&header)).unwrap();
                    assert_eq!(columns.width, plain.width + 1, "{header}");
                }
            }
            let twice = format!(",Unnamed: 0,{header},");
            assert!(Columns::from_header(&fields(&twice)).is_ok(), "{twice}");
        }
        for (header, row) in [(LEGACY, LEGACY_ROW), (NEW, NEW_ROW)] {
            let trip = parse(&format!(",{header}"), &format!("17,{row}")).unwrap();
            assert_eq!(trip, parse(header, row).unwrap());
        }
    }

    #[test]
    fn an_error_is_short_however_long_the_file_is() {
        let header = format!("{},{}", "ride_id", "x7f03,".repeat(9_000));
        let error = Columns::from_header(&fields(&header)).unwrap_err();
        assert!(error.to_string().len() < 1_000, "{error}");
        expect![[r#"header of generation "2021" has unknown columns "x7f03", "x7f03", "#]]
            .assert_eq(error.to_string().get(..66).unwrap());
        let endless = NEW_ROW.replace("40.755", &"7".repeat(60_000));
        let error = parse(NEW, &endless).unwrap_err();
        assert!(error.to_string().len() < 500, "{error}");
    }

    #[test]
    fn a_row_that_cannot_be_a_trip_says_why() {
        check_reason(
            LEGACY,
            LEGACY_ROW,
            ",1992,1",
            "",
            expect!["a.csv, line 2: row has 13 fields, the header has 15"],
        );
        check_reason(
            NEW,
            NEW_ROW,
            "6839.10",
            " ",
            expect![[r#"a.csv, line 2: end_station_id " " is blank"#]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "Newport PATH",
            "NULL",
            expect![[r#"a.csv, line 2: start station name "NULL" is blank"#]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "40.7272235",
            "0.0",
            expect![[
                r#"a.csv, line 2: start station latitude "0.0" is zero: the station's place is not known"#
            ]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "-74.0337589",
            "-740337589",
            expect![[
                r#"a.csv, line 2: start station longitude "-740337589" is not a coordinate in degrees"#
            ]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "40.7272235",
            "NaN",
            expect![[r#"a.csv, line 2: start station latitude "NaN" is blank"#]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "2020-03-01 00:20:36.0880",
            "",
            expect![[r#"a.csv, line 2: stoptime "" is blank"#]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "2020-03-01 00:20:36.0880",
            "soon",
            expect![[r#"a.csv, line 2: stoptime "soon" is not a time"#]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "2020-03-01 00:14:07.0000",
            "2020-03-08 02:14:07.0000",
            expect![[
                r#"a.csv, line 2: starttime "2020-03-08 02:14:07.0000" does not exist in America/New_York: the clocks went forward"#
            ]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "2020-03-01 00:20:36.0880",
            "0204-03-01 00:20:36",
            expect![[
                r#"a.csv, line 2: stoptime "0204-03-01 00:20:36" is not of the years 2000 to 2099"#
            ]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "2020-03-01 00:20:36.0880",
            "2021-03-03 00:20:36",
            expect![[
                r#"a.csv, line 2: stoptime "2021-03-03 00:20:36" is more than a year after the departure "2020-03-01 00:14:07.0000""#
            ]],
        );
        check_reason(
            LEGACY,
            LEGACY_ROW,
            "2020-03-01 00:20:36.0880",
            "2020-03-01 00:14:06",
            expect![[
                r#"a.csv, line 2: stoptime "2020-03-01 00:14:06" is before the departure "2020-03-01 00:14:07.0000""#
            ]],
        );
    }
}
