//! How much was copied, how far each partition is, and what keeps it from going on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::route::Route;

/// Counts of a run, over all its routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records stored on the other side and known to be there; of a SmartModule, its outputs.
    pub copied: u64,
    /// Source offsets without a record: transaction markers, aborted or compacted records.
    pub passed_over: u64,
    /// Source offsets whose records were deleted before they could be copied.
    pub deleted: u64,
}

/// One partition's counts while they grow, and where it stands.
///
/// Its task writes them; metrics and log lines read them. Atomics, because nothing hangs together.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    copied: AtomicU64,
    passed_over: AtomicU64,
    deleted: AtomicU64,
    retries: AtomicU64,
    /// Also written by the measuring of the source's end. A mutex, held for moments, because its
    /// fields belong together.
    standing: Mutex<Standing>,
}

/// Where a partition stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// The next record's offset in the source; none before the first session.
    pub(crate) next_offset: Option<i64>,
    /// Where the source's log ended when it was last measured.
    pub(crate) end: Option<i64>,
    /// When that was.
    pub(crate) measured_at: Option<Instant>,
    /// Why the last session failed, or that there was none; none while one goes on.
    outage: Option<String>,
    /// Why the source's end could not be measured; a quiet session would not notice.
    unmeasured: Option<String>,
    /// Whether Kafka said that nothing more is there, and no record has come since.
    is_at_end: bool,
    /// Up to here nothing is left to copy: only markers stand between the last record and this.
    caught_up_to: i64,
}

impl Standing {
    /// Source offsets that are still to be copied; none before the first measurement.
    pub(crate) fn lag(&self) -> Option<i64> {
        let next = self.next_offset?.max(self.caught_up_to);
        Some((self.end? - next).max(0))
    }

    /// What keeps the partition from being copied; none while it is connected to both sides.
    pub(crate) fn outage(&self) -> Option<&String> {
        self.outage.as_ref().or(self.unmeasured.as_ref())
    }
}

impl Counts {
    fn starting() -> Self {
        let counts = Self::default();
        counts.standing().outage = Some("not connected yet".to_owned());
        counts
    }

    pub(crate) fn add_copied(&self, records: usize) {
        self.copied.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_passed_over(&self, offsets: i64) {
        self.passed_over
            .fetch_add(offsets.unsigned_abs(), Ordering::Relaxed);
    }

    pub(crate) fn add_deleted(&self, offsets: i64) {
        self.deleted
            .fetch_add(offsets.unsigned_abs(), Ordering::Relaxed);
    }

    /// A session has begun at this source offset.
    pub(crate) fn connected(&self, next_offset: i64) {
        self.moved(next_offset);
        self.standing().outage = None;
    }

    /// All before this source offset is copied.
    pub(crate) fn moved(&self, next_offset: i64) {
        let mut standing = self.standing();
        standing.next_offset = Some(next_offset);
        standing.is_at_end = false;
    }

    /// Kafka has nothing more, and what it had is copied.
    pub(crate) fn reached_end(&self) {
        self.standing().is_at_end = true;
    }

    /// A session has failed and will be tried again.
    pub(crate) fn failed(&self, reason: String) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        self.standing().outage = Some(reason);
    }

    /// The source's log ends here now.
    pub(crate) fn measured(&self, end: i64) {
        let mut standing = self.standing();
        // The end did not move while Kafka had nothing more: what is before it is passed.
        if standing.is_at_end && standing.end == Some(end) {
            standing.caught_up_to = end;
        }
        standing.end = Some(end);
        standing.measured_at = Some(Instant::now());
        standing.unmeasured = None;
    }

