//! Reads a prepared file's trips in their order, some thousand at a time.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::{BikeKind, Reject, Rider};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length};
use parquet::file::serialized_reader::SerializedFileReader;

use super::columns::{ColumnReaders, Columns, Places};
use super::writer::{CASUAL, CLASSIC, DOCKED, ELECTRIC, MEMBER};
use super::{Origin, SAMPLE_KEY, disk_failure, schema, value};
use crate::compact::{CompactTrip, NAMES_MAX, NameIndex, Names, Place};
use crate::error::RefusedFile;
use crate::row::{Content, Row};
use crate::sample::Sample;
use crate::store::Input;

/// Rows decoded at a time (chosen: 2 MB, and no faster beyond it).
const BATCH_ROWS: usize = 4_096;

/// Gives the rows of one file.
///
/// A row that no trip can be made of is a reject, as in any file. Where the file is damaged its rest
/// is one reject: the same one in every run, as the file is the same.
pub(crate) struct PreparedRows {
    /// The file's name, as it stands in rejects.
    name: String,
    file: SerializedFileReader<Shared>,
    next_group: usize,
    /// Of the row group being read, and how many of its rows are left.
    // The readers could not be shared by threads, as all of a run must; here nobody shares them.
    columns: Option<(Mutex<ColumnReaders>, usize)>,
    ready: std::vec::IntoIter<Row>,
    texts: KnownTexts,
    /// Rows decoded so far.
    number: u64,
    /// Departure of the last good row.
    last_at: Option<i64>,
    is_damaged: bool,
}

impl PreparedRows {
    /// Reads the footer; gives the rows and how many there are.
    ///
    /// # Errors
    /// If it is no prepared file, or one of a newer format.
    pub(crate) fn open(name: &str, input: Box<dyn Input>) -> Result<(Self, u64), RefusedFile> {
        let file = open(input)?;
        let footer = file.metadata().file_metadata();
        let format = Origin::of(footer)?.known_format()?;
        if footer.schema() != schema(format).as_ref() {
            return Err(RefusedFile::NotPrepared);
        }
        let count = u64::try_from(footer.num_rows()).unwrap_or_default();
        let rows = Self {
            name: name.to_owned(),
            file,
            next_group: 0,
            columns: None,
            ready: Vec::new().into_iter(),
            texts: KnownTexts::default(),
            number: 0,
            last_at: None,
            is_damaged: false,
        };
        Ok((rows, count))
    }

    /// The sample in the footer, if one of all rows is there.
    pub(crate) fn sample(&self) -> Option<Sample> {
        let footer = self.file.metadata().file_metadata();
        let sample: Sample = serde_json::from_str(value(footer, SAMPLE_KEY)?).ok()?;
        let rows = u64::try_from(footer.num_rows()).ok()?;
        Some(sample).filter(|sample| sample.trips == rows && sample.is_valid())
    }

    /// Goes back to the first row; the names it has given so far are forgotten.
    pub(crate) fn rewind(&mut self) {
        self.next_group = 0;
        self.columns = None;
        self.ready = Vec::new().into_iter();
        self.texts = KnownTexts::default();
        self.number = 0;
        self.last_at = None;
        self.is_damaged = false;
    }

    /// Where a file's trips are from.
    ///
    /// # Errors
    /// If it is no prepared file.
    pub(crate) fn origin(input: Box<dyn Input>) -> Result<Origin, RefusedFile> {
        Origin::of(open(input)?.metadata().file_metadata())
    }

