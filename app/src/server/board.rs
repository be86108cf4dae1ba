//! The docks as the server last read them, and what changed since any version.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::System;
use tokio::time::Instant;

use crate::model::{Database, Delta, Dock, Heartbeat, Moment, Snapshot};
use crate::moment::moment;
use crate::query::docks::{DockRow, Reading, citi_bike};
use crate::query::past::PastRange;

/// All docks in memory: one reading of Postgres serves any number of browsers.
#[derive(Debug)]
pub(crate) struct Board {
    /// Whether Postgres was read since the server began.
    is_read: bool,
    docks: BTreeMap<i32, Entry>,
    version: i64,
    clock: Option<Moment>,
    /// The clock when a dock was last added, renamed, moved or enlarged, or the first e-bike told; at
    /// first, when the board began.
    stations_at: Option<Moment>,
    /// Whether the list of stations changed while the clock stood still. A reader may hold the list of
    /// that instant, so `stations_at` moves on as soon as the clock does.
    stations_due: bool,
    /// When the sink last published, by this machine's clock.
    published: Option<Instant>,
    database: Database,
    /// A line for each of the sink's streams that has stopped.
    failures: Vec<String>,
    system: System,
    /// Which seconds of the past are stored.
    past: Option<PastRange>,
    /// Whether a live feed has told the e-bikes of any dock.
    tells_ebikes: bool,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            is_read: false,
            docks: BTreeMap::new(),
            version: 0,
            clock: None,
            stations_at: None,
            stations_due: false,
            published: None,
            database: Database::default(),
            failures: Vec::new(),
            system: citi_bike(),
            past: None,
            tells_ebikes: false,
        }
    }
}

/// A dock and its station.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As browsers get it.
    pub(crate) dock: Dock,
    /// The operator's id of the station.
    pub(crate) station_id: String,
    /// When a live feed had the station for the last time, if it goes on without it.
    pub(crate) last_seen: Option<DateTime<Utc>>,
    /// When the station last spoke to its operator; browsers do not get it.
    pub(crate) last_reported: Option<DateTime<Utc>>,
    /// Version of the last change that browsers see.
    version: i64,
    /// Version at which this server first saw the dock, or first saw it with this name, place and
    /// capacity.
    known_at: i64,
}

impl Board {
    /// Whether Postgres was read since the server began: before that nothing is known, which is not the
    /// same as that there is nothing.
    #[must_use]
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    /// The last version applied; 0 before the first.
    #[must_use]
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// Whether a reading is from before this board: the database was made anew.
    #[must_use]
    pub(crate) fn is_ahead_of(&self, reading: &Reading) -> bool {
        reading.clock.map_or(0, |clock| clock.version) < self.version
    }

    /// Takes over what changed, and gives it as readers of the previous version need it.
    pub(crate) fn apply(&mut self, reading: Reading) -> Delta {
        let since = self.version;
        let known_at = self.stations_at.clone();
        self.take_clock(&reading);
        for row in reading.docks {
            let version = row.version.max(since + 1);
            let is_news = self.take_dock(DockRow { version, ..row });
            self.stations_due |= is_news && known_at == self.clock;
        }
        self.delta_since(Some(since))
    }

    /// Forgets everything and takes over a reading of all docks.
    pub(crate) fn replace(&mut self, reading: Reading) -> Delta {
        *self = Self {
            database: self.database,
            failures: std::mem::take(&mut self.failures),
            past: self.past,
            ..Self::default()
        };
        self.take_clock(&reading);
        for row in reading.docks {
            self.take_dock(row);
        }
        self.delta_since(None)
    }

    /// What a reader of version `since` has to hear; everything if it has none, or one from the
    /// future (of a database that was made anew, or of another server that is ahead).
    #[must_use]
    pub(crate) fn delta_since(&self, since: Option<i64>) -> Delta {
        let since = self.known(since);
        let after = since.unwrap_or(i64::MIN);
        let changed = || self.changed_after(since);
        Delta {
            version: self.version,
            clock: self.clock.as_ref().map(|clock| clock.utc.clone()),
            local: self.clock.as_ref().map(|clock| clock.local.clone()),
            full: since.is_none(),
            docks: changed()
                .map(|Entry { dock, .. }| (dock.id, dock.count))
                .collect(),
            new: changed()
                .filter(|entry| entry.known_at > after)
                .map(|Entry { dock, .. }| (dock.id, dock.name.clone(), dock.lat, dock.lon))
                .collect(),
        }
    }

    /// The version that a reader has, unless it is from the future.
    #[must_use]
    pub(crate) fn known(&self, since: Option<i64>) -> Option<i64> {
        since.filter(|since| *since <= self.version)
    }

    /// The docks that changed after a version, by location; all of them after none.
    pub(crate) fn changed_after(&self, since: Option<i64>) -> impl Iterator<Item = &Entry> {
        let after = since.unwrap_or(i64::MIN);
        self.docks
            .values()
            .filter(move |entry| entry.version > after)
    }

