//! Orders a file's rows by departure within bounded memory.
//!
//! ```text
//!  rows ─▶ buffer ─ full ─▶ sorted run on the disk ─┐
//!             └──── end ─▶ in memory, if it fits ───┴─ merged as they are taken ─▶ rows in order
//! ```
//!
//! Rows that departed together keep the order of the file, wherever the buffer was cut: a row's
//! rank is the same with any buffer. Not here: the form of a run (see [`run`]).

mod memory;
mod run;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::{Path, PathBuf};

use domain::Reject;
use serde::{Deserialize, Serialize};

pub(crate) use self::memory::{MemoryLimit, Reservation};
pub(crate) use self::run::Run;
use self::run::RunReader;
use crate::compact::{CompactTrip, Names};
use crate::prepared::PreparedRows;
use crate::row::{Content, Row};

/// Bytes of a reject beside its texts (chosen: its three texts' own fields and its line).
const REJECT_BYTES: usize = size_of::<Reject>();

/// How the rows of one file are ordered.
#[derive(Debug, Clone)]
pub(crate) struct SortConfig {
    /// Most bytes of rows in the buffer.
    pub(crate) buffer_bytes: usize,
    /// What files that stay in memory share; none if all have to be written.
    pub(crate) memory: Option<MemoryLimit>,
    /// Folder for runs; it need not exist yet.
    pub(crate) folder: PathBuf,
    /// What the names of the runs begin with, different for each file.
    pub(crate) prefix: String,
}

/// Takes the rows of one file, in the order of the file.
#[derive(Debug)]
pub(crate) struct Sorter {
    config: SortConfig,
    rows: Vec<BufferRow>,
    rejects: Vec<Reject>,
    /// Bytes of the texts in `rejects`.
    reject_bytes: usize,
    runs: Vec<Run>,
    /// Departure of the last good row.
    last_at: Option<i64>,
    pub(crate) counts: Counts,
}

/// How many rows a file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Trips and rejects.
    pub rows: u64,
    /// Of these, rejects.
    pub rejected: u64,
}

/// A row in few bytes.
#[derive(Debug, Clone, Copy)]
enum BufferRow {
    Trip(CompactTrip),
    /// An index into the rejects, and the departure of the good row before it.
    Reject {
        at: Option<i64>,
        index: u32,
    },
}

impl BufferRow {
    fn at(&self) -> Option<i64> {
        match self {
            Self::Trip(trip) => Some(trip.departed_at),
            Self::Reject { at, .. } => *at,
        }
    }

    fn row(&self, rejects: &[Reject]) -> Row {
        let content = match self {
            Self::Trip(trip) => Content::Trip(*trip),
            Self::Reject { index, .. } => {
                Content::Reject(Box::new(rejects[*index as usize].clone()))
            }
        };
        Row {
            at: self.at(),
            content,
        }
    }
}

impl Sorter {
    pub(crate) fn new(config: SortConfig) -> Self {
        Self {
            config,
            rows: Vec::new(),
            rejects: Vec::new(),
            reject_bytes: 0,
            runs: Vec::new(),
            last_at: None,
            counts: Counts::default(),
        }
    }

    /// Takes the file's next row, a trip.
    ///
    /// # Errors
    /// If the buffer is full and cannot be written.
    pub(crate) fn push(&mut self, trip: CompactTrip) -> io::Result<()> {
        self.last_at = Some(trip.departed_at);
        self.push_row(BufferRow::Trip(trip))
    }

    /// Takes the file's next row, which is no trip. It stays behind the good row before it.
    ///
    /// # Errors
    /// If the buffer is full and cannot be written.
    pub(crate) fn push_reject(&mut self, reject: Reject) -> io::Result<()> {
        self.counts.rejected += 1;
        self.reject_bytes += reject.file.len() + reject.reason.len() + reject.row.len();
        self.rejects.push(reject);
        self.push_row(BufferRow::Reject {
            // Rejects before the first good row come first.
            at: self.last_at,
            index: u32::try_from(self.rejects.len() - 1).expect("the buffer is full before that"),
        })
    }