    /// Where the source's log ends cannot be told now.
    pub(crate) fn unmeasured(&self, reason: String) {
        self.standing().unmeasured = Some(reason);
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// A copy of where it stands now.
    pub(crate) fn standing_now(&self) -> Standing {
        self.standing().clone()
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            copied: self.copied.load(Ordering::Relaxed),
            passed_over: self.passed_over.load(Ordering::Relaxed),
            deleted: self.deleted.load(Ordering::Relaxed),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One route's partitions, by number, and what keeps their topics from being ready.
#[derive(Debug, Clone)]
pub(crate) struct RouteCounts {
    pub(crate) partitions: Vec<Arc<Counts>>,
    pub(crate) outage: Option<String>,
}

/// The counts of all routes, by `kafka:trips=trips`. Shared with the server of the metrics.
#[derive(Debug, Default)]
pub(crate) struct AllCounts(Mutex<BTreeMap<String, RouteCounts>>);

impl AllCounts {
    pub(crate) fn new(routes: &[Route]) -> Self {
        let starting = RouteCounts {
            partitions: Vec::new(),
            outage: Some("not connected yet".to_owned()),
        };
        let routes = routes.iter().map(|route| route.to_string());
        Self(Mutex::new(
            routes.map(|route| (route, starting.clone())).collect(),
        ))
    }

    /// The route's topics are ready, or what keeps them from it.
    pub(crate) fn prepared(&self, route: &Route, outage: Option<String>) {
        if let Some(found) = self.lock().get_mut(&route.to_string()) {
            found.outage = outage;
        }
    }

    /// The counts of the route's partition, from now on shown.
    pub(crate) fn of(&self, route: &Route, partition: u32) -> Arc<Counts> {
        let mut routes = self.lock();
        let Some(found) = routes.get_mut(&route.to_string()) else {
            return Arc::default();
        };
        let index = partition as usize;
        while found.partitions.len() <= index {
            found.partitions.push(Arc::new(Counts::starting()));
        }
        Arc::clone(&found.partitions[index])
    }

    /// All there is now, by route.
    pub(crate) fn routes(&self) -> Vec<(String, RouteCounts)> {
        let routes = self.lock();
        let routes = routes.iter();
        routes
            .map(|(route, counts)| (route.clone(), counts.clone()))
            .collect()
    }

    /// Of one route.
    pub(crate) fn partitions(&self, route: &Route) -> Vec<Arc<Counts>> {
        let routes = self.lock();
        let found = routes.get(&route.to_string());
        found
            .map(|found| found.partitions.clone())
            .unwrap_or_default()
    }

    /// What is not connected, a line each: `ROUTE/PARTITION: reason`.
    pub(crate) fn outages(&self) -> Vec<String> {
        let mut outages = Vec::new();
        for (route, counts) in self.routes() {
            outages.extend(counts.outage.map(|reason| format!("{route}: {reason}")));
            for (partition, counts) in counts.partitions.iter().enumerate() {
                let standing = counts.standing_now();
                let outage = standing.outage();
                outages.extend(outage.map(|reason| format!("{route}/{partition}: {reason}")));
            }
        }
        outages
    }

    pub(crate) fn summary(&self) -> Summary {
        let routes = self.routes();
        let all = routes.iter().flat_map(|(_, counts)| &counts.partitions);
        all.fold(Summary::default(), |sum, counts| {
            let each = counts.summary();
            Summary {
                copied: sum.copied + each.copied,
                passed_over: sum.passed_over + each.passed_over,
                deleted: sum.deleted + each.deleted,
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RouteCounts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(counts: &Counts) -> Option<i64> {
        counts.standing_now().lag()
    }

    #[test]
    fn lag_is_what_stands_between_the_next_record_and_the_end() {
        let counts = Counts::starting();
        assert_eq!(lag(&counts), None);
        counts.measured(10);
        assert_eq!(lag(&counts), None);
        counts.connected(4);
        assert_eq!(lag(&counts), Some(6));
        // Measured before the last batch.
        counts.moved(12);
        assert_eq!(lag(&counts), Some(0));
    }

    #[test]
    fn a_transaction_marker_at_the_end_is_no_lag_for_long() {
        let counts = Counts::starting();
        counts.connected(9);
        counts.reached_end();
        counts.measured(10);
        assert_eq!(lag(&counts), Some(1));
        counts.measured(10);
        assert_eq!(lag(&counts), Some(0));
        // New records: the old end says nothing about them.
        counts.measured(15);
        assert_eq!(lag(&counts), Some(5));
    }
}
