//! Rows of all sources in one order: by departure.
//!
//! ```text
//!  file a ─ ordered ───────┐
//!  file b ─ ordered ───────┼─ merged by departure ─▶ (stream, seq, row)
//!  city   ─ made in order ─┘
//! ```
//!
//! Within a source rows are numbered in this order, from 0, without gaps: a row's `seq` is the same
//! in every run. Not here: ordering a file (see [`crate::sort`]).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;

use crate::compact::Names;
use crate::row::Row;
use crate::simulate::City;
use crate::sort::{Counts, SortedRows};
use crate::table::Table;

/// The rows of one source, ordered by departure.
#[derive(Debug)]
pub struct RowStream {
    /// The source's name, as it stands in its records.
    pub source: String,
    rows: StreamRows,
    next_seq: u64,
    /// The row to give next.
    next: Option<Row>,
}

#[derive(Debug)]
enum StreamRows {
    File {
        rows: SortedRows,
        names: Box<Names>,
        counts: Counts,
    },
    City(Box<City>),
    /// All were taken.
    Gone,
}

impl RowStream {
    /// The rows of a file, whose runs are in `folder`; `name` stands in its rejects.
    ///
    /// # Errors
    /// If the runs cannot be read.
    pub(crate) fn file(name: &str, table: Table, folder: &Path) -> io::Result<Self> {
        // For people: the file's own name, without the archive around it.
        let short = name.rsplit('/').next().unwrap_or(name);
        let source = format!("{short}#{:016x}", table.hash);
        let rows = StreamRows::File {
            rows: table.rows.open(folder, name)?,
            names: Box::new(table.names),
            counts: table.counts,
        };
        Self::new(source, rows)
    }

    /// The rows of a simulated city.
    pub(crate) fn city(city: City) -> Self {
        let source = city.source_name();
        Self::new(source, StreamRows::City(Box::new(city))).expect("a city reads nothing")
    }

    fn new(source: String, mut rows: StreamRows) -> io::Result<Self> {
        Ok(Self {
            source,
            next: rows.next()?,
            rows,
            next_seq: 0,
        })
    }

    /// How many rows there are in all, where that is known before they are made.
    pub fn total(&self) -> Option<u64> {
        match &self.rows {
            StreamRows::File { counts, .. } => Some(counts.rows),
            StreamRows::City(city) => city.total(),
            StreamRows::Gone => Some(self.next_seq),
        }
    }

    /// The texts the stream's trips point to.
    pub fn names(&self) -> &Names {
        match &self.rows {
            StreamRows::File { names, .. } => names,
            StreamRows::City(city) => city.names(),
            StreamRows::Gone => unreachable!("no row of it is left that could have names"),
        }
    }

    /// Whether all rows were taken.
    pub fn is_used_up(&self) -> bool {
        self.next.is_none()
    }

    /// Gives back the memory of rows and names; only for a stream that is used up.
    fn release(&mut self) {
        self.rows = StreamRows::Gone;
    }

    fn pop(&mut self) -> io::Result<Option<(u64, Row)>> {
        let Some(row) = self.next.take() else {
            return Ok(None);
        };
        self.next = self.rows.next()?;
        let seq = self.next_seq;
        self.next_seq += 1;
        Ok(Some((seq, row)))
    }
}

impl StreamRows {
    fn next(&mut self) -> io::Result<Option<Row>> {
        match self {
            Self::City(city) => Ok(city.next()),
            Self::File { rows, names, .. } => rows.next(names),
            Self::Gone => Ok(None),
        }
    }
}

/// All streams in one order; the earlier stream first among rows that departed together.
#[derive(Debug, Default)]
pub struct Merged {
    pub streams: Vec<RowStream>,
    heads: BinaryHeap<Reverse<(Option<i64>, usize)>>,
    /// Where the streams begin that were added last.
    newest: usize,
    /// How many of these have rows left.
    newest_left: usize,
}

