//! What was given to the producer: the checker's own reading of the trip file.
//!
//! Simpler than the product's, and enough for the files of the simulated city: a row is a line, all
//! times lie in New York's summer, and a row is good or has one of two flaws.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::{Datelike as _, NaiveDateTime};

/// New York's summer time behind UTC, in µs.
const BEHIND_UTC: i64 = 4 * 3_600 * 1_000_000;
const FIELDS: usize = 15;

/// A trip as its row says; times in µs since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trip {
    pub(crate) departed: i64,
    pub(crate) from: String,
    pub(crate) arrived: i64,
    pub(crate) to: String,
    pub(crate) bike: String,
}

/// Every row of a file, as what it must become.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    /// In the order of the file.
    pub(crate) trips: Vec<Trip>,
    /// Line, counted from 1, and text of each row that cannot be a trip.
    pub(crate) bad: Vec<(i64, String)>,
}

impl Ledger {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("could not read {path:?}"))?;
        let mut ledger = Self::default();
        for (line, row) in (1..).zip(text.lines()).skip(1) {
            match trip(row)? {
                Some(trip) => ledger.trips.push(trip),
                None => ledger.bad.push((line, row.to_owned())),
            }
        }
        Ok(ledger)
    }
}

fn trip(row: &str) -> Result<Option<Trip>> {
    let fields: Vec<_> = row
        .split(',')
        .map(|field| field.trim_matches('"'))
        .collect();
    let is_whole = fields.len() == FIELDS && fields.iter().all(|field| !field.is_empty());
    if !is_whole {
        return Ok(None);
    }
    Ok(Some(Trip {
        departed: micros(fields[1])?,
        from: fields[3].to_owned(),
        arrived: micros(fields[2])?,
        to: fields[7].to_owned(),
        bike: fields[11].to_owned(),
    }))
}

fn micros(local: &str) -> Result<i64> {
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S%.f")?;
    ensure!((4..11).contains(&local.month()), "{local} is not in summer");
    Ok(local.and_utc().timestamp_micros() + BEHIND_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_trip_in_utc_or_bad() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trips.csv");
        let good = "600,\"2026-06-01 00:00:13.4950\",\"2026-06-01 00:10:13.6730\",1460,\"E 43 St\",40.7,-73.9,1483,\"E 58 St\",40.7,-73.9,21491,\"Subscriber\",1969,0";
        let (cut, nowhere) = (good.get(..70).unwrap(), good.replace("1483", ""));
        std::fs::write(&file, format!("header\n{good}\n{cut}\n{nowhere}\n")).unwrap();
        let ledger = Ledger::read(&file).unwrap();
        let departed = "2026-06-01T04:00:13.495Z".parse::<chrono::DateTime<chrono::Utc>>();
        let expected = Trip {
            departed: departed.unwrap().timestamp_micros(),
            from: "1460".to_owned(),
            arrived: departed.unwrap().timestamp_micros() + 600_178_000,
            to: "1483".to_owned(),
            bike: "21491".to_owned(),
        };
        assert_eq!(ledger.trips, [expected]);
        assert_eq!(ledger.bad, [(3, cut.to_owned()), (4, nowhere)]);
    }
}
