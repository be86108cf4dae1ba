//! The availability: one process takes what is committed, and publishes docks and clock.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::availability::BikeEvent;
use domain::{Availability, RecordId};
use sink::Module;
use sink::machines::{CommittedOffsets, CommittedPartition, Docks, Recent};

use crate::city::utc;
use crate::database::{Connection, Database};
use crate::laws;

/// Rows ahead of the slowest partition's clock that are read.
const AHEAD_MAX: Duration = Duration::from_secs(20);

/// What becomes of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publish {
    Done,
    /// The state is saved as well.
    Saved,
    /// The connection ends before it, or behind it.
    Lost,
    ResponseLost,
}

/// Tables `availability` and `replay_clock`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Published {
    pub(crate) clock: Option<DateTime<Utc>>,
    /// Bikes, and whether they are estimated.
    pub(crate) docks: BTreeMap<i32, (i32, bool)>,
}

/// The task of one process.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    connection: Connection,
    docks: Docks,
    published: Published,
    /// Docks to publish although no event has touched them.
    marked: Vec<i32>,
}

impl Publisher {
    pub(crate) fn step(
        &mut self,
        (sink, recent): (usize, &Recent),
        database: &mut Database,
        outcome: Publish,
    ) {
        if self
            .session
            .as_ref()
            .is_some_and(|session| !database.is_open(session.connection))
        {
            self.end(recent);
        }
        let Some(session) = &mut self.session else {
            let connection = database.connect(sink);
            if database.lock_publisher(connection) {
                recent.open();
                self.session = Some(Session::load(connection, database));
            }
            return;
        };
        session.take_in(recent, database);
        if outcome != Publish::Lost {
            session.publish(database);
        }
        match outcome {
            Publish::Done => {}
            Publish::Saved => session.save(database),
            Publish::Lost | Publish::ResponseLost => {
                database.unlock_publisher(session.connection);
                self.end(recent);
            }
        }
    }

    fn end(&mut self, recent: &Recent) {
        self.session = None;
        recent.close();
    }
}

impl Session {
    fn load(connection: Connection, database: &Database) -> Self {
        let checkpoint = database.checkpoint.as_ref().and_then(|(bytes, offsets)| {
            let availability: Availability = serde_json::from_slice(bytes).ok()?;
            Some((availability, offsets.clone()))
        });
        let (availability, next_offsets) = checkpoint.unwrap_or_default();
        let published = database.published.clone();
        Self {
            connection,
            docks: Docks::resume(availability, next_offsets, None, AHEAD_MAX),
            marked: published.docks.keys().copied().collect(),
            published,
        }
    }

    fn take_in(&mut self, recent: &Recent, database: &Database) {
        let committed = committed(database);
        loop {
            let Some(mut step) = self.docks.next_step(&committed) else {
                self.docks.advance(&committed);
                return;
            };
            step.take_recent(recent);
            if step.misses_events() {
                let (first, end) = step.ids();
                let missing: Vec<u32> = step.missing().collect();
                let rows = database.events.range(first..end);
                let rows = rows.filter(|(id, _)| missing.contains(&RecordId(**id).partition()));
                step.add_events(rows.map(|(id, event)| BikeEvent {
                    at: utc(event.at),
                    id: *id,
                    bike_id: event.bike.as_deref().map(Box::from),
                    location_id: event.location,
                    docked: event.docked,
                }));
            }
            self.docks.apply(step, &committed);
        }
    }

    fn publish(&mut self, database: &mut Database) {
        let Some(clock) = self
            .docks
            .clock()
            .filter(|clock| Some(*clock) >= self.published.clock)
        else {
            return;
        };
        let availability = self.docks.availability_mut();
        let changed = availability.take_changed();
        let marked = std::mem::take(&mut self.marked).into_iter();
        let marked: Vec<_> = marked
            .map(|dock| (dock, availability.count(dock)))
            .collect();
        for (dock, count) in marked.into_iter().chain(changed) {
            let count = (count.bikes, count.estimated);
            self.published.docks.insert(dock, count);
            database.published.docks.insert(dock, count);
        }
        self.published.clock = Some(clock);
        database.commits.published(database.published.clock, clock);
        database.published.clock = database.published.clock.max(Some(clock));
        laws::while_it_runs(database, &self.docks.next_offsets());
    }

    fn save(&self, database: &mut Database) {
        if let Ok(bytes) = serde_json::to_vec(self.docks.availability()) {
            database.checkpoint = Some((bytes, self.docks.next_offsets()));
        }
    }
}

fn committed(database: &Database) -> CommittedOffsets {
    let streams = database.cursors.iter();
    let split = streams.filter(|((_, module), _)| *module == Module::TripSplit);
    CommittedOffsets {
        partitions: split
            .map(|((partition, _), row)| {
                let committed = CommittedPartition {
                    next_offset: row.cursor.next_offset,
                    watermark: row.cursor.watermark,
                };
                (*partition, committed)
            })
            .collect(),
    }
}
