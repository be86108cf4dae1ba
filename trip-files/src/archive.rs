//! Rows that a database keeps no longer, as Parquet, in a folder or a bucket.
//!
//! Knows no table: who archives says what the columns are. Every column may be null.

use std::fs::File;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;
use tempfile::NamedTempFile;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::S3Config;
use crate::error::TripFilesError;
use crate::prepare::Target;
use crate::prepared::{WRITER, disk_failure};
use crate::progress::{Progress, Reading};

/// Rows of a row group (chosen: some 10 MB in memory while it is written).
const GROUP_ROWS: u64 = 1 << 16;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Instants, to the microsecond.
    Time,
    /// Numbers with a point.
    Double,
    /// True or false.
    Flag,
    /// Texts.
    Text,
}

impl ColumnKind {
    /// Its type and logical type, as Parquet's schemas are written.
    fn declared(self) -> (&'static str, &'static str) {
        match self {
            Self::Integer => ("int64", ""),
            Self::Time => ("int64", " (timestamp(micros, true))"),
            Self::Double => ("double", ""),
            Self::Flag => ("boolean", ""),
            Self::Text => ("binary", " (string)"),
        }
    }
}

/// A name and what is under it.
pub type ColumnSpec = (&'static str, ColumnKind);

/// A value of a column of its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// For [`ColumnKind::Integer`].
    Integer(i64),
    /// For [`ColumnKind::Time`].
    Time(DateTime<Utc>),
    /// For [`ColumnKind::Double`].
    Double(f64),
    /// For [`ColumnKind::Flag`].
    Flag(bool),
    /// For [`ColumnKind::Text`].
    Text(String),
}

/// A file that is written on this machine, to be put where it belongs.
pub struct ArchiveFile {
    writer: SerializedFileWriter<File>,
    file: NamedTempFile,
    columns: Vec<Column>,
    rows: u64,
}

impl ArchiveFile {
    /// Begins a file.
    ///
    /// # Errors
    /// If there is no room for it on this machine.
    pub fn new(specs: &[ColumnSpec]) -> io::Result<Self> {
        let file = NamedTempFile::new()?;
        let properties = WriterProperties::builder()
            .set_created_by(WRITER.to_owned())
            .set_compression(Compression::SNAPPY)
            .build();
        let writer =
            SerializedFileWriter::new(file.reopen()?, schema(specs)?, Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(failure)?,
            file,
            columns: specs.iter().map(|(_, kind)| Column::new(*kind)).collect(),
            rows: 0,
        })
    }

    /// Takes the next row: a value or null for each column, of its kind.
    ///
    /// # Errors
    /// If it cannot be written onto this machine's disk, or is no such row.
    pub fn push(&mut self, row: Vec<Option<Value>>) -> io::Result<()> {
        if row.len() != self.columns.len() {
            return Err(io::Error::other("a row has other columns than its file"));
        }
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value)?;
        }
        self.rows += 1;
        match self.rows % GROUP_ROWS {
            0 => self.write_group(),
            _ => Ok(()),
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group().map_err(failure)?;
        for column in &mut self.columns {
            column.write(&mut group).map_err(failure)?;
        }
        group.close().map_err(failure)?;
        Ok(())
    }

    /// Ends it and puts it into `target` under `name`, whole or not at all, in place of one of that name.
    ///
    /// # Errors
    /// If it cannot be written there; a bucket is tried for as long as `s3` says.
    pub async fn put(
        mut self,
        target: &Target,
        s3: &S3Config,
        name: String,
        stop: CancellationToken,
    ) -> Result<(), TripFilesError> {
        let (progress, _) = watch::channel(Progress::default());
        let store = target.open(s3, &Reading::new(progress, stop)).await?;
        let putting = tokio::task::spawn_blocking(move || {
            let place = self.file.path().display().to_string();
            let unwritable = |source| TripFilesError::Unwritable { place, source };
            let finished = match self.rows % GROUP_ROWS {
                0 => Ok(()),
                _ => self.write_group(),
            };
            finished
                .and_then(|()| self.writer.close().map_err(failure))
                .map_err(unwritable)?;
            store.put(&name, self.file.path())
        });
        putting.await?
    }
}

impl std::fmt::Debug for ArchiveFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArchiveFile({} rows)", self.rows)
    }
}

/// The values of the rows of one group.
enum Column {
    /// Of times, too: microseconds.
    Int64(Values<Int64Type>),
    Double(Values<DoubleType>),
    Bool(Values<BoolType>),
    Bytes(Values<ByteArrayType>),
}

