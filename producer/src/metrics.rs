//! What a producer shows to those who run it.

use telemetry::{Metric, Role};
use tokio::sync::watch;
use trip_files::Progress;

/// The producer as a role that is watched; give it a receiver of the progress that [`crate::run`] writes.
#[derive(Debug, Clone)]
pub struct ProducerRole(pub watch::Receiver<Progress>);

impl Role for ProducerRole {
    fn name(&self) -> &'static str {
        "producer"
    }

    fn metrics(&self) -> Vec<Metric> {
        let progress = self.0.borrow();
        vec![
            Metric::count(
                "rows_read",
                "Rows taken from the source, those an earlier run had sent included",
                progress.rows,
            ),
            Metric::count(
                "rows_confirmed",
                "Rows that the topic has confirmed to this run",
                progress.confirmed,
            ),
            Metric::count(
                "rows_rejected",
                "Rows that are no trip, and are on the topic as rejects",
                progress.rejected,
            ),
            Metric::count(
                "rows_already_produced",
                "Rows that an earlier run had sent",
                progress.already_produced,
            ),
            Metric::gauge(
                "source_rows",
                "Rows of the source in all, where that is known",
                progress.total.map(|rows| rows as f64),
            ),
            Metric::gauge(
                "clock_timestamp_seconds",
                "Departure that the replay has reached, in seconds since 1970",
                progress
                    .clock
                    .map(|clock| clock.timestamp_micros() as f64 / 1e6),
            ),
        ]
    }

    /// A producer that cannot go on ends, and its program with it.
    fn failures(&self) -> Vec<String> {
        Vec::new()
    }

    fn waits(&self) -> Vec<String> {
        let has_begun = self.0.borrow().rows > 0;
        let waiting = (!has_begun).then(|| "producer: no row is read yet".to_owned());
        waiting.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_is_ready_with_its_first_row() {
        let (sender, progress) = watch::channel(Progress::default());
        let role = ProducerRole(progress);
        assert_eq!(role.waits(), ["producer: no row is read yet"]);
        sender.send_modify(|progress| progress.rows = 1);
        assert!(role.waits().is_empty());
        assert_eq!(
            role.metrics()[0],
            Metric::count("rows_read", role.metrics()[0].help, 1)
        );
    }
}
