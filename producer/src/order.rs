//! Rows of all sources in one order: by departure.
//!
//! ```text
//!  file a ─ ordered in memory ─┐
//!  file b ─ ordered in memory ─┼─ merged by departure ─▶ (feed, seq, row)
//!  city   ─ made in order ─────┘
//! ```
//!
//! Within a source rows are numbered in this order, from 0, without gaps: a row's `seq` is the same
//! in every run. Not here: ordering a file that does not fit in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use domain::Reject;

use crate::compact::{CompactTrip, Names};
use crate::simulate::City;
use crate::source::{Table, TableRow};

/// The rows of one source, ordered by departure.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The source's name, as it stands in its records.
    pub(crate) source: String,
    rows: FeedRows,
    next_seq: u64,
    /// The row to give next.
    next: Option<Row>,
}

#[derive(Debug)]
enum FeedRows {
    Table { table: Box<Table>, next: usize },
    City(Box<City>),
}

/// A row and when it departed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Microseconds since 1970; [`i64::MIN`] for a reject before the first good row.
    pub(crate) at: i64,
    pub(crate) content: Content,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// A trip.
    Trip(CompactTrip),
    /// A row that is no trip.
    Reject(Box<Reject>),
}

impl Feed {
    /// The rows of a file.
    pub(crate) fn table(file: &str, table: Table) -> Self {
        let source = format!("{file}#{:016x}", table.hash);
        Self::new(
            source,
            FeedRows::Table {
                table: Box::new(table),
                next: 0,
            },
        )
    }

    /// The rows of a simulated city.
    pub(crate) fn city(city: City) -> Self {
        Self::new(city.source_name(), FeedRows::City(Box::new(city)))
    }

    fn new(source: String, rows: FeedRows) -> Self {
        let mut feed = Self {
            source,
            rows,
            next_seq: 0,
            next: None,
        };
        feed.next = feed.rows.next();
        feed
    }

    /// How many rows there are in all, where that is known before they are made.
    pub(crate) fn total(&self) -> Option<u64> {
        match &self.rows {
            FeedRows::Table { table, .. } => Some(table.rows.len() as u64),
            FeedRows::City(city) => city.total(),
        }
    }

    /// The texts the feed's trips point to.
    pub(crate) fn names(&self) -> &Names {
        match &self.rows {
            FeedRows::Table { table, .. } => &table.names,
            FeedRows::City(city) => city.names(),
        }
    }

    fn pop(&mut self) -> Option<(u64, Row)> {
        let row = self.next.take()?;
        self.next = self.rows.next();
        let seq = self.next_seq;
        self.next_seq += 1;
        Some((seq, row))
    }
}

impl FeedRows {
    fn next(&mut self) -> Option<Row> {
        match self {
            Self::City(city) => city.next(),
            Self::Table { table, next } => {
                let row = table.rows.get(*next)?;
                *next += 1;
                let content = match row {
                    TableRow::Trip(trip) => Content::Trip(*trip),
                    TableRow::Reject { index, .. } => {
                        Content::Reject(Box::new(table.rejects[*index as usize].clone()))
                    }
                };
                Some(Row {
                    at: row.at(),
                    content,
                })
            }
        }
    }
}

/// All feeds in one order; the earlier feed first among rows that departed together.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) feeds: Vec<Feed>,
    heads: BinaryHeap<Reverse<(i64, usize)>>,
}

impl Merged {
    pub(crate) fn new(feeds: Vec<Feed>) -> Self {
        let head = |(index, feed): (usize, &Feed)| Some(Reverse((feed.next.as_ref()?.at, index)));
        let heads = feeds.iter().enumerate().filter_map(head).collect();
        Self { feeds, heads }
    }

    /// Gives the next row with its feed's index and its `seq`.
    pub(crate) fn next(&mut self) -> Option<(usize, u64, Row)> {
        let Reverse((_, index)) = self.heads.pop()?;
        let feed = &mut self.feeds[index];
        let (seq, row) = feed.pop()?;
        if let Some(next) = &feed.next {
            self.heads.push(Reverse((next.at, index)));
        }
        Some((index, seq, row))
    }

    /// How many rows there are in all, where every feed knows.
    pub(crate) fn total(&self) -> Option<u64> {
        self.feeds.iter().map(Feed::total).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table whose rows departed at these times; `None` is a reject.
    fn feed(name: &str, departures: &[Option<i64>]) -> Feed {
        let mut table = Table {
            hash: xxhash_rust::xxh3::xxh3_64(name.as_bytes()),
            ..Table::default()
        };
        let mut last = i64::MIN;
        for departure in departures {
            last = departure.unwrap_or(last);
            table.rows.push(TableRow::Reject { at: last, index: 0 });
        }
        table.rejects.push(Reject::new(name, 1, "no trip", ""));
        table.rows.sort_by_key(TableRow::at);
        Feed::table(name, table)
    }

    proptest! {
        #[test]
        fn merged_rows_are_ordered_and_numbered_without_gaps_and_none_is_lost(
            files in prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.9, 0_i64..50), 0..30), 0..5,
            ),
        ) {
            let feeds = files.iter().enumerate().map(|(i, file)| feed(&i.to_string(), file));
            let mut merged = Merged::new(feeds.collect());
            prop_assert_eq!(merged.total(), Some(files.iter().map(Vec::len).sum::<usize>() as u64));
            let mut next_seqs = vec![0; files.len()];
            let mut last = i64::MIN;
            while let Some((source, seq, row)) = merged.next() {
                prop_assert!(row.at >= last);
                last = row.at;
                prop_assert_eq!(seq, next_seqs[source]);
                next_seqs[source] += 1;
            }
            let rows: Vec<_> = files.iter().map(|file| file.len() as u64).collect();
            prop_assert_eq!(next_seqs, rows);
        }
    }
}
