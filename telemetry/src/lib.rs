//! How a role is watched: metrics for Prometheus, and whether it is well.
//!
//! ```text
//! role ── state ──▶ [`Role`] ──▶ GET /metrics   OpenMetrics text
//!                           ├──▶ GET /healthz   200, or 503 and a line for each thing that has stopped
//!                           └──▶ GET /readyz    200, or 503 and a line for each thing waited for
//! ```
//!
//! Names are `bikeshare_<role>_<what>[_<unit>]`: base units (seconds, bytes), `_total` for what only
//! grows. What is counted stays where it is counted, and is read at each scrape.

mod metric;
mod server;
mod text;

pub use metric::{Label, Metric, Sample, Value};
pub use server::{Serving, ServingError, serve};
pub use text::text;

/// A role, as those who run it see it. Read at each request, from any thread.
pub trait Role: Send + Sync {
    /// The word in the names of its metrics, such as `sink`.
    fn name(&self) -> &'static str;

    /// Everything it counts and measures now; no more than about 40 samples with three partitions.
    fn metrics(&self) -> Vec<Metric>;

    /// What has stopped or fails, a line each; none if it is well.
    fn failures(&self) -> Vec<String>;

    /// What it still waits for before it does its work, a line each; none if it does.
    fn waits(&self) -> Vec<String>;
}
