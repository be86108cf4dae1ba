//! How much the tables hold.

use anyhow::{Context, Result};
use sqlx::PgConnection;

/// Rows and sums of the tables, read in one statement and so of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events: departures and arrivals.
    pub(crate) records: i64,
    /// Stations.
    pub(crate) locations: i64,
    /// Windows with a departure, over all partitions.
    pub(crate) windows: i64,
    /// Departures in the windows.
    pub(crate) departures: i64,
    /// Rows that could not be used.
    pub(crate) rejected: i64,
}

const COUNTS: &str = "\
    select (select count(*) from records) as records, \
           (select count(*) from location) as locations, \
           (select count(distinct time) from frequency) as windows, \
           (select coalesce(sum(amount), 0)::bigint from frequency) as departures, \
           (select count(*) from rejected) as rejected";

impl Counts {
    /// Counts; takes about 0.1 s per million events.
    ///
    /// # Errors
    /// If Postgres does not respond or the tables are not there.
    pub(crate) async fn read(database: &mut PgConnection) -> Result<Self> {
        let counts = sqlx::query_as(COUNTS).fetch_one(database).await;
        let counts = counts.context("could not count the tables' rows")?;
        let (records, locations, windows, departures, rejected) = counts;
        Ok(Self {
            records,
            locations,
            windows,
            departures,
            rejected,
        })
    }
}
