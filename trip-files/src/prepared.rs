//! Prepared files: the trips of a month, cleaned and ordered, as Parquet.
//!
//! Columns are a trip's own: times in UTC, stations by id and street, so that other tools read them
//! too. Rows are ordered by departure, so that they are read as they are sent, a few thousand at a
//! time. Not here: which trips go into which file (see [`crate::prepare`]).

mod columns;
mod reader;
mod writer;

use std::io;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

pub(crate) use self::reader::PreparedRows;
pub(crate) use self::writer::{TripTexts, TripWriter};
use crate::error::RefusedFile;

/// Ending of such files' names.
pub(crate) const ENDING: &str = ".parquet";

/// Format of the files that this program writes and the newest that it reads.
const FORMAT: u32 = 2;

/// Format of the files that have no `bike_kind`; they are read as well.
const FORMAT_WITHOUT_KIND: u32 = 1;

/// Key of the format's number in a file's footer.
const FORMAT_KEY: &str = "bikeshare.format";

/// Key of the sources, a JSON list of texts, that the trips are from.
const SOURCES_KEY: &str = "bikeshare.sources";

/// Key of the sample of its trips, as JSON; older files have none.
const SAMPLE_KEY: &str = "bikeshare.sample";

/// Who has written a file.
pub(crate) const WRITER: &str = concat!("bikeshare ", env!("CARGO_PKG_VERSION"));

/// The columns, in the order in which they are written.
const SCHEMA: &str = "
message trip {
    required int64 departed_at (timestamp(micros, true));
    required binary from_station_id (string);
    required binary from_street (string);
    required double from_lat;
    required double from_lon;
    required int64 arrived_at (timestamp(micros, true));
    required binary to_station_id (string);
    required binary to_street (string);
    required double to_lat;
    required double to_lon;
    optional binary bike_id (string);
    optional binary rider (string);
    optional binary bike_kind (string);
}";

/// The last column, which the first format lacks.
const KIND: &str = "    optional binary bike_kind (string);\n";

fn schema(format: u32) -> TypePtr {
    let schema = match format {
        FORMAT_WITHOUT_KIND => parse_message_type(&SCHEMA.replace(KIND, "")),
        _ => parse_message_type(SCHEMA),
    };
    Arc::new(schema.expect("it is a constant, and every test reads it"))
}

/// What a file's footer says of where its trips are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Version of the program that has written it.
    writer: String,
    format: String,
    sources: String,
}

impl Origin {
    /// Of a file that this program makes from these sources.
    pub(crate) fn new(sources: &[&str]) -> Self {
        Self {
            writer: WRITER.to_owned(),
            format: FORMAT.to_string(),
            sources: serde_json::to_string(sources).expect("texts are always JSON"),
        }
    }

    /// Reads a footer.
    fn of(footer: &FileMetaData) -> Result<Self, RefusedFile> {
        let value = |key| value(footer, key).ok_or(RefusedFile::NotPrepared);
        Ok(Self {
            writer: footer.created_by().unwrap_or_default().to_owned(),
            format: value(FORMAT_KEY)?.to_owned(),
            sources: value(SOURCES_KEY)?.to_owned(),
        })
    }

    /// The file's format, if this program can read it.
    fn known_format(&self) -> Result<u32, RefusedFile> {
        match self.format.parse() {
            Ok(known @ FORMAT_WITHOUT_KIND..=FORMAT) => Ok(known),
            Ok(found) if found > FORMAT => Err(RefusedFile::NewerFormat {
                found,
                known: FORMAT,
            }),
            _ => Err(RefusedFile::NotPrepared),
        }
    }

    fn key_values(&self) -> Vec<KeyValue> {
        vec![
            KeyValue::new(FORMAT_KEY.to_owned(), self.format.clone()),
            KeyValue::new(SOURCES_KEY.to_owned(), self.sources.clone()),
        ]
    }
}

/// What a footer says under a key.
fn value<'a>(footer: &'a FileMetaData, key: &str) -> Option<&'a str> {
    let mut pairs = footer.key_value_metadata()?.iter();
    pairs.find(|pair| pair.key == key)?.value.as_deref()
}

