//! Which bikes are at which dock at a given clock.
//!
//! A bike is at a dock if its latest event at or before the clock is an arrival there: a bike in
//! transit is nowhere, an arrival ahead of the clock does not count yet. Trips without a bike id
//! give each station a net flow, counted up from the least baseline that never goes below zero;
//! such a station is *estimated*. A live feed's count of a dock is the truth: from its first status
//! on a dock shows the latest one, whatever the events say.

mod baseline;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::past::Recorder;
use crate::{RecordId, Service, Stock};

pub use baseline::{Baseline, Flow};

/// A row of `records`, as availability reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BikeEvent {
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// The row's key: decides between events of one instant, the greater one is the later.
    pub id: i64,
    /// The bike, where it is known.
    pub bike_id: Option<Box<str>>,
    /// Where.
    pub location_id: i32,
    /// Whether the bike is in the dock after the event.
    pub docked: bool,
}

/// A row of `dock_status`, as availability reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DockStatus {
    /// From when on the count holds, in UTC.
    pub at: DateTime<Utc>,
    /// The row's key: decides between statuses of one instant, the greater one is the later.
    pub id: i64,
    /// Where.
    pub location_id: i32,
    /// Bikes there.
    pub bikes: i32,
    /// What the station offers.
    pub service: Service,
    /// The feed went on without the station from `at` on.
    pub missing: bool,
    /// What is there beside the count.
    #[serde(default, skip_serializing_if = "Stock::is_unknown")]
    pub stock: Stock,
    /// When the station last spoke to its operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reported: Option<DateTime<Utc>>,
}

/// What a dock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DockCount {
    /// Bikes there at the clock, or when the station was last seen.
    pub bikes: i32,
    /// Whether trips without a bike id are part of the count.
    pub estimated: bool,
    /// What the station offers.
    pub service: Service,
    /// When a live feed had the station for the last time, if it goes on without it.
    pub last_seen: Option<DateTime<Utc>>,
    /// What is there beside the bikes, as a live feed says.
    pub stock: Stock,
    /// When the station last spoke to its operator.
    pub last_reported: Option<DateTime<Utc>>,
}

/// All docks at one clock.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Availability {
    clock: Option<DateTime<Utc>>,
    /// Latest settled event of each bike.
    bikes: HashMap<Box<str>, LatestEvent>,
    docks: HashMap<i32, Dock>,
    /// Events ahead of the clock, the soonest first.
    ahead: BinaryHeap<Reverse<BikeEvent>>,
    /// Statuses ahead of the clock, the soonest first.
    statuses_ahead: BinaryHeap<Reverse<DockStatus>>,
    /// Docks whose count may have changed since [`Availability::take_changed`].
    changed: BTreeSet<i32>,
    /// Takes what settles, as long as it does so in order of time.
    #[serde(skip)]
    recorder: Option<Recorder>,
    /// Time of the earliest that came behind the clock since [`Availability::take_late`].
    #[serde(skip)]
    late: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct LatestEvent {
    at: DateTime<Utc>,
    id: i64,
    location_id: i32,
    docked: bool,
}

/// `flow - flow_min` is the estimate: the least baseline that never was negative, plus the flow.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Dock {
    parked: i32,
    flow: i32,
    flow_min: i32,
    estimated: bool,
    /// The latest settled one.
    status: Option<DockStatus>,
}

impl Availability {
    /// The instant that the counts hold for; none before the first [`Availability::advance`].
    #[must_use]
    pub fn clock(&self) -> Option<DateTime<Utc>> {
        self.clock
    }

    /// Takes in one event, at any time before or after the clock, in any order.
    ///
    /// Events of known bikes commute: the counts depend on the set alone. Estimates are exact when
    /// events come no later than the clock passes them.
    pub fn apply(&mut self, event: BikeEvent) {
        if self.clock.is_some_and(|clock| event.at <= clock) {
            self.note_late(event.at);
            self.settle(event);
        } else {
            self.ahead.push(Reverse(event));
        }
    }

    /// Takes in one status, at any time before or after the clock, in any order.
    pub fn apply_status(&mut self, status: DockStatus) {
        if self.clock.is_some_and(|clock| status.at <= clock) {
            self.note_late(status.at);
            self.settle_status(status);
        } else {
            self.statuses_ahead.push(Reverse(status));
        }
    }