    /// The next row, whose names are kept in `names`; none at the end.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn next(&mut self, names: &mut Names) -> io::Result<Option<Row>> {
        loop {
            if let Some(row) = self.ready.next() {
                return Ok(Some(row));
            }
            if self.is_damaged {
                return Ok(None);
            }
            match guarded(|| self.decode()) {
                Ok(None) => return Ok(None),
                Ok(Some(columns)) => self.take(&columns, names),
                Err(error) => {
                    let error = disk_failure(error).map_or_else(Ok, Err)?;
                    self.give_up(&error.to_string());
                }
            }
            if names.len() > NAMES_MAX {
                self.give_up(&RefusedFile::TooManyNames(NAMES_MAX).to_string());
            }
        }
    }

    /// The next rows' columns.
    fn decode(&mut self) -> Result<Option<Columns>, ParquetError> {
        loop {
            match &mut self.columns {
                Some((columns, left)) if *left > 0 => {
                    let rows = BATCH_ROWS.min(*left);
                    *left -= rows;
                    let columns = columns.get_mut().unwrap_or_else(PoisonError::into_inner);
                    return columns.read(rows).map(Some);
                }
                _ if self.next_group == self.file.num_row_groups() => return Ok(None),
                _ => {
                    let group = self.file.get_row_group(self.next_group)?;
                    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
                    let columns = ColumnReaders::open(group.as_ref())?;
                    self.columns = Some((Mutex::new(columns), rows));
                    self.next_group += 1;
                }
            }
        }
    }

    fn take(&mut self, columns: &Columns, names: &mut Names) {
        let mut rows = Vec::with_capacity(columns.len());
        // A file of the first format has no kinds.
        let kinds = columns.bike_kind.iter().chain(std::iter::repeat(None));
        let optional = columns.bike_id.iter().zip(columns.rider.iter()).zip(kinds);
        for (index, ((bike, rider), kind)) in optional.enumerate() {
            self.number += 1;
            let trip = self.texts.trip(columns, index, (bike, rider, kind), names);
            let trip = trip.and_then(|trip| self.in_order(trip));
            match trip {
                Ok(trip) => {
                    self.last_at = Some(trip.departed_at);
                    rows.push(Row {
                        at: Some(trip.departed_at),
                        content: Content::Trip(trip),
                    });
                }
                Err(reason) => rows.push(self.reject(self.number, reason)),
            }
        }
        self.ready = rows.into_iter();
    }

    fn in_order(&self, trip: CompactTrip) -> Result<CompactTrip, &'static str> {
        match Some(trip.departed_at) >= self.last_at {
            true => Ok(trip),
            false => Err("departed_at is before that of the row before it"),
        }
    }

    /// Makes what is left of the file one reject, behind the rows that are ready.
    fn give_up(&mut self, reason: &str) {
        self.is_damaged = true;
        let reason = format!("file is damaged from here on: {reason}");
        let reject = self.reject(self.number + 1, reason);
        let mut rows: Vec<_> = std::mem::take(&mut self.ready).collect();
        rows.push(reject);
        self.ready = rows.into_iter();
    }

    fn reject(&self, line: u64, reason: impl Into<String>) -> Row {
        Row {
            at: self.last_at,
            content: Content::Reject(Box::new(Reject::new(&self.name, line, reason, ""))),
        }
    }
}

impl fmt::Debug for PreparedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("PreparedRows");
        text.field("name", &self.name).field("number", &self.number);
        text.finish_non_exhaustive()
    }
}

fn open(input: Box<dyn Input>) -> Result<SerializedFileReader<Shared>, RefusedFile> {
    let input = Shared::new(input)?;
    let opened = guarded(|| SerializedFileReader::new(input));
    opened.map_err(|error| match disk_failure(error) {
        Ok(failure) => RefusedFile::Read(failure),
        Err(error) => RefusedFile::Parquet(error),
    })
}

/// Makes an error of a panic: the library has some for numbers that only a damaged file has.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    // What a panic leaves half done is not looked at again.
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| {
        Err(ParquetError::General(
            "its numbers make no sense".to_owned(),
        ))
    })
}

/// Bike, rider and kind of bike of a row.
type OptionalTexts<'a> = (
    Option<&'a ByteArray>,
    Option<&'a ByteArray>,
    Option<&'a ByteArray>,
);

/// Texts that were seen in the file, by their bytes.
#[derive(Debug, Default)]
struct KnownTexts {
    bikes: HashMap<Box<[u8]>, NameIndex>,
    /// Station ids and streets, in the order in which they were first seen.
    texts: HashMap<Box<[u8]>, usize>,
    stations: HashMap<(usize, usize), NameIndex>,
}