    /// All docks, for a first rendering.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: self.version,
            clock: self.clock.clone(),
            age_ms: self.age_ms(),
            database: self.database,
            docks: self
                .docks
                .values()
                .map(|entry| entry.dock.clone())
                .collect(),
        }
    }

    /// How many docks there are.
    #[must_use]
    pub(crate) fn docks(&self) -> usize {
        self.docks.len()
    }

    /// The replay clock; none before the first publish.
    #[must_use]
    pub(crate) fn clock(&self) -> Option<&Moment> {
        self.clock.as_ref()
    }

    /// The replay clock as an instant.
    #[must_use]
    pub(crate) fn now(&self) -> Option<DateTime<Utc>> {
        self.clock.as_ref()?.utc.parse().ok()
    }

    /// The replay clock when the list of stations last changed, their counts aside.
    #[must_use]
    pub(crate) fn stations_at(&self) -> Option<&Moment> {
        self.stations_at.as_ref()
    }

    /// What is known of the system beside its docks.
    #[must_use]
    pub(crate) fn system(&self) -> &System {
        &self.system
    }

    /// Whether e-bikes are told apart at any dock.
    #[must_use]
    pub(crate) fn tells_ebikes(&self) -> bool {
        self.tells_ebikes
    }

    /// Every dock with its station, by location.
    pub(crate) fn stations(&self) -> impl Iterator<Item = &Entry> {
        self.docks.values()
    }

    /// A dock with its station.
    #[must_use]
    pub(crate) fn station(&self, dock: i32) -> Option<&Entry> {
        self.docks.get(&dock)
    }

    /// Whether Postgres responds, and how old the last publish is.
    #[must_use]
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            database: self.database,
            age_ms: self.age_ms(),
        }
    }

    /// Notes whether Postgres responds.
    pub(crate) fn set_database(&mut self, database: Database) {
        self.database = database;
    }

    /// What of the sink has stopped for good, a line for each stream.
    #[must_use]
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Notes what of the sink has stopped.
    pub(crate) fn set_failures(&mut self, failures: Vec<String>) {
        self.failures = failures;
    }

    /// Which seconds of the past are stored, if any.
    #[must_use]
    pub(crate) fn past(&self) -> Option<PastRange> {
        self.past
    }

    /// Notes which seconds of the past are stored.
    pub(crate) fn set_past(&mut self, past: Option<PastRange>) {
        self.past = past;
    }

    fn age_ms(&self) -> Option<u64> {
        let age = |at: Instant| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.published.map(age)
    }

    fn take_clock(&mut self, reading: &Reading) {
        self.is_read = true;
        let Some(clock) = reading.clock else { return };
        self.version = clock.version;
        self.system = reading.system.clone();
        let clock_moment = Some(moment(clock.at, &self.system.timezone));
        if self.stations_at.is_none() || self.stations_due && self.clock != clock_moment {
            self.stations_at.clone_from(&clock_moment);
            self.stations_due = false;
        }
        self.clock = clock_moment;
        self.published = Some(back_in_time(clock.age));
    }

    /// Takes a dock over; whether the list of stations is another one for it.
    fn take_dock(&mut self, row: DockRow) -> bool {
        let DockRow {
            dock,
            last_seen,
            last_reported,
            station_id,
            version,
        } = row;
        let known = self.docks.get(&dock.id);
        let version = match known {
            Some(known) if known.dock == dock => known.version,
            _ => version,
        };
        let known = known.filter(|known| is_same_station(&known.dock, &dock));
        let known_at = known.map(|known| known.known_at);
        let tells_first = !self.tells_ebikes && dock.count.stock.ebikes.is_some();
        self.tells_ebikes |= tells_first;
        let is_news = known_at.is_none() || tells_first;
        if is_news {
            self.stations_at.clone_from(&self.clock);
        }
        self.docks.insert(
            dock.id,
            Entry {
                dock,
                station_id,
                last_seen,
                last_reported,
                version,
                known_at: known_at.unwrap_or(version),
            },
        );
        is_news
    }
}

fn is_same_station(a: &Dock, b: &Dock) -> bool {
    let capacities = (a.count.stock.capacity, b.count.stock.capacity);
    (&a.name, a.lat, a.lon) == (&b.name, b.lat, b.lon) && capacities.0 == capacities.1
}