/// A failure of the disk is one; anything else is the file's fault.
pub(crate) fn disk_failure(error: ParquetError) -> Result<io::Error, ParquetError> {
    let cause = match error {
        ParquetError::External(cause) => cause,
        error => return Err(error),
    };
    match cause.downcast::<io::Error>() {
        // A damaged file points behind its end.
        Ok(failure) if failure.kind() != io::ErrorKind::UnexpectedEof => Ok(*failure),
        Ok(cut) => Err(ParquetError::External(cut)),
        Err(cause) => Err(ParquetError::External(cause)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use domain::{Station, Trip};
    use proptest::prelude::*;

    use super::*;
    use crate::compact::{Names, instant};
    use crate::row::{Content, Row};
    use crate::sample::Sampler;
    use crate::samples;

    fn trip() -> impl Strategy<Value = Trip> {
        let times = (0_i64..4_000_000_000_000_000, 0_i64..1_000_000_000_000);
        samples::trip(times.prop_map(|(departed, lasted)| (departed, departed + lasted)))
    }

    /// The trips as a prepared file.
    fn file(trips: &[Trip]) -> Vec<u8> {
        let (mut names, mut texts) = (Names::default(), TripTexts::default());
        let mut bytes = Vec::new();
        let mut writer = TripWriter::new(&mut bytes, &Origin::new(&["a.csv#1"])).unwrap();
        for trip in trips {
            let trip = names.compact(trip);
            writer.push(&trip, &names, &mut texts).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    /// What is read of it, and its names.
    fn rows(file: Vec<u8>) -> Result<(Vec<Row>, Names), RefusedFile> {
        let (mut rows, _) = PreparedRows::open("a.parquet", Box::new(Cursor::new(file)))?;
        let (mut found, mut names) = (Vec::new(), Names::default());
        while let Some(row) = rows.next(&mut names).unwrap() {
            found.push(row);
        }
        Ok((found, names))
    }

    /// The reasons of what is rejected of these trips when they are read.
    fn reasons(trips: &[Trip]) -> Vec<String> {
        let (rows, _) = rows(file(trips)).unwrap();
        let reason = |row: Row| match row.content {
            Content::Reject(reject) => Some(format!("{}: {}", reject.line, reject.reason)),
            Content::Trip(_) => None,
        };
        rows.into_iter().filter_map(reason).collect()
    }

    fn at(departed: i64, lasted: i64) -> Trip {
        let station = Station {
            station_id: "1".to_owned(),
            street: "Oak St".to_owned(),
            lat: 40.7,
            lon: -73.9,
        };
        Trip {
            bike_id: None,
            departed_at: instant(departed),
            from: station.clone(),
            arrived_at: instant(departed + lasted),
            to: station,
            rider: None,
            bike_kind: None,
        }
    }

    proptest! {
        #[test]
        fn trips_are_read_as_they_were_written(
            mut trips in prop::collection::vec(trip(), 0..60),
        ) {
            trips.sort_by_key(|trip| trip.departed_at);
            let (rows, names) = rows(file(&trips)).unwrap();
            let mut same = Names::default();
            let expected: Vec<_> = trips.iter().map(|trip| same.compact(trip)).collect();
            let found = rows.into_iter().map(|row| match row.content {
                Content::Trip(trip) => trip,
                Content::Reject(reject) => panic!("{reject:?}"),
            });
            prop_assert_eq!(found.collect::<Vec<_>>(), expected);
            prop_assert_eq!(names.to_texts(), same.to_texts());
        }

        #[test]
        fn a_damaged_file_is_refused_or_has_an_end(
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let trips: Vec<_> = (0..50).map(|number| at(number, 7)).collect();
            let mut damaged = file(&trips);
            let place = place.index(damaged.len());
            damaged[place] = byte;
            if let Ok((rows, _)) = rows(damaged.clone()) {
                prop_assert!(rows.len() <= trips.len() + 1);
            }
            damaged.truncate(cut.index(damaged.len()));
            prop_assert!(rows(damaged).is_err());
        }
    }

    #[test]
    fn a_row_that_is_no_trip_is_rejected_with_its_number() {
        let mut nowhere = at(3, 1);
        nowhere.to.lat = f64::NAN;
        let mut nameless = at(3, 1);
        nameless.from.station_id.clear();
        assert_eq!(
            reasons(&[at(1, 1), at(2, -1), at(0, 1), nowhere, nameless, at(4, 1)]),
            [
                "2: arrived_at is before departed_at",
                "3: departed_at is before that of the row before it",
                "4: a coordinate is no number",
                "5: a station id is empty",
            ]
        );
    }

    #[test]
    fn a_file_carries_the_sample_of_its_trips() {
        let trips: Vec<_> = (0..9_000)
            .map(|number| at(number * 60_000_000, 7))
            .collect();
        let (mut names, mut sampler) = (Names::default(), Sampler::default());
        for trip in &trips {
            sampler.push(&names.compact(trip), &names);
        }
        let file = Box::new(Cursor::new(file(&trips)));
        let (rows, _) = PreparedRows::open("a.parquet", file).unwrap();
        assert_eq!(rows.sample(), Some(sampler.finish()));
    }

    #[test]
    fn a_file_of_the_first_format_is_read_and_has_no_kinds_of_bikes() {
        let old = include_bytes!("../../testdata/prepared/format-1.parquet");
        let (rows, names) = rows(old.to_vec()).unwrap();
        let line = |row: Row| match row.content {
            Content::Trip(trip) => {
                let (station, _) = names.station_id_and_street(trip.from.station);
                let at = instant(trip.departed_at);
                format!("{at} {station} {:?} {:?}", trip.rider, trip.bike_kind)
            }
            Content::Reject(reject) => reject.reason,
        };
        let lines: Vec<_> = rows.into_iter().map(line).collect();
        expect_test::expect![[r#"
            2021-07-05 11:59:00 UTC HB103 Some(Casual) None
            2021-07-05 12:00:00 UTC 6101.01 Some(Member) None
            2021-07-05 12:01:00.970 UTC 6102.10 Some(Casual) None"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn many_row_groups_are_one_file() {
        let trips: Vec<_> = (0..150_000).map(|number| at(number, 7)).collect();
        let (rows, _) = rows(file(&trips)).unwrap();
        assert_eq!(rows.len(), trips.len());
    }
}
