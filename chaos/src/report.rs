//! How often each fault hit each part, and how soon rows were committed again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::plan::Fault;

/// All that was done to the parts.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: BTreeMap<(&'static str, &'static str), Row>,
}

#[derive(Debug, Default)]
struct Row {
    count: u32,
    recoveries: Vec<Duration>,
}

/// A line of the table; recoveries in s.
#[derive(Debug, Serialize)]
struct Line {
    fault: &'static str,
    part: &'static str,
    count: u32,
    /// How many of them were timed: one that the next fault overtook was not.
    timed: usize,
    recovery_median_s: Option<f64>,
    recovery_worst_s: Option<f64>,
}

impl Report {
    /// Counts a fault, with its recovery if that was timed.
    pub(crate) fn add(&mut self, fault: Fault, recovery: Option<Duration>) {
        let row = self.rows.entry((fault.kind(), fault.target())).or_default();
        row.count += 1;
        row.recoveries.extend(recovery);
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        self.rows.iter().map(|((fault, part), row)| {
            let mut sorted = row.recoveries.clone();
            sorted.sort_unstable();
            let seconds = |recovery: &Duration| recovery.as_millis() as f64 / 1_000.0;
            Line {
                fault,
                part,
                count: row.count,
                timed: sorted.len(),
                recovery_median_s: sorted.get(sorted.len() / 2).map(seconds),
                recovery_worst_s: sorted.last().map(seconds),
            }
        })
    }

    /// The table as JSON, beside what else is known of the run.
    pub(crate) fn to_json(&self, run: &serde_json::Value) -> serde_json::Value {
        let lines: Vec<_> = self.lines().collect();
        serde_json::json!({ "run": run, "faults": lines })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "fault    part             count  timed  median s  worst s"
        )?;
        for line in self.lines() {
            let seconds =
                |it: Option<f64>| it.map_or_else(|| "-".to_owned(), |it| format!("{it:.2}"));
            let (median, worst) = (
                seconds(line.recovery_median_s),
                seconds(line.recovery_worst_s),
            );
            let Line {
                fault,
                part,
                count,
                timed,
                ..
            } = line;
            writeln!(
                f,
                "{fault:8} {part:16} {count:5}  {timed:5}  {median:>8}  {worst:>7}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Part;

    #[test]
    fn faults_are_counted_and_their_recoveries_summed_up() {
        let mut report = Report::default();
        for seconds in [Some(3), None, Some(1), Some(9)] {
            report.add(Fault::Kill(Part::Sink), seconds.map(Duration::from_secs));
        }
        let text = report.to_string();
        let line = text.lines().nth(1).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["kill", "-9", "sink", "4", "3", "3.00", "9.00"]);
    }
}
