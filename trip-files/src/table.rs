//! Reads one trip file into rows ordered by departure.

use std::io::{self, BufReader, Read};

use csv::StringRecord;
use domain::Reject;
use domain::csv::Columns;
use domain::reject::{ROW_CHARS_MAX, cut};
use xxhash_rust::xxh3::Xxh3;

use crate::compact::{CompactTrip, NAMES_MAX, Names};
use crate::error::{NotRead, RefusedFile, TripFilesError};
use crate::prepared::PreparedRows;
use crate::progress::Reading;
use crate::row::Content;
use crate::rows::{Fields, LINE_BYTES_MAX, RawRow, Rows};
use crate::sample::{Sample, Sampler};
use crate::sort::{Counts, SortConfig, Sorted, Sorter};
use crate::store::Input;
use crate::strays::{RowOrigin, Strays};

/// Bytes taken from a file at a time (chosen: what a disk gives at once).
const READ_BYTES: usize = 256 * 1024;

/// Counts the changes of how rows are read, ordered and numbered. A row is known by its source and its
/// rank there, so two programs that rank the same file otherwise must give it other names: raise this
/// when the expected ranks of `golden.rs` or `order.rs` change for rows that were not rejected.
const RANKING: u64 = 0;

/// Progress is reported and a stop looked for once in so many rows (chosen: a few milliseconds' work).
const REPORT_ROWS: u64 = 4_096;

/// The rows of one file, ordered by departure, file order among equals.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) names: Names,
    pub(crate) rows: Sorted,
    pub(crate) counts: Counts,
    /// Hash of the file's content.
    pub(crate) hash: u64,
    /// By which its trips are found in other files.
    pub(crate) sample: Sample,
}

/// Reads a file named `name` to its end.
pub(crate) fn read(
    name: &str,
    input: impl Read,
    sort: SortConfig,
    reading: &Reading,
) -> Result<Table, NotRead> {
    let mut hashed = Hashed::new(input);
    let mut rows = Rows::new(BufReader::with_capacity(READ_BYTES, &mut hashed));
    let mut raw = RawRow::default();
    let mut parser = Parser::open(name, &mut rows, &mut raw)?;
    let folder = sort.folder.clone();
    let unwritable = |source| {
        NotRead::Failed(TripFilesError::Spill {
            path: folder.clone(),
            source,
        })
    };
    let mut sorter = Sorter::new(sort);
    let mut sampler = Sampler::default();
    let mut strays = Strays::new(name);
    let mut more = !parser.columns.has_header() || rows.next(&mut raw)?;
    while more {
        if sorter.counts.rows.is_multiple_of(REPORT_ROWS) {
            reading.add(0, REPORT_ROWS.min(sorter.counts.rows));
            if reading.is_stopped() {
                return Err(NotRead::Stopped);
            }
            if parser.names.len() > NAMES_MAX {
                return Err(RefusedFile::TooManyNames(NAMES_MAX).into());
            }
        }
        match parser.parse(&raw) {
            Ok(trip) => {
                sampler.push(&trip, &parser.names);
                strays.push(trip, || parser.origin(&raw), &mut sorter)
            }
            Err(reject) => strays.push_reject(reject, &mut sorter),
        }
        .map_err(unwritable)?;
        more = rows.next(&mut raw)?;
    }
    strays.finish(&mut sorter).map_err(unwritable)?;
    Ok(Table {
        names: parser.names,
        counts: sorter.counts,
        rows: sorter.finish().map_err(unwritable)?,
        hash: hashed.hash.digest(),
        sample: sampler.finish(),
    })
}

/// The table of a file that cannot be used: one reject, so that it is seen where rows are counted.
pub(crate) fn refused(name: &str, content_hash: u64, reason: &str) -> Table {
    let reject = Reject::new(name, 1, format!("file refused: {reason}"), "");
    Table {
        rows: Sorted::reject(reject),
        counts: Counts {
            rows: 1,
            rejected: 1,
        },
        hash: content_hash,
        names: Names::default(),
        sample: Sample::default(),
    }
}

/// The table of a prepared file, whose rows are read for good only when they are sent.
pub(crate) fn prepared(
    name: &str,
    input: Box<dyn Input>,
    hash: u64,
    reading: &Reading,
) -> Result<Table, NotRead> {
    let (mut rows, count) = PreparedRows::open(name, input)?;
    let sample = match rows.sample() {
        Some(sample) => sample,
        None => sample(&mut rows, reading)?,
    };
    Ok(Table {
        sample,
        rows: Sorted::Prepared(Box::new(rows)),
        counts: Counts {
            rows: count,
            rejected: 0,
        },
        hash,
        names: Names::default(),
    })
}

/// Reads a prepared file to its end and goes back: one of an older program brings no sample.
fn sample(rows: &mut PreparedRows, reading: &Reading) -> Result<Sample, NotRead> {
    let (mut names, mut sampler) = (Names::default(), Sampler::default());
    let mut count = 0;
    while let Some(row) = rows.next(&mut names)? {
        count += 1;
        if count % REPORT_ROWS == 0 {
            reading.add(0, REPORT_ROWS);
            if reading.is_stopped() {
                return Err(NotRead::Stopped);
            }
        }
        if let Content::Trip(trip) = row.content {
            sampler.push(&trip, &names);
        }
    }
    rows.rewind();
    Ok(sampler.finish())
}

/// Turns rows into trips.
struct Parser<'a> {
    name: &'a str,
    columns: Columns,
    fields: Fields,
    record: StringRecord,
    names: Names,
}

impl<'a> Parser<'a> {
    /// Finds the columns in the first row, which stays in `raw`.
    fn open<R: io::BufRead>(
        name: &'a str,
        rows: &mut Rows<R>,
        raw: &mut RawRow,
    ) -> Result<Self, RefusedFile> {
        if !rows.next(raw)? {
            return Err(RefusedFile::Empty);
        }
        let mut fields = Fields::new();
        let mut record = StringRecord::new();
        if raw.text.len() >= LINE_BYTES_MAX - 1 || raw.text.contains(&0) {
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
            names: Names::default(),
        })
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
        Ok(self.names.compact(&trip))
    }

    /// Where the row that was parsed last is from, should it be rejected for its time.
    fn origin(&self, raw: &RawRow) -> RowOrigin {
        RowOrigin {
            line: raw.line,
            departure: self.columns.departure_text(&self.record),
            text: cut(&String::from_utf8_lossy(&raw.text), ROW_CHARS_MAX),
        }
    }
}

/// Hashes a file's content for the name of its source.
pub(super) fn content_hash() -> Xxh3 {
    Xxh3::with_seed(RANKING)
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
            hash: content_hash(),
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