/// `age` ago; the machine may not have been up for that long.
fn back_in_time(age: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::Count;
    use crate::query::docks::Clock;

    fn reading(version: i64, docks: &[(i32, i32)]) -> Reading {
        let at = DateTime::from_timestamp(1_583_154_845 + version, 0).unwrap();
        Reading {
            clock: Some(Clock {
                version,
                at,
                age: Duration::ZERO,
            }),
            docks: docks
                .iter()
                .map(|(id, bikes)| DockRow {
                    dock: dock(*id, *bikes),
                    last_seen: None,
                    last_reported: None,
                    station_id: id.to_string(),
                    version,
                })
                .collect(),
            ..Reading::default()
        }
    }

    fn count(bikes: i32) -> Count {
        Count {
            bikes,
            ..Count::default()
        }
    }

    fn dock(id: i32, bikes: i32) -> Dock {
        Dock {
            id,
            name: format!("dock {id}"),
            lat: 40.7,
            lon: -74.0,
            count: count(bikes),
        }
    }

    fn board() -> Board {
        let mut board = Board::default();
        board.apply(reading(10, &[(1, 5), (2, 0)]));
        board.apply(reading(11, &[(1, 4)]));
        board.apply(reading(12, &[(3, 9)]));
        board
    }

    #[test]
    fn a_reader_hears_only_what_changed_since_its_version() {
        let delta = board().delta_since(Some(10));
        assert_eq!(delta.docks, [(1, count(4)), (3, count(9))]);
        assert!(!delta.full);
        assert!(board().delta_since(Some(12)).docks.is_empty());
    }

    #[test]
    fn a_dock_is_named_once_to_readers_that_do_not_know_it() {
        let named = |since| -> Vec<i32> {
            board()
                .delta_since(Some(since))
                .new
                .iter()
                .map(|(id, ..)| *id)
                .collect()
        };
        assert_eq!(named(9), [1, 2, 3]);
        assert_eq!(named(11), [3]);
        assert!(named(12).is_empty());
    }

    #[test]
    fn a_reader_without_a_version_or_from_the_future_hears_everything() {
        for since in [None, Some(13)] {
            let delta = board().delta_since(since);
            assert!(delta.full);
            assert_eq!(delta.docks.len(), 3);
            assert_eq!(delta.new.len(), 3);
        }
    }

    #[test]
    fn a_publish_without_a_changed_dock_still_moves_the_clock() {
        let mut board = board();
        let delta = board.apply(reading(13, &[]));
        assert_eq!((delta.version, delta.docks.len()), (13, 0));
        assert_eq!(delta.local.as_deref(), Some("2020-03-02T08:14:18 New York"));
    }

    #[test]
    fn a_database_made_anew_replaces_everything() {
        let mut board = board();
        let fresh = reading(2, &[(1, 1)]);
        assert!(board.is_ahead_of(&fresh));
        let delta = board.replace(fresh);
        assert!(delta.full);
        assert_eq!(delta.docks, [(1, count(1))]);
        assert_eq!(board.version(), 2);
    }

    #[test]
    fn a_dock_under_another_name_is_named_again() {
        let mut board = board();
        let mut renamed = reading(13, &[(1, 4)]);
        renamed.docks[0].dock.name = "moved".to_owned();
        assert_eq!(board.apply(renamed).new.len(), 1);
    }

    #[test]
    fn a_station_that_only_spoke_again_is_no_news_for_browsers() {
        let mut board = board();
        let mut spoken = reading(13, &[(1, 4), (3, 8)]);
        let at = spoken.clock.map(|clock| clock.at);
        spoken.docks[0].last_reported = at;
        assert_eq!(board.apply(spoken).docks, [(3, count(8))]);
        assert_eq!(board.stations().next().unwrap().last_reported, at);
    }

    #[test]
    fn the_list_of_stations_is_as_old_as_its_last_new_or_renamed_station() {
        let at = |board: &Board| board.stations_at().map(|moment| moment.utc.clone());
        let mut board = board();
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:17Z"));
        board.apply(reading(13, &[(1, 9)]));
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:17Z"));
        board.apply(reading(14, &[(4, 0)]));
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:19Z"));
        let mut enlarged = reading(15, &[(4, 0)]);
        enlarged.docks[0].dock.count.stock.capacity = Some(20);
        board.apply(enlarged.clone());
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:20Z"));
        enlarged.clock = reading(16, &[]).clock;
        board.apply(enlarged);
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:20Z"));
    }

    #[test]
    fn a_list_of_stations_that_changed_while_the_clock_stood_still_is_newer_when_it_goes_on() {
        let mut board = board();
        let clock = reading(12, &[]).clock;
        let mut renamed = reading(13, &[(1, 4)]);
        renamed.docks[0].dock.name = "moved".to_owned();
        renamed.clock = clock.map(|clock| Clock {
            version: 13,
            ..clock
        });
        board.apply(renamed);
        let at = |board: &Board| board.stations_at().map(|moment| moment.utc.clone());
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:17Z"));
        for (version, bikes) in [(15, 3), (16, 2)] {
            board.apply(reading(version, &[(1, bikes)]));
        }
        assert_eq!(at(&board).as_deref(), Some("2020-03-02T13:14:20Z"));
    }
}
