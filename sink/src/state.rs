//! What a running sink shows: where each stream stands, and the city's clock.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::module::Module;
use crate::stream_key::StreamKey;

/// Everything the sink shows at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkState {
    /// Who shares the partitions.
    pub membership: MembershipState,
    /// One entry a partition and module, also of those that other sinks own; empty until the topic has
    /// been found.
    pub streams: BTreeMap<(u32, Module), StreamState>,
    /// Where each partition's log ends; empty until it has been looked at.
    pub log_ends: BTreeMap<u32, LogEnd>,
    /// What the app reads.
    pub availability: AvailabilityState,
}

/// This process among the sinks of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipState {
    /// Its name.
    pub member: String,
    /// Whether a heartbeat has been sent.
    pub is_joined: bool,
    /// Which member owns a partition; without those that nobody does.
    pub owners: BTreeMap<u32, String>,
    /// How often the partitions that this process owns have changed.
    pub rebalances: u64,
    /// Why the last heartbeat could not be sent.
    pub last_error: Option<String>,
}

impl MembershipState {
    /// Partitions that this process owns.
    #[must_use]
    pub fn owned(&self) -> usize {
        let owners = self.owners.values();
        owners.filter(|owner| **owner == self.member).count()
    }

    fn is_owned_elsewhere(&self, partition: u32) -> bool {
        let owner = self.owners.get(&partition);
        owner.is_some_and(|owner| *owner != self.member)
    }
}

/// Where a partition's log ends, looked at every few seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// The offset after its last record.
    pub offset: i64,
    /// Event time of the last record seen there that has one.
    pub at: Option<DateTime<Utc>>,
}

/// Where one stream stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Whether it moves.
    pub status: StreamStatus,
    /// Everything before it is in the tables.
    pub next_offset: i64,
    /// Added to an offset of the log it gives the offset in ids.
    pub id_shift: i64,
    /// Everything before it has been read, but has given no output since: `dock-window` says
    /// nothing about records that neither close a window nor move the clock by a tick. Known only
    /// after the stream has been silent for a while.
    pub quiet_until: i64,
    /// End of the committed log, as far as the sink knows.
    pub high_watermark: i64,
    /// Newest departure or tick stored.
    pub watermark: Option<DateTime<Utc>>,
    /// Rows written by this process: events, or windows.
    pub rows: u64,
    /// Rejects written by this process.
    pub rejects: u64,
    /// Resent records dropped by this process.
    pub duplicates: u64,
    /// Departures that came to this process after their window had closed.
    pub late_events: u64,
    /// How often a stream was opened.
    pub opened: u64,
    /// Sessions that ended with an error and were tried again.
    pub retries: u64,
    /// Transactions of rows and cursor.
    pub commits: u64,
    /// Time in these transactions.
    pub writing: Duration,
    /// Version of the SmartModule that runs.
    pub module_version: String,
    /// The last error, with its causes.
    pub last_error: Option<String>,
}

/// Whether a stream moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StreamStatus {
    /// Another sink owns the partition, or nobody yet.
    #[default]
    Unassigned,
    /// Not opened yet.
    Starting,
    /// Open.
    Running,
    /// Waits to retry after an error.
    Retrying,
    /// Stopped by an error that a retry cannot mend.
    Failed,
    /// Stopped because the sink was stopped.
    Stopped,
}

/// What the availability task shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AvailabilityState {
    /// Whether this process is the one that publishes.
    pub publishes: bool,
    /// The published clock: "now" in the app.
    pub clock: Option<DateTime<Utc>>,
    /// Number of the last publish.
    pub version: i64,
    /// Docks shown.
    pub docks: usize,
    /// By partition: all rows whose ids have offsets before it are in what is published.
    pub next_offsets: BTreeMap<u32, i64>,
    /// Rows of `records` taken in by this process.
    pub events: u64,
    /// From when on the past that is stored is not right; it is being made anew.
    pub past_stale_from: Option<DateTime<Utc>>,
    /// Rows that were older than they are kept, dropped by this process.
    pub rows_dropped: u64,
    /// The last error, with its causes.
    pub last_error: Option<String>,
}

/// The entry of one stream in the shared state, written by its task alone.
pub(crate) struct StreamEntry {
    key: (u32, Module),
    state: watch::Sender<SinkState>,
}

impl StreamEntry {
    pub(crate) fn new(key: &StreamKey, state: watch::Sender<SinkState>) -> Self {
        let entry = Self {
            key: (key.partition, key.module),
            state,
        };
        entry.update(|_| ());
        entry
    }

    /// What it is now.
    pub(crate) fn read(&self) -> StreamState {
        let state = self.state.borrow();
        state.streams.get(&self.key).cloned().unwrap_or_default()
    }

    /// Changes it; receivers are woken if it differs then.
    pub(crate) fn update(&self, change: impl FnOnce(&mut StreamState)) {
        self.state.send_if_modified(|state| {
            let stream = state.streams.entry(self.key).or_default();
            let before = stream.clone();
            change(stream);
            before != *stream
        });
    }
}

impl StreamState {
    /// Whether the stream runs, so that its cursor was found to be of this log, and is at `end`. What
    /// runs elsewhere was found so there.
    fn is_at(&self, end: i64, is_owned_elsewhere: bool) -> bool {
        match self.status {
            StreamStatus::Running => self.next_offset.max(self.quiet_until) >= end,
            StreamStatus::Unassigned => is_owned_elsewhere && self.next_offset >= end,
            _ => false,
        }
    }
}

