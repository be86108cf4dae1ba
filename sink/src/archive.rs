//! Writes a month into Parquet files before it is dropped.
//!
//! The rows are read of one snapshot, with their stations as they were then, and the files are in their place
//! before anything is dropped. Whether the month has as many rows still is the drop's to check.

use std::io;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};
use tokio_util::sync::CancellationToken;
use trip_files::{ArchiveFile, ColumnKind, ColumnSpec, S3Config, Target, Value};

use crate::error::SinkError;
use crate::retention::OldMonth;

/// Where dropped rows go.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// A folder or a bucket.
    pub target: Target,
    /// How to reach the bucket.
    pub s3: S3Config,
}

/// A table's rows as they are archived.
struct Rows {
    /// What the file's name begins with.
    name: &'static str,
    /// What is selected from: rows with a `time` and an `id`.
    from: &'static str,
    columns: &'static [ColumnSpec],
}

const RECORDS: Rows = Rows {
    name: "records",
    from: "records_view",
    columns: &[
        ("id", ColumnKind::Integer),
        ("time", ColumnKind::Time),
        ("docked", ColumnKind::Flag),
        ("station_id", ColumnKind::Text),
        ("street", ColumnKind::Text),
        ("latitude", ColumnKind::Double),
        ("longitude", ColumnKind::Double),
        ("bike_id", ColumnKind::Text),
        ("bike_kind", ColumnKind::Text),
        ("inferred", ColumnKind::Flag),
        ("partition", ColumnKind::Integer),
        ("offset", ColumnKind::Integer),
    ],
};

const STATUSES: Rows = Rows {
    name: "dock_status",
    from: "dock_status join location using (location_id)",
    columns: &[
        ("id", ColumnKind::Integer),
        ("time", ColumnKind::Time),
        ("station_id", ColumnKind::Text),
        ("bikes", ColumnKind::Integer),
        ("ebikes", ColumnKind::Integer),
        ("free_docks", ColumnKind::Integer),
        ("capacity", ColumnKind::Integer),
        ("broken_bikes", ColumnKind::Integer),
        ("broken_docks", ColumnKind::Integer),
        ("is_installed", ColumnKind::Flag),
        ("is_renting", ColumnKind::Flag),
        ("is_returning", ColumnKind::Flag),
        ("missing", ColumnKind::Flag),
        ("last_reported", ColumnKind::Time),
    ],
};

/// Rows that are handed to the thread that writes (chosen: some milliseconds' work).
const CHUNK_ROWS: usize = 8_192;

/// A file in its place.
#[derive(Debug)]
pub(crate) struct ArchivedFile {
    /// Where it is, for people.
    pub(crate) place: String,
    pub(crate) rows: u64,
}

impl Archive {
    /// Writes the files of a month; one without rows is not written. `number` tells the files of a month apart
    /// that late rows have made again.
    pub(crate) async fn write(
        &self,
        connection: &mut PgConnection,
        month: &OldMonth,
        number: i32,
        stop: &CancellationToken,
    ) -> Result<Vec<ArchivedFile>, SinkError> {
        let begin = "begin isolation level repeatable read read only";
        let mut snapshot = connection
            .begin_with(begin)
            .await
            .map_err(SinkError::database("begin a snapshot of old records"))?;
        let mut files = Vec::new();
        for rows in [RECORDS, STATUSES] {
            let file = rows.read(&mut snapshot, month).await?;
            if file.rows() > 0 {
                files.push((rows.file_name(month, number), file));
            }
        }
        // A connection that was ended meanwhile, because another sink does this now, shows it here.
        snapshot
            .commit()
            .await
            .map_err(SinkError::database("end a snapshot of old records"))?;
        let mut archived = Vec::new();
        for (name, file) in files {
            let place = self.place(&name);
            let rows = file.rows();
            let put = file.put(&self.target, &self.s3, name, stop.clone());
            put.await.map_err(|source| SinkError::Archive {
                place: place.clone(),
                source: source.into(),
            })?;
            archived.push(ArchivedFile { place, rows });
        }
        Ok(archived)
    }

    fn place(&self, name: &str) -> String {
        match &self.target {
            Target::Folder(path) => path.join(name).display().to_string(),
            Target::S3(location) => format!("{location}{name}"),
        }
    }
}

impl Rows {
    /// `records-2020-03.parquet`
    fn file_name(&self, month: &OldMonth, number: i32) -> String {
        let months = month.label();
        match number {
            1 => format!("{}-{months}.parquet", self.name),
            _ => format!("{}-{months}-{number}.parquet", self.name),
        }
    }

    /// In a form that lets Postgres look at the month's table alone.
    fn select(&self) -> String {
        let columns = self.columns.iter().map(|(name, kind)| match kind {
            ColumnKind::Integer => format!("\"{name}\"::bigint"),
            _ => format!("\"{name}\""),
        });
        let columns: Vec<_> = columns.collect();
        format!(
            "select {} from {} where time >= $1::timestamptz and time < $2::timestamptz order by id",
            columns.join(", "),
            self.from
        )
    }

    async fn read(
        &self,
        connection: &mut PgConnection,
        month: &OldMonth,
    ) -> Result<ArchiveFile, SinkError> {
        let mut file = ArchiveFile::new(self.columns).map_err(written)?;
        let select = sqlx::AssertSqlSafe(self.select());
        // As texts: the oldest month has no start.
        let rows = sqlx::query(select)
            .bind(&month.start)
            .bind(&month.end)
            .fetch(connection);
        let mut chunks = rows.try_chunks(CHUNK_ROWS);
        while let Some(rows) = chunks
            .try_next()
            .await
            .map_err(|error| error.1)
            .map_err(SinkError::database("read old records"))?
        {
            let columns = self.columns;
            let writing = tokio::task::spawn_blocking(move || {
                for row in rows {
                    let values = values(&row, columns).map_err(io::Error::other)?;
                    file.push(values)?;
                }
                Ok(file)
            });
            let writing = writing.await.map_err(io::Error::other);
            file = writing.and_then(|written| written).map_err(written)?;
        }
        Ok(file)
    }
}

fn values(row: &PgRow, columns: &[ColumnSpec]) -> sqlx::Result<Vec<Option<Value>>> {
    let value = |(index, (_, kind)): (usize, &ColumnSpec)| {
        Ok(match kind {
            ColumnKind::Integer => row.try_get::<Option<i64>, _>(index)?.map(Value::Integer),
            ColumnKind::Time => row
                .try_get::<Option<DateTime<Utc>>, _>(index)?
                .map(Value::Time),
            ColumnKind::Double => row.try_get::<Option<f64>, _>(index)?.map(Value::Double),
            ColumnKind::Flag => row.try_get::<Option<bool>, _>(index)?.map(Value::Flag),
            ColumnKind::Text => row.try_get::<Option<String>, _>(index)?.map(Value::Text),
        })
    };
    columns.iter().enumerate().map(value).collect()
}

fn written(source: io::Error) -> SinkError {
    SinkError::Archive {
        place: std::env::temp_dir().display().to_string(),
        source: source.into(),
    }
}