impl Column {
    fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Integer | ColumnKind::Time => Self::Int64(Values::default()),
            ColumnKind::Double => Self::Double(Values::default()),
            ColumnKind::Flag => Self::Bool(Values::default()),
            ColumnKind::Text => Self::Bytes(Values::default()),
        }
    }

    fn push(&mut self, value: Option<Value>) -> io::Result<()> {
        match (self, value) {
            (Self::Int64(values), None) => values.push(None),
            (Self::Double(values), None) => values.push(None),
            (Self::Bool(values), None) => values.push(None),
            (Self::Bytes(values), None) => values.push(None),
            (Self::Int64(values), Some(Value::Integer(number))) => values.push(Some(number)),
            (Self::Int64(values), Some(Value::Time(at))) => {
                values.push(Some(at.timestamp_micros()));
            }
            (Self::Double(values), Some(Value::Double(number))) => values.push(Some(number)),
            (Self::Bool(values), Some(Value::Flag(flag))) => values.push(Some(flag)),
            (Self::Bytes(values), Some(Value::Text(text))) => {
                values.push(Some(ByteArray::from(text.into_bytes())));
            }
            (_, Some(value)) => {
                return Err(io::Error::other(format!(
                    "{value:?} is of another kind than its column"
                )));
            }
        }
        Ok(())
    }

    /// Writes what there is, which is gone then.
    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, File>,
    ) -> Result<(), ParquetError> {
        match self {
            Self::Int64(values) => values.write(group),
            Self::Double(values) => values.write(group),
            Self::Bool(values) => values.write(group),
            Self::Bytes(values) => values.write(group),
        }
    }
}

struct Values<T: DataType> {
    /// For each row 1 if it has a value, 0 if it is null.
    levels: Vec<i16>,
    values: Vec<T::T>,
}

impl<T: DataType> Default for Values<T> {
    fn default() -> Self {
        Self {
            levels: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<T: DataType> Values<T> {
    fn push(&mut self, value: Option<T::T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, File>,
    ) -> Result<(), ParquetError> {
        let column = group.next_column()?;
        let mut column = column.expect("the schema has as many columns as are written");
        column
            .typed::<T>()
            .write_batch(&self.values, Some(&self.levels), None)?;
        self.levels.clear();
        self.values.clear();
        column.close()
    }
}

fn schema(specs: &[ColumnSpec]) -> io::Result<TypePtr> {
    let columns = specs.iter().map(|(name, kind)| {
        let (physical, logical) = kind.declared();
        format!("optional {physical} {name}{logical};\n")
    });
    let text = format!("message row {{\n{}}}", columns.collect::<String>());
    Ok(Arc::new(parse_message_type(&text).map_err(failure)?))
}

fn failure(error: ParquetError) -> io::Error {
    disk_failure(error).unwrap_or_else(io::Error::other)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::*;
    use crate::compact::instant;

    const COLUMNS: [ColumnSpec; 5] = [
        ("id", ColumnKind::Integer),
        ("time", ColumnKind::Time),
        ("lat", ColumnKind::Double),
        ("docked", ColumnKind::Flag),
        ("bike_id", ColumnKind::Text),
    ];

    fn row(id: i64) -> Vec<Option<Value>> {
        vec![
            Some(Value::Integer(id)),
            Some(Value::Time(instant(id * 1_500_000))),
            Some(Value::Double(40.5)),
            Some(Value::Flag(id % 2 == 0)),
            (id % 3 != 0).then(|| Value::Text(format!("bike {id}"))),
        ]
    }

    async fn put(rows: i64, folder: &std::path::Path) -> SerializedFileReader<File> {
        let mut file = ArchiveFile::new(&COLUMNS).unwrap();
        for id in 0..rows {
            file.push(row(id)).unwrap();
        }
        let target = Target::Folder(folder.to_owned());
        let stop = CancellationToken::new();
        let s3 = S3Config::default();
        let put = file.put(&target, &s3, "a.parquet".to_owned(), stop);
        put.await.unwrap();
        SerializedFileReader::new(File::open(folder.join("a.parquet")).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn rows_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = put(4, folder.path()).await;
        let rows = file.get_row_iter(None).unwrap();
        let rows: Vec<_> = rows.map(|row| row.unwrap().to_string()).collect();
        expect![[r#"
            {id: 0, time: 1970-01-01 00:00:00.000000 +00:00, lat: 40.5, docked: true, bike_id: null}
            {id: 1, time: 1970-01-01 00:00:01.500000 +00:00, lat: 40.5, docked: false, bike_id: "bike 1"}
            {id: 2, time: 1970-01-01 00:00:03.000000 +00:00, lat: 40.5, docked: true, bike_id: "bike 2"}
            {id: 3, time: 1970-01-01 00:00:04.500000 +00:00, lat: 40.5, docked: false, bike_id: null}"#]].assert_eq(&rows.join("\n"));
    }

    #[tokio::test]
    async fn a_group_is_written_as_soon_as_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        for (rows, groups) in [(0, 0), (1 << 16, 1), ((1 << 16) + 1, 2)] {
            let file = put(rows, folder.path()).await;
            let footer = file.metadata();
            assert_eq!(footer.num_row_groups(), groups, "{rows} rows");
            assert_eq!(footer.file_metadata().num_rows(), rows);
        }
    }

    #[test]
    fn a_value_of_another_kind_is_an_error() {
        let mut file = ArchiveFile::new(&COLUMNS[..1]).unwrap();
        let error = file.push(vec![Some(Value::Flag(true))]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Flag(true) is of another kind than its column"
        );
        let error = file.push(Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "a row has other columns than its file");
    }
}
