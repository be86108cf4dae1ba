//! A line in the log for each route, so that a long run is seen to go on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use crate::counts::{AllCounts, Counts};

/// Logs rate and lag of each route, regularly and for ever.
pub(crate) async fn regularly(counts: &AllCounts, every: Duration) -> Infallible {
    let mut copied = vec![0; counts.routes().len()];
    loop {
        tokio::time::sleep(every).await;
        let routes = counts.routes();
        for ((route, counts), last) in routes.iter().zip(&mut copied) {
            let progress = RouteTotals::of(&counts.partitions);
            let rate = (progress.copied - *last) / every.as_secs().max(1);
            *last = progress.copied;
            info!(
                route,
                copied = progress.copied,
                lag_records = progress.lag,
                "{route}: {rate} records/s, {} behind, {} of {} partitions connected",
                progress.lag,
                progress.connected,
                counts.partitions.len()
            );
        }
    }
}

/// Sums over a route's partitions.
#[derive(Debug, Default)]
struct RouteTotals {
    copied: u64,
    lag: i64,
    connected: usize,
}

impl RouteTotals {
    fn of(partitions: &[Arc<Counts>]) -> Self {
        partitions.iter().fold(Self::default(), |sum, counts| {
            let standing = counts.standing_now();
            Self {
                copied: sum.copied + counts.summary().copied,
                lag: sum.lag + standing.lag().unwrap_or_default(),
                connected: sum.connected + usize::from(standing.outage().is_none()),
            }
        })
    }
}
