//! Reads one trip file into rows ordered by departure.

use std::io::{BufReader, Read};

use csv::StringRecord;
use domain::Reject;
use domain::csv::Columns;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::Xxh3;

use super::rows::{Fields, RawRow, Rows};
use crate::compact::{CompactTrip, Names};
use crate::error::RefusedFile;

/// Bytes taken from a file at a time (chosen: what a disk gives at once).
const READ_BYTES: usize = 256 * 1024;

/// A stop is looked for once in this many rows (chosen: a few milliseconds' work).
const STOP_CHECK_ROWS: usize = 4_096;

/// The rows of one file, ordered by departure, file order among equals.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) names: Names,
    pub(crate) rows: Vec<TableRow>,
    pub(crate) rejects: Vec<Reject>,
    /// Hash of the file's content.
    pub(crate) hash: u64,
}

/// A row in few bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TableRow {
    Trip(CompactTrip),
    /// An index into [`Table::rejects`], and the departure of the good row before it.
    Reject {
        at: i64,
        index: u32,
    },
}

impl TableRow {
    /// What orders the rows: the departure, in microseconds.
    pub(crate) fn at(&self) -> i64 {
        match self {
            Self::Trip(trip) => trip.departed_at,
            Self::Reject { at, .. } => *at,
        }
    }
}

/// Reads a file named `name` to its end; gives nothing if told to stop.
pub(crate) fn read(
    name: &str,
    input: impl Read,
    stop: &CancellationToken,
) -> Result<Option<Table>, RefusedFile> {
    let mut hashed = Hashed::new(input);
    let mut rows = Rows::new(BufReader::with_capacity(READ_BYTES, &mut hashed));
    let mut raw = RawRow::default();
    let mut parser = Parser::open(name, &mut rows, &mut raw)?;
    let mut more = !parser.columns.has_header() || rows.next(&mut raw)?;
    while more {
        if parser.table.rows.len() % STOP_CHECK_ROWS == 0 && stop.is_cancelled() {
            return Ok(None);
        }
        parser.push(&raw);
        more = rows.next(&mut raw)?;
    }
    let mut table = parser.finish();
    table.hash = hashed.hash.digest();
    Ok(Some(table))
}

/// The table of a file that cannot be used: one reject, so that it is seen where rows are counted.
pub(crate) fn refused(name: &str, content_hash: u64, reason: &str) -> Table {
    let reject = Reject::new(name, 1, format!("file refused: {reason}"), "");
    Table {
        rows: vec![TableRow::Reject {
            at: i64::MIN,
            index: 0,
        }],
        rejects: vec![reject],
        hash: content_hash,
        names: Names::default(),
    }
}

/// Turns rows into a table.
struct Parser<'a> {
    name: &'a str,
    columns: Columns,
    fields: Fields,
    record: StringRecord,
    table: Table,
    /// Departure of the last good row.
    last_at: Option<i64>,
}

impl<'a> Parser<'a> {
    /// Finds the columns in the first row, which stays in `raw`.
    fn open<R: std::io::BufRead>(
        name: &'a str,
        rows: &mut Rows<R>,
        raw: &mut RawRow,
    ) -> Result<Self, RefusedFile> {
        if !rows.next(raw)? {
            return Err(RefusedFile::Empty);
        }
        let mut fields = Fields::default();
        let mut record = StringRecord::new();
        if raw.text.len() >= super::rows::LINE_BYTES_MAX - 1 || raw.text.contains(&0) {
            return Err(RefusedFile::NotText);
        }
        fields
            .split(&raw.text, &mut record)
            .map_err(|_| RefusedFile::NotText)?;
        Ok(Self {
            name,
            columns: Columns::from_header(&record)?,
            fields,
            record,
            table: Table::default(),
            last_at: None,
        })
    }

    fn push(&mut self, raw: &RawRow) {
        let row = match self.parse(raw) {
            Ok(trip) => {
                self.last_at = Some(trip.departed_at);
                TableRow::Trip(trip)
            }
            Err(reject) => {
                self.table.rejects.push(reject);
                TableRow::Reject {
                    // Rejects before the first good row come first.
                    at: self.last_at.unwrap_or(i64::MIN),
                    index: u32::try_from(self.table.rejects.len() - 1)
                        .expect("a file has fewer than 4 billion rows"),
                }
            }
        };
        self.table.rows.push(row);
    }

    fn parse(&mut self, raw: &RawRow) -> Result<CompactTrip, Reject> {
        let text = || String::from_utf8_lossy(&raw.text);
        self.fields
            .split(&raw.text, &mut self.record)
            .map_err(|error| Reject::new(self.name, raw.line, error.to_string(), &text()))?;
        let trip = self
            .columns
            .parse_row(&self.record, self.name, raw.line)
            .map_err(|error| error.into_reject(&text()))?;
        Ok(self.table.names.compact(&trip))
    }

    fn finish(mut self) -> Table {
        // Stable: rows that departed together keep the order of the file.
        self.table.rows.sort_by_key(TableRow::at);
        self.table.rows.shrink_to_fit();
        self.table
    }
}

/// Hashes what is read through it.
struct Hashed<R> {
    input: R,
    hash: Xxh3,
}

impl<R> Hashed<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            hash: Xxh3::new(),
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
