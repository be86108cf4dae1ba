//! What audits that go on and on show to those who run them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use telemetry::{Metric, Role, Value};
use tokio::sync::watch;

use super::Finding;

/// The last audit, and why there is no newer one.
#[derive(Debug, Clone, Default)]
pub struct AuditState {
    /// What the last one found; empty before it.
    pub findings: Vec<Finding>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub took: Duration,
    /// Why the next one could not be made.
    pub error: Option<String>,
}

/// The audit as a role that is watched.
#[derive(Debug, Clone)]
pub struct AuditRole(pub watch::Receiver<AuditState>);

impl Role for AuditRole {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn metrics(&self) -> Vec<Metric> {
        let state = self.0.borrow();
        let violations = state.findings.iter().map(|finding| {
            let labels = vec![("law", finding.law.name.to_owned())];
            (labels, Value::Gauge(finding.violations as f64))
        });
        vec![
            Metric::labelled(
                "violations",
                "What breaks a law of the tables, by the last audit",
                violations,
            ),
            Metric::gauge(
                "finished_timestamp_seconds",
                "When the last audit ended, in seconds since 1970",
                state.finished_at.map(|at| at.timestamp() as f64),
            ),
            Metric::gauge(
                "duration_seconds",
                "How long the last audit took",
                state.finished_at.map(|_| state.took.as_secs_f64()),
            ),
        ]
    }

    fn failures(&self) -> Vec<String> {
        let state = self.0.borrow();
        let broken = state
            .findings
            .iter()
            .filter(|finding| finding.violations > 0);
        let broken = broken.map(
            |Finding {
                 law, violations, ..
             }| { format!("audit: law {} is broken {violations} times", law.name) },
        );
        let error = state.error.iter().map(|error| format!("audit: {error}"));
        broken.chain(error).collect()
    }

    fn waits(&self) -> Vec<String> {
        let is_waiting = self.0.borrow().finished_at.is_none();
        let waiting = is_waiting.then(|| "audit: the first one has not ended yet".to_owned());
        waiting.into_iter().collect()
    }
}
