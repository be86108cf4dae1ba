//! Writes trips, which are in order, into a prepared file.

use std::io::{self, Write};
use std::sync::Arc;

use domain::{BikeKind, Rider};
use parquet::basic::{Compression, Encoding};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::columns::{Columns, Places};
use super::{FORMAT, Origin, SAMPLE_KEY, WRITER, disk_failure, schema};
use crate::compact::{CompactTrip, NameIndex, Names, Place};
use crate::sample::Sampler;

/// Rows of a row group (chosen: 15 MB in memory while it is written; a month has up to 60).
const GROUP_ROWS: usize = 1 << 16;

/// Bytes of a page before it is packed (chosen: a reader holds one of each column).
const PAGE_BYTES: usize = 128 << 10;

/// A dictionary of more bytes is given up (chosen: 10,000 bikes or streets).
const DICTIONARY_BYTES: usize = 256 << 10;

const BY_DEPARTURE: SortingColumn = SortingColumn {
    column_idx: 0,
    descending: false,
    nulls_first: false,
};

/// Writes one file. The same trips from the same sources give the same bytes.
pub(crate) struct TripWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Columns,
    sampler: Sampler,
}

impl<W: Write + Send> TripWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn new(to: W, origin: &Origin) -> io::Result<Self> {
        let file = SerializedFileWriter::new(to, schema(FORMAT), Arc::new(properties(origin)));
        Ok(Self {
            file: file.map_err(failure)?,
            columns: Columns::default(),
            sampler: Sampler::default(),
        })
    }

    /// Takes the next trip; it must not have departed before the last one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn push(
        &mut self,
        trip: &CompactTrip,
        names: &Names,
        texts: &mut TripTexts,
    ) -> io::Result<()> {
        self.sampler.push(trip, names);
        let columns = &mut self.columns;
        columns.departed_at.push(trip.departed_at);
        columns.from.push(&trip.from, names, texts);
        columns.arrived_at.push(trip.arrived_at);
        columns.to.push(&trip.to, names, texts);
        let bike = trip.bike.map(|bike| texts.bike(bike, names));
        columns.bike_id.push(bike);
        let rider = trip.rider.map(|rider| texts.rider(rider));
        columns.rider.push(rider);
        let kind = trip.bike_kind.map(|kind| texts.bike_kind(kind));
        columns.bike_kind.push(kind);
        match columns.len() {
            GROUP_ROWS => self.write_group(),
            _ => Ok(()),
        }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let columns = std::mem::take(&mut self.columns);
        let mut group = self.file.next_row_group().map_err(failure)?;
        columns.write(&mut group).map_err(failure)?;
        group.close().map_err(failure)?;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.columns.len() > 0 {
            self.write_group()?;
        }
        let sample = serde_json::to_string(&self.sampler.finish())?;
        let sample = KeyValue::new(SAMPLE_KEY.to_owned(), sample);
        self.file.append_key_value_metadata(sample);
        self.file.close().map_err(failure)?;
        Ok(())
    }
}

impl Places {
    fn push(&mut self, place: &Place, names: &Names, texts: &mut TripTexts) {
        let (station_id, street) = texts.station(place.station, names);
        self.station_id.push(station_id);
        self.street.push(street);
        self.lat.push(place.lat);
        self.lon.push(place.lon);
    }
}

/// The texts of one source's trips as they stand in columns, each made when it is first needed.
#[derive(Debug)]
pub(crate) struct TripTexts {
    bikes: Vec<ByteArray>,
    stations: Vec<(ByteArray, ByteArray)>,
    member: ByteArray,
    casual: ByteArray,
    classic: ByteArray,
    electric: ByteArray,
    docked: ByteArray,
}

impl Default for TripTexts {
    fn default() -> Self {
        Self {
            bikes: Vec::new(),
            stations: Vec::new(),
            member: MEMBER.into(),
            casual: CASUAL.into(),
            classic: CLASSIC.into(),
            electric: ELECTRIC.into(),
            docked: DOCKED.into(),
        }
    }
}

/// Values of column `rider`.
pub(super) const MEMBER: &str = "member";
pub(super) const CASUAL: &str = "casual";

/// Values of column `bike_kind`.
pub(super) const CLASSIC: &str = "classic";
pub(super) const ELECTRIC: &str = "electric";
pub(super) const DOCKED: &str = "docked";

impl TripTexts {
    fn bike(&mut self, bike: NameIndex, names: &Names) -> ByteArray {
        let known = names.bike_texts(self.bikes.len(), bike);
        self.bikes.extend(known.map(|text| text.as_str().into()));
        self.bikes[bike.get() as usize - 1].clone()
    }

    fn station(&mut self, station: NameIndex, names: &Names) -> (ByteArray, ByteArray) {
        let known = names.station_texts(self.stations.len(), station);
        let text = |text: String| ByteArray::from(text.as_str());
        self.stations
            .extend(known.map(|(station_id, street)| (text(station_id), text(street))));
        self.stations[station.get() as usize - 1].clone()
    }

    fn rider(&self, rider: Rider) -> ByteArray {
        match rider {
            Rider::Member => self.member.clone(),
            Rider::Casual => self.casual.clone(),
        }
    }

    fn bike_kind(&self, kind: BikeKind) -> ByteArray {
        match kind {
            BikeKind::Classic => self.classic.clone(),
            BikeKind::Electric => self.electric.clone(),
            BikeKind::Docked => self.docked.clone(),
        }
    }
}

fn properties(origin: &Origin) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(WRITER.to_owned())
        .set_key_value_metadata(Some(origin.key_values()))
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_sorting_columns(Some(vec![BY_DEPARTURE]));
    for time in ["departed_at", "arrived_at"] {
        let column = ColumnPath::from(time);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// What the writer says is the disk's failure, or a mistake of ours.
fn failure(error: ParquetError) -> io::Error {
    disk_failure(error).unwrap_or_else(io::Error::other)
}