    fn push_row(&mut self, row: BufferRow) -> io::Result<()> {
        self.counts.rows += 1;
        self.rows.push(row);
        if self.buffered_bytes() >= self.config.buffer_bytes {
            self.write_run()?;
        }
        Ok(())
    }

    fn buffered_bytes(&self) -> usize {
        self.rows.len() * size_of::<BufferRow>()
            + self.rejects.len() * REJECT_BYTES
            + self.reject_bytes
    }

    fn write_run(&mut self) -> io::Result<()> {
        let name = format!("{}-{}.run", self.config.prefix, self.runs.len());
        self.order();
        let rows = self.rows.iter().map(|row| row.row(&self.rejects));
        self.runs
            .push(Run::write(&self.config.folder, &name, rows)?);
        self.rows.clear();
        self.rejects.clear();
        self.reject_bytes = 0;
        Ok(())
    }

    fn order(&mut self) {
        // Stable: rows that departed together keep the order of the file.
        self.rows.sort_by_key(BufferRow::at);
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If the rest of the rows has to be written and cannot be.
    pub(crate) fn finish(mut self) -> io::Result<Sorted> {
        let reservation = match &self.config.memory {
            Some(memory) if self.runs.is_empty() => memory.reserve(self.buffered_bytes()),
            _ => None,
        };
        if let Some(reservation) = reservation {
            self.order();
            self.rows.shrink_to_fit();
            return Ok(Sorted::Memory(Memory {
                rows: self.rows,
                rejects: self.rejects,
                _reservation: Some(reservation),
            }));
        }
        if !self.rows.is_empty() {
            self.write_run()?;
        }
        Ok(Sorted::Runs(self.runs))
    }
}

/// All rows of a file, in order.
#[derive(Debug)]
pub(crate) enum Sorted {
    /// A file that fits.
    Memory(Memory),
    /// Parts of the file, each in order, to be merged.
    Runs(Vec<Run>),
    /// A file that is in order as it lies there.
    Prepared(Box<PreparedRows>),
}

/// Rows in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    rows: Vec<BufferRow>,
    rejects: Vec<Reject>,
    /// Held as long as the rows are.
    _reservation: Option<Reservation>,
}

impl Sorted {
    /// One reject, as of a file that cannot be used.
    pub(crate) fn reject(reject: Reject) -> Self {
        let row = BufferRow::Reject { at: None, index: 0 };
        Self::Memory(Memory {
            rows: vec![row],
            rejects: vec![reject],
            _reservation: None,
        })
    }

    /// Starts to read the rows; `folder` holds the runs, `file` is the name in their rejects.
    ///
    /// # Errors
    /// If a run cannot be read.
    pub(crate) fn open(self, folder: &Path, file: &str) -> io::Result<SortedRows> {
        match self {
            Self::Memory(memory) => Ok(SortedRows::Memory { memory, next: 0 }),
            Self::Prepared(rows) => Ok(SortedRows::Prepared(rows)),
            Self::Runs(runs) => {
                let readers = runs.iter().map(|run| RunReader::open(folder, run, file));
                Merge::new(readers.collect::<io::Result<_>>()?).map(SortedRows::Runs)
            }
        }
    }
}

/// Gives the rows of a file in order.
#[derive(Debug)]
pub(crate) enum SortedRows {
    /// From memory.
    Memory { memory: Memory, next: usize },
    /// From runs.
    Runs(Merge),
    /// From a prepared file.
    Prepared(Box<PreparedRows>),
}

impl SortedRows {
    /// The next row; none at the end. What it names is added to `names` if it is not there.
    ///
    /// # Errors
    /// If a run or a prepared file cannot be read.
    pub(crate) fn next(&mut self, names: &mut Names) -> io::Result<Option<Row>> {
        match self {
            Self::Runs(merge) => merge.next(),
            Self::Prepared(rows) => rows.next(names),
            Self::Memory { memory, next } => {
                let row = memory.rows.get(*next).map(|row| row.row(&memory.rejects));
                *next += 1;
                Ok(row)
            }
        }
    }
}

