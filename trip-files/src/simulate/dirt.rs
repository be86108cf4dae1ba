//! Rows that are broken on purpose.

use domain::Reject;
use domain::csv::Columns;

use super::config::SimulateConfig;
use super::csv_row::{HEADER, write_row};
use super::map::Map;
use super::random::Random;
use super::ride::Ride;

/// Breaks some rows, if asked to; has its own random numbers, so that the others stay as they are.
#[derive(Debug)]
pub(super) struct Dirt {
    random: Random,
    /// Rows to break, of a million.
    per_million: u64,
    file: String,
}

/// A way to break a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum DirtKind {
    /// The arrival's station id is missing, as for a bike left in the street.
    NoArrival,
    /// The row ends in the middle of a quoted name.
    Cut,
}

impl Dirt {
    pub(super) fn new(config: &SimulateConfig) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the share is at most one half"
        )]
        let per_million = (config.dirty * 1_000_000.0) as u64;
        Self {
            random: Random::new(!config.seed),
            per_million,
            file: config.source_name(),
        }
    }

    /// How to break the next row; usually not at all.
    pub(super) fn kind(&mut self) -> Option<DirtKind> {
        if self.per_million == 0 || self.random.below(1_000_000) >= self.per_million {
            return None;
        }
        Some(if self.random.percent(50) {
            DirtKind::NoArrival
        } else {
            DirtKind::Cut
        })
    }

    /// Breaks the ride's row, the `number`th from 1, and gives the reject it becomes.
    pub(super) fn reject(&mut self, ride: &Ride, map: &Map, number: u64) -> Option<Reject> {
        let kind = self.kind()?;
        let mut row = String::new();
        write_row(&mut row, ride, map);
        let row = kind.spoil(&row);
        let record: csv::StringRecord = row.split(',').map(|f| f.trim_matches('"')).collect();
        let header: csv::StringRecord = HEADER.split(',').map(|f| f.trim_matches('"')).collect();
        let columns = Columns::from_header(&header).expect("the header is of a known generation");
        let error = columns.parse_row(&record, &self.file, number + 1).err()?;
        Some(error.into_reject(&row))
    }
}

impl DirtKind {
    /// The row, broken.
    pub(super) fn spoil(self, row: &str) -> String {
        let mut fields: Vec<_> = row.split(',').collect();
        match self {
            Self::NoArrival => fields[7] = "",
            Self::Cut => {
                fields.truncate(9);
                let name = fields[8].trim_end_matches('"');
                fields[8] = name;
            }
        }
        fields.join(",")
    }
}
