//! What benchmarks make of their rounds.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::json;

/// The environment variable that names a file for figures: a line of JSON each.
const FILE: &str = "BIKESHARE_FIGURES";

/// The one in the middle.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that this share of the values (0 to 1) does not exceed.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a vector"
    )]
    let index = (values.len() as f64 * share) as usize;
    values[index.min(values.len() - 1)]
}

/// One thing, measured once a round.
#[derive(Debug, Clone)]
pub struct Figure {
    group: &'static str,
    name: String,
    unit: &'static str,
    trips: Option<u64>,
    rounds: Vec<f64>,
}

impl Figure {
    /// Figures of one group and unit can be compared with one another.
    pub fn new(
        group: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        rounds: Vec<f64>,
    ) -> Self {
        Self {
            group,
            name: name.into(),
            unit,
            trips: None,
            rounds,
        }
    }

    /// Of how many trips it is.
    #[must_use]
    pub fn of(mut self, trips: u64) -> Self {
        self.trips = Some(trips);
        self
    }

    /// Keeps it for the page of figures, if one is being made.
    pub fn record(&self) {
        let Some(path) = std::env::var_os(FILE) else {
            return;
        };
        let line = json!({
            "group": self.group,
            "name": self.name,
            "unit": self.unit,
            "trips": self.trips,
            "median": median(&self.rounds),
            "least": self.least(),
            "most": self.most(),
            "rounds": self.rounds,
        });
        let file = OpenOptions::new().append(true).create(true).open(path);
        writeln!(file.unwrap(), "{line}").unwrap();
    }

    fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.rounds
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let middle = median(&self.rounds);
        write!(f, "{middle:.0} {}", self.unit)?;
        if self.rounds.len() > 1 {
            write!(f, " ({:.0} to {:.0})", self.least(), self.most())?;
        }
        Ok(())
    }
}