/// Runs of one file in one order; the earlier run first among rows that departed together.
#[derive(Debug)]
pub(crate) struct Merge {
    readers: Vec<RunReader>,
    /// The next row of each run.
    next: Vec<Option<Row>>,
    heads: BinaryHeap<Reverse<(Option<i64>, usize)>>,
}

impl Merge {
    fn new(readers: Vec<RunReader>) -> io::Result<Self> {
        let mut merge = Self {
            next: readers.iter().map(|_| None).collect(),
            heads: BinaryHeap::with_capacity(readers.len()),
            readers,
        };
        for index in 0..merge.readers.len() {
            merge.advance(index)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, index: usize) -> io::Result<()> {
        self.next[index] = self.readers[index].next()?;
        if let Some(row) = &self.next[index] {
            self.heads.push(Reverse((row.at, index)));
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Row>> {
        let Some(Reverse((_, index))) = self.heads.pop() else {
            return Ok(None);
        };
        let row = self.next[index].take();
        self.advance(index)?;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compact::{NameIndex, Place};

    fn trip(departed_at: i64, line: usize) -> CompactTrip {
        let station = NameIndex::new(u32::try_from(line).unwrap() + 1).unwrap();
        let place = Place {
            lat: 40.7,
            lon: -73.9,
            station,
        };
        CompactTrip {
            departed_at,
            arrived_at: departed_at + 1,
            bike: line.is_multiple_of(2).then_some(station),
            from: place,
            to: place,
            rider: None,
            bike_kind: None,
        }
    }

    /// Rows that departed at these times, `None` being a reject, in order.
    fn ordered(departures: &[Option<i64>], buffer_bytes: usize, memory_bytes: usize) -> Vec<Row> {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(SortConfig {
            buffer_bytes,
            memory: Some(MemoryLimit::new(memory_bytes)),
            folder: folder.path().join("runs"),
            prefix: "0".to_owned(),
        });
        for (line, departure) in departures.iter().enumerate() {
            match departure {
                Some(at) => sorter.push(trip(*at, line)).unwrap(),
                None => sorter
                    .push_reject(Reject::new("a.csv", line as u64, "no trip", "a,b"))
                    .unwrap(),
            }
        }
        let sorted = sorter.finish().unwrap();
        let mut rows = sorted.open(&folder.path().join("runs"), "a.csv").unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next(&mut Names::default()).unwrap() {
            found.push(row);
        }
        found
    }

    proptest! {
        #[test]
        fn rows_come_in_the_same_order_with_any_buffer(
            departures in prop::collection::vec(prop::option::weighted(0.9, 0_i64..20), 0..200),
            buffer_bytes in 1_usize..4_000,
            memory_bytes in 0_usize..4_000,
        ) {
            let all_in_memory = ordered(&departures, usize::MAX, usize::MAX);
            prop_assert_eq!(all_in_memory.len(), departures.len());
            prop_assert!(all_in_memory.is_sorted_by_key(|row| row.at));
            prop_assert_eq!(ordered(&departures, buffer_bytes, memory_bytes), all_in_memory);
        }
    }

    #[test]
    fn a_file_stays_in_memory_only_within_the_limit() {
        let config = SortConfig {
            buffer_bytes: usize::MAX,
            memory: Some(MemoryLimit::new(3 * size_of::<BufferRow>())),
            folder: tempfile::tempdir().unwrap().path().join("runs"),
            prefix: "0".to_owned(),
        };
        let sorted = |rows: usize| {
            let mut sorter = Sorter::new(config.clone());
            for line in 0..rows {
                sorter.push(trip(0, line)).unwrap();
            }
            sorter.finish().unwrap()
        };
        let first = sorted(2);
        assert!(matches!(first, Sorted::Memory(_)));
        assert!(matches!(sorted(2), Sorted::Runs(_)));
        drop(first);
        assert!(matches!(sorted(2), Sorted::Memory(_)));
    }
}