impl SinkState {
    /// Whether everything before `ends` is stored and shown.
    ///
    /// True when each partition's streams run on this log, here or in another sink, have committed or silently passed over
    /// all up to the partition's end in `ends` (see [`crate::log_ends`]), all rows are in what is
    /// published, and the published clock has reached the city's, the least watermark. What another
    /// sink publishes is known by its clock only.
    #[must_use]
    pub fn drained_to(&self, ends: &BTreeMap<u32, i64>) -> bool {
        let stored = ends.iter().all(|(partition, end)| {
            let is_elsewhere = self.membership.is_owned_elsewhere(*partition);
            let reached = |module| {
                let stream = self.streams.get(&(*partition, module));
                stream.is_some_and(|stream| stream.is_at(*end, is_elsewhere))
            };
            Module::ALL.into_iter().all(reached)
        });
        stored
            && self.has_published_rows()
            && self
                .clock()
                .is_none_or(|clock| self.availability.clock >= Some(clock))
    }

    /// Whether the docks were counted with all rows: several counts may be of one instant, so that
    /// the clock alone does not show it.
    fn has_published_rows(&self) -> bool {
        let published = |partition| self.availability.next_offsets.get(partition).copied();
        let splits = self.streams.iter();
        let mut splits = splits.filter(|((_, module), _)| *module == Module::TripSplit);
        !self.availability.publishes
            || splits.all(|((partition, _), stream)| {
                published(partition).unwrap_or(0) >= stream.next_offset + stream.id_shift
            })
    }

    /// The city's clock: the least watermark; none while a partition has none.
    #[must_use]
    pub fn clock(&self) -> Option<DateTime<Utc>> {
        let streams = self
            .streams
            .iter()
            .filter(|((_, module), _)| *module == Module::TripSplit);
        streams.map(|(_, stream)| stream.watermark).min().flatten()
    }

    /// Whether a stream has failed for good.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.streams
            .values()
            .any(|stream| stream.status == StreamStatus::Failed)
    }

    /// Whether all streams have failed for good, those of all partitions.
    pub(crate) fn all_failed(&self) -> bool {
        let mut streams = self.streams.values();
        streams.all(|stream| stream.status == StreamStatus::Failed)
    }

    /// Rows of `records` written by this process.
    #[must_use]
    pub fn records(&self) -> u64 {
        let streams = self
            .streams
            .iter()
            .filter(|((_, module), _)| *module == Module::TripSplit);
        streams.map(|(_, stream)| stream.rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(clock: &str) -> SinkState {
        let at = |text: &str| Some(text.parse().unwrap());
        let stream = StreamState {
            status: StreamStatus::Running,
            next_offset: 10,
            watermark: at("2020-03-01T05:00:05Z"),
            ..StreamState::default()
        };
        let streams = Module::ALL
            .map(|module| ((0, module), stream.clone()))
            .into();
        let availability = AvailabilityState {
            clock: at(clock),
            ..AvailabilityState::default()
        };
        SinkState {
            streams,
            availability,
            ..SinkState::default()
        }
    }

    #[test]
    fn drained_means_stored_by_both_modules_and_shown() {
        let ends = BTreeMap::from([(0, 10)]);
        assert!(state("2020-03-01T05:00:05Z").drained_to(&ends));
        assert!(
            !state("2020-03-01T05:00:00Z").drained_to(&ends),
            "the clock lags behind"
        );
        assert!(!state("2020-03-01T05:00:05Z").drained_to(&BTreeMap::from([(0, 11)])));
        assert!(!state("2020-03-01T05:00:05Z").drained_to(&BTreeMap::from([(0, 10), (1, 0)])));
    }

    #[test]
    fn what_another_sink_stores_is_drained_when_its_cursor_is_at_the_end() {
        let mut state = state("2020-03-01T05:00:05Z");
        let ends = BTreeMap::from([(0, 10)]);
        for stream in state.streams.values_mut() {
            stream.status = StreamStatus::Unassigned;
        }
        assert!(!state.drained_to(&ends), "nobody owns it");
        state.membership.owners.insert(0, "other".to_owned());
        assert!(state.drained_to(&ends));
        assert!(!state.drained_to(&BTreeMap::from([(0, 11)])));
    }

    #[test]
    fn what_is_published_has_all_rows_though_the_clock_stands_still() {
        let mut state = state("2020-03-01T05:00:05Z");
        state.availability.publishes = true;
        let ends = BTreeMap::from([(0, 10)]);
        state.availability.next_offsets.insert(0, 9);
        assert!(!state.drained_to(&ends));
        state.availability.next_offsets.insert(0, 10);
        assert!(state.drained_to(&ends));
    }

    #[test]
    fn a_cursor_beyond_the_end_is_drained_only_if_its_stream_runs_on_this_log() {
        let mut state = state("2020-03-01T05:00:05Z");
        let ends = BTreeMap::from([(0, 3)]);
        assert!(state.drained_to(&ends), "others have written more since");
        for stream in state.streams.values_mut() {
            stream.status = StreamStatus::Retrying;
        }
        assert!(!state.drained_to(&ends));
    }
}