impl Merged {
    /// Adds streams, whose numbers follow those there are; those that are used up are released.
    pub fn add(&mut self, streams: Vec<RowStream>) {
        for used_up in self.streams.iter_mut().filter(|stream| stream.is_used_up()) {
            used_up.release();
        }
        self.newest = self.streams.len();
        self.streams.extend(streams);
        for (index, stream) in self.streams.iter().enumerate().skip(self.newest) {
            self.heads
                .extend(stream.next.iter().map(|row| Reverse((row.at, index))));
        }
        let newest = self.streams.iter().skip(self.newest);
        self.newest_left = newest.filter(|stream| !stream.is_used_up()).count();
    }

    /// The next row; none at the end.
    pub fn peek(&self) -> Option<&Row> {
        let Reverse((_, index)) = self.heads.peek()?;
        self.streams[*index].next.as_ref()
    }

    /// Whether the streams that were added last have rows left.
    pub fn has_newest(&self) -> bool {
        self.newest_left > 0
    }

    /// Gives the next row with its stream's index and its `seq`.
    ///
    /// # Errors
    /// If rows that lie on the disk cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<(usize, u64, Row)>> {
        let Some(Reverse((_, index))) = self.heads.pop() else {
            return Ok(None);
        };
        let stream = &mut self.streams[index];
        let Some((seq, row)) = stream.pop()? else {
            return Ok(None);
        };
        match &stream.next {
            Some(next) => self.heads.push(Reverse((next.at, index))),
            None => self.newest_left -= usize::from(index >= self.newest),
        }
        Ok(Some((index, seq, row)))
    }
}

#[cfg(test)]
mod tests {
    use domain::Reject;
    use proptest::prelude::*;

    use super::*;
    use crate::samples::still_trip;
    use crate::sort::{MemoryLimit, SortConfig, Sorter};

    /// A file whose rows departed at these times; `None` is a reject.
    fn stream(name: &str, departures: &[Option<i64>]) -> RowStream {
        let mut sorter = Sorter::new(SortConfig {
            buffer_bytes: usize::MAX,
            memory: Some(MemoryLimit::new(usize::MAX)),
            folder: "never-written".into(),
            prefix: name.to_owned(),
        });
        let mut names = Names::default();
        for departure in departures {
            match departure {
                Some(at) => sorter.push(still_trip(&mut names, *at)).unwrap(),
                None => sorter
                    .push_reject(Reject::new(name, 1, "no trip", ""))
                    .unwrap(),
            }
        }
        let table = Table {
            names,
            counts: sorter.counts,
            rows: sorter.finish().unwrap(),
            hash: xxhash_rust::xxh3::xxh3_64(name.as_bytes()),
            sample: crate::sample::Sample::default(),
        };
        RowStream::file(name, table, Path::new("never-written")).unwrap()
    }

    proptest! {
        #[test]
        fn merged_rows_are_ordered_and_numbered_without_gaps_and_none_is_lost(
            files in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.9, 0_i64..50), 0..30), 0..5,
            ),
        ) {
            let streams = files.iter().enumerate().map(|(i, file)| stream(&i.to_string(), file));
            let streams: Vec<_> = streams.collect();
            let totals: Vec<_> = streams.iter().map(|stream| stream.total().unwrap()).collect();
            let mut merged = Merged::default();
            merged.add(streams);
            let mut next_seqs = vec![0; files.len()];
            let mut last = None;
            while let Some((source, seq, row)) = merged.next_row().unwrap() {
                prop_assert!(row.at >= last);
                last = row.at;
                prop_assert_eq!(seq, next_seqs[source]);
                next_seqs[source] += 1;
            }
            let rows: Vec<_> = files.iter().map(|file| file.len() as u64).collect();
            prop_assert_eq!(&next_seqs, &rows);
            prop_assert_eq!(totals, rows);
            prop_assert!(!merged.has_newest());
        }
    }
}