    /// Moves the clock to `clock`, never back, and settles what has become due, in order of time.
    pub fn advance(&mut self, clock: DateTime<Utc>) {
        self.clock = self.clock.max(Some(clock));
        loop {
            let clock = self.clock;
            let is_due = |at: &DateTime<Utc>| Some(*at) <= clock;
            let event = self.ahead.peek().map(|Reverse(event)| event.at);
            let status = self.statuses_ahead.peek().map(|Reverse(status)| status.at);
            match (event.filter(is_due), status.filter(is_due)) {
                (None, None) => return,
                (Some(event), status) if status.is_none_or(|status| event <= status) => {
                    if let Some(Reverse(event)) = self.ahead.pop() {
                        self.settle(event);
                    }
                }
                _ => {
                    if let Some(Reverse(status)) = self.statuses_ahead.pop() {
                        self.settle_status(status);
                    }
                }
            }
        }
    }

    /// Records the past from now on; without a recorder, no longer.
    ///
    /// What comes behind the clock ends it: the past that was recorded is not right any more.
    pub fn record(&mut self, recorder: Option<Recorder>) {
        self.recorder = recorder;
    }

    /// Who records, if the past is right.
    pub fn recorder(&mut self) -> Option<&mut Recorder> {
        self.recorder.as_mut()
    }

    /// Time of the earliest event or status that came behind the clock since the last call.
    pub fn take_late(&mut self) -> Option<DateTime<Utc>> {
        self.late.take()
    }

    /// Every dock that is known at the clock, in no order.
    pub fn counts(&self) -> impl Iterator<Item = (i32, DockCount)> {
        self.docks.iter().map(|(id, dock)| (*id, dock.count()))
    }

    /// The docks whose count changed since the last call, by location.
    pub fn take_changed(&mut self) -> Vec<(i32, DockCount)> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|location_id| (location_id, self.count(location_id)))
            .collect()
    }

    /// What the dock shows at the clock; a dock never seen shows zero.
    #[must_use]
    pub fn count(&self, location_id: i32) -> DockCount {
        self.docks
            .get(&location_id)
            .map_or_else(DockCount::default, Dock::count)
    }

    /// What comes at the clock itself is in time: nothing later has settled.
    fn note_late(&mut self, at: DateTime<Utc>) {
        if Some(at) < self.clock {
            self.late = Some(self.late.map_or(at, |late| late.min(at)));
            self.recorder = None;
        }
    }

    fn settle(&mut self, event: BikeEvent) {
        let (at, location_id) = (event.at, event.location_id);
        let left = self.move_bike(event);
        self.tell_recorder(at, left.into_iter().chain([location_id]));
    }

    fn tell_recorder(&mut self, at: DateTime<Utc>, docks: impl Iterator<Item = i32>) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        for location_id in docks {
            if let Some(dock) = self.docks.get(&location_id) {
                recorder.push(at, location_id, dock.count());
            }
        }
        recorder.count_event();
    }

    /// Takes a bike from where it stood, which is given back, to where it is now.
    fn move_bike(&mut self, event: BikeEvent) -> Option<i32> {
        let BikeEvent {
            at,
            id,
            bike_id,
            location_id,
            docked,
        } = event;
        let Some(bike_id) = bike_id else {
            self.flow(location_id, docked);
            return None;
        };
        let now = LatestEvent {
            at,
            id,
            location_id,
            docked,
        };
        let before = self.bikes.get(&bike_id).copied();
        if before.is_some_and(|before| (before.at, before.id) >= (at, id)) {
            return None;
        }
        self.bikes.insert(bike_id, now);
        let left = before.filter(|before| before.docked);
        let left = left.map(|before| before.location_id);
        if let Some(left) = left {
            self.dock(left).parked -= 1;
        }
        if docked {
            self.dock(location_id).parked += 1;
        }
        self.dock(location_id); // A dock is known from its first event, also if it is empty.
        left
    }

    fn flow(&mut self, location_id: i32, docked: bool) {
        let dock = self.dock(location_id);
        dock.estimated = true;
        dock.flow += if docked { 1 } else { -1 };
        dock.flow_min = dock.flow_min.min(dock.flow);
    }

    fn settle_status(&mut self, status: DockStatus) {
        let dock = self.dock(status.location_id);
        dock.status = dock.status.max(Some(status));
        self.tell_recorder(status.at, [status.location_id].into_iter());
    }

    fn dock(&mut self, location_id: i32) -> &mut Dock {
        self.changed.insert(location_id);
        self.docks.entry(location_id).or_default()
    }
}

impl Dock {
    fn count(&self) -> DockCount {
        match self.status {
            Some(status) => DockCount {
                bikes: status.bikes,
                estimated: false,
                service: status.service,
                last_seen: status.missing.then_some(status.at),
                stock: status.stock,
                last_reported: status.last_reported,
            },
            None => DockCount {
                bikes: self.parked + self.flow - self.flow_min,
                estimated: self.estimated,
                ..DockCount::default()
            },
        }
    }
}

impl BikeEvent {
    /// The partition and offset the event came from.
    #[must_use]
    pub fn record_id(&self) -> RecordId {
        RecordId(self.id)
    }
}
