//! What `up --once` has done, as one line of JSON.

use std::time::Duration;

use anyhow::{Context, Result};
use producer::Summary;
use serde::Serialize;

use crate::addresses::connect_database;
use crate::counts::Counts;

/// Counts of this run (first three) and of the tables after it.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// Rows of the source: `produced + rejected`.
    rows_read: u64,
    /// Trips sent to the topic, by this run or one before.
    produced: u64,
    /// Rows that could not become trips; they are on the topic too.
    rejected: u64,
    records: i64,
    locations: i64,
    windows: i64,
    departures: i64,
    /// Of `produced + rejected`, those an earlier run had sent.
    already_produced: u64,
    /// Seconds from the first row read to everything stored and shown.
    wall_s: f64,
}

impl Outcome {
    /// Reads the tables' counts.
    pub(super) async fn read(summary: &Summary, wall: Duration, url: &str) -> Result<Self> {
        let counts = Counts::read(&mut connect_database(url).await?).await?;
        let wall_s = (wall.as_secs_f64() * 1000.0).round() / 1000.0;
        Ok(Self {
            rows_read: summary.rows_read,
            produced: summary.produced,
            rejected: summary.rejected,
            already_produced: summary.already_produced,
            records: counts.records,
            locations: counts.locations,
            windows: counts.windows,
            departures: counts.departures,
            wall_s,
        })
    }

    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).context("could not write the counts as JSON")
    }
}