impl KnownTexts {
    fn trip(
        &mut self,
        columns: &Columns,
        index: usize,
        (bike, rider, kind): OptionalTexts<'_>,
        names: &mut Names,
    ) -> Result<CompactTrip, &'static str> {
        let (departed_at, arrived_at) = (columns.departed_at[index], columns.arrived_at[index]);
        if arrived_at < departed_at {
            return Err("arrived_at is before departed_at");
        }
        Ok(CompactTrip {
            departed_at,
            arrived_at,
            bike: bike.map(|bike| self.bike(bike, names)).transpose()?,
            from: self.place(&columns.from, index, names)?,
            to: self.place(&columns.to, index, names)?,
            rider: rider.map(read_rider).transpose()?,
            bike_kind: kind.map(read_kind).transpose()?,
        })
    }

    fn bike(&mut self, bike: &ByteArray, names: &mut Names) -> Result<NameIndex, &'static str> {
        if let Some(known) = self.bikes.get(bike.data()) {
            return Ok(*known);
        }
        let index = names.bike(text(bike)?);
        self.bikes.insert(bike.data().into(), index);
        Ok(index)
    }

    fn place(
        &mut self,
        places: &Places,
        index: usize,
        names: &mut Names,
    ) -> Result<Place, &'static str> {
        let (lat, lon) = (places.lat[index], places.lon[index]);
        if !lat.is_finite() || !lon.is_finite() {
            return Err("a coordinate is no number");
        }
        let station = self.station(&places.station_id[index], &places.street[index], names)?;
        Ok(Place { lat, lon, station })
    }

    fn station(
        &mut self,
        station_id: &ByteArray,
        street: &ByteArray,
        names: &mut Names,
    ) -> Result<NameIndex, &'static str> {
        let key = (self.text(station_id), self.text(street));
        if let Some(known) = self.stations.get(&key) {
            return Ok(*known);
        }
        if station_id.data().is_empty() {
            return Err("a station id is empty");
        }
        let index = names.station(text(station_id)?, text(street)?);
        self.stations.insert(key, index);
        Ok(index)
    }

    fn text(&mut self, text: &ByteArray) -> usize {
        if let Some(known) = self.texts.get(text.data()) {
            return *known;
        }
        let new = self.texts.len();
        self.texts.insert(text.data().into(), new);
        new
    }
}

fn text(bytes: &ByteArray) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes.data()).map_err(|_| "a text is not UTF-8")
}

fn read_rider(rider: &ByteArray) -> Result<Rider, &'static str> {
    match rider.data() {
        rider if rider == MEMBER.as_bytes() => Ok(Rider::Member),
        rider if rider == CASUAL.as_bytes() => Ok(Rider::Casual),
        _ => Err("rider is neither member nor casual"),
    }
}

fn read_kind(kind: &ByteArray) -> Result<BikeKind, &'static str> {
    match kind.data() {
        kind if kind == CLASSIC.as_bytes() => Ok(BikeKind::Classic),
        kind if kind == ELECTRIC.as_bytes() => Ok(BikeKind::Electric),
        kind if kind == DOCKED.as_bytes() => Ok(BikeKind::Docked),
        _ => Err("bike_kind is neither classic, electric nor docked"),
    }
}

/// A file's bytes for several column readers on one thread.
#[derive(Clone)]
struct Shared {
    input: Arc<Mutex<Box<dyn Input>>>,
    bytes: u64,
}

impl Shared {
    fn new(mut input: Box<dyn Input>) -> io::Result<Self> {
        Ok(Self {
            bytes: input.seek(SeekFrom::End(0))?,
            input: Arc::new(Mutex::new(input)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Input>> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Length for Shared {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Shared {
    type T = io::BufReader<SharedFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let from = SharedFrom {
            file: self.clone(),
            at: start,
        };
        // A page's header is read through it: some ten bytes.
        Ok(io::BufReader::with_capacity(HEADER_BYTES, from))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // A length from a damaged file must not make room for what is not there.
        if start.saturating_add(length as u64) > self.bytes {
            let end = "the file ends before what it points to";
            return Err(ParquetError::EOF(end.to_owned()));
        }
        let mut bytes = vec![0; length];
        let mut input = self.lock();
        input.seek(SeekFrom::Start(start))?;
        input.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Bytes read at a time where it is not known how many are needed (chosen: a page's header).
const HEADER_BYTES: usize = 512;

/// Reads from one place on, whatever others read.
struct SharedFrom {
    file: Shared,
    at: u64,
}

impl Read for SharedFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.file.lock();
        input.seek(SeekFrom::Start(self.at))?;
        let count = input.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}
