//! Some rows of a prepared file, column by column.

use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;

/// A column of a text that is always there.
type Texts = Vec<ByteArray>;

/// Values of all columns, each with one for each row.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) departed_at: Vec<i64>,
    pub(super) from: Places,
    pub(super) arrived_at: Vec<i64>,
    pub(super) to: Places,
    pub(super) bike_id: Optional,
    pub(super) rider: Optional,
    /// Empty where the file has no such column.
    pub(super) bike_kind: Optional,
}

/// The columns of one end of the trips.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) station_id: Texts,
    pub(super) street: Texts,
    pub(super) lat: Vec<f64>,
    pub(super) lon: Vec<f64>,
}

/// A column of a text that may be missing.
#[derive(Debug, Default)]
pub(super) struct Optional {
    /// For each row 1 if it has the text, 0 if not.
    levels: Vec<i16>,
    texts: Texts,
}

impl Optional {
    pub(super) fn push(&mut self, text: Option<ByteArray>) {
        self.levels.push(i16::from(text.is_some()));
        self.texts.extend(text);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&ByteArray>> {
        let mut texts = self.texts.iter();
        let text = move |level: &i16| if *level == 0 { None } else { texts.next() };
        self.levels.iter().map(text)
    }
}

impl Columns {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.departed_at.len()
    }

    /// Writes all rows, in the order of the schema.
    pub(super) fn write<W: std::io::Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        write::<Int64Type, _>(group, &self.departed_at, None)?;
        self.from.write(group)?;
        write::<Int64Type, _>(group, &self.arrived_at, None)?;
        self.to.write(group)?;
        for column in [&self.bike_id, &self.rider, &self.bike_kind] {
            write::<ByteArrayType, _>(group, &column.texts, Some(&column.levels))?;
        }
        Ok(())
    }
}

impl Places {
    fn write<W: std::io::Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        write::<ByteArrayType, _>(group, &self.station_id, None)?;
        write::<ByteArrayType, _>(group, &self.street, None)?;
        write::<DoubleType, _>(group, &self.lat, None)?;
        write::<DoubleType, _>(group, &self.lon, None)
    }
}

fn write<T: DataType, W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<()> {
    let column = group.next_column()?;
    let mut column = column.expect("the schema has as many columns as are written");
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Reads the columns of one row group, some rows at a time.
pub(super) struct ColumnReaders {
    departed_at: ColumnReaderImpl<Int64Type>,
    from: PlaceReaders,
    arrived_at: ColumnReaderImpl<Int64Type>,
    to: PlaceReaders,
    bike_id: ColumnReaderImpl<ByteArrayType>,
    rider: ColumnReaderImpl<ByteArrayType>,
    bike_kind: Option<ColumnReaderImpl<ByteArrayType>>,
}

struct PlaceReaders {
    station_id: ColumnReaderImpl<ByteArrayType>,
    street: ColumnReaderImpl<ByteArrayType>,
    lat: ColumnReaderImpl<DoubleType>,
    lon: ColumnReaderImpl<DoubleType>,
}

impl ColumnReaders {
    /// Opens a row group of a file that has one of our schemas.
    pub(super) fn open(group: &dyn RowGroupReader) -> Result<Self> {
        Ok(Self {
            departed_at: open(group, 0)?,
            from: PlaceReaders::open(group, 1)?,
            arrived_at: open(group, 5)?,
            to: PlaceReaders::open(group, 6)?,
            bike_id: open(group, 10)?,
            rider: open(group, 11)?,
            bike_kind: match group.num_columns() {
                0..=12 => None,
                _ => Some(open(group, 12)?),
            },
        })
    }

    /// Reads so many rows.
    pub(super) fn read(&mut self, rows: usize) -> Result<Columns> {
        Ok(Columns {
            departed_at: read(&mut self.departed_at, rows)?,
            from: self.from.read(rows)?,
            arrived_at: read(&mut self.arrived_at, rows)?,
            to: self.to.read(rows)?,
            bike_id: read_optional(&mut self.bike_id, rows)?,
            rider: read_optional(&mut self.rider, rows)?,
            bike_kind: match &mut self.bike_kind {
                Some(kinds) => read_optional(kinds, rows)?,
                None => Optional::default(),
            },
        })
    }
}

impl PlaceReaders {
    fn open(group: &dyn RowGroupReader, first: usize) -> Result<Self> {
        Ok(Self {
            station_id: open(group, first)?,
            street: open(group, first + 1)?,
            lat: open(group, first + 2)?,
            lon: open(group, first + 3)?,
        })
    }

    fn read(&mut self, rows: usize) -> Result<Places> {
        Ok(Places {
            station_id: read(&mut self.station_id, rows)?,
            street: read(&mut self.street, rows)?,
            lat: read(&mut self.lat, rows)?,
            lon: read(&mut self.lon, rows)?,
        })
    }
}

fn open<T: DataType>(group: &dyn RowGroupReader, column: usize) -> Result<ColumnReaderImpl<T>> {
    Ok(get_typed_column_reader(group.get_column_reader(column)?))
}

fn read<T: DataType>(column: &mut ColumnReaderImpl<T>, rows: usize) -> Result<Vec<T::T>> {
    let mut values = Vec::with_capacity(rows);
    column.read_records(rows, None, None, &mut values)?;
    whole(values.len(), rows)?;
    Ok(values)
}

fn read_optional(column: &mut ColumnReaderImpl<ByteArrayType>, rows: usize) -> Result<Optional> {
    let mut found = Optional::default();
    let Optional { levels, texts } = &mut found;
    column.read_records(rows, Some(levels), None, texts)?;
    whole(levels.len(), rows)?;
    whole(
        texts.len(),
        levels.iter().filter(|level| **level != 0).count(),
    )?;
    Ok(found)
}

fn whole(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(ParquetError::EOF(format!(
        "a column has {found} values where {expected} are expected"
    )))
}
