//! The database: tables, transactions that are atomic, connections that end, a clock that jumps.
//!
//! What stands in `where` and `on conflict` of the sink's statements is modelled here; that Postgres does so
//! is shown by `sink/tests/it/ownership.rs` and `faults.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sink::Module;
use sink::machines::{Change, Cursor, CursorUpdate, Group, LastRecord, Lease, Member};

use crate::docks::Published;
use crate::laws::Commits;

/// A row of `records`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: i64,
    pub(crate) bike: Option<String>,
    pub(crate) location: i32,
    pub(crate) docked: bool,
}

/// A partition read through a module.
pub(crate) type Key = (u32, Module);

/// A connection that a member has opened: those opened before it was cut off are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) sink: usize,
    opened: u32,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct StreamCursor {
    pub(crate) cursor: Cursor,
    pub(crate) owner: String,
}

/// What one transaction writes beside the cursor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) events: Vec<(i64, Event)>,
    pub(crate) rejects: Vec<(i64, String, u64)>,
    /// By start: absolute counts, and increments.
    pub(crate) closed: Vec<(i64, u64)>,
    pub(crate) late: Vec<(i64, u64)>,
}

/// What it makes of the cursor, owned.
#[derive(Debug, Clone)]
pub(crate) struct Moved {
    key: Key,
    member: String,
    generation: i64,
    from: i64,
    to: i64,
    last: Option<LastRecord>,
    watermark: Option<chrono::DateTime<chrono::Utc>>,
    state: Option<String>,
    sources: Vec<(String, u64)>,
    rows: Rows,
}

/// Why a statement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another one owns the stream, or has written it.
    Fenced,
    /// The connection has ended, or a lock was waited for too long.
    Lost,
}

#[derive(Debug, Clone)]
struct MemberRow {
    name: String,
    sink: usize,
    heartbeat_at: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Database {
    /// Milliseconds.
    pub(crate) now: i64,
    pub(crate) cursors: BTreeMap<Key, StreamCursor>,
    leases: BTreeMap<u32, Lease>,
    members: Vec<MemberRow>,
    pub(crate) events: BTreeMap<i64, Event>,
    pub(crate) rejects: BTreeMap<i64, (String, u64)>,
    pub(crate) frequency: BTreeMap<(i64, u32), u64>,
    pub(crate) locations: Vec<String>,
    pub(crate) published: Published,
    pub(crate) checkpoint: Option<(Vec<u8>, BTreeMap<u32, i64>)>,
    /// Who holds the publisher's lock.
    publisher: Option<Connection>,
    /// By sink: connections of an older number are gone; whether the process is there.
    opened: BTreeMap<usize, u32>,
    present: BTreeSet<usize>,
    /// A commit that has reached nobody yet; it holds its cursor's lock.
    undecided: Option<Moved>,
    /// Members and leases as they are on the disk: their commits are not waited for.
    durable: (Vec<MemberRow>, BTreeMap<u32, Lease>),
    pub(crate) commits: Commits,
}

impl Database {
    pub(crate) fn with_partitions(partitions: u32) -> Self {
        let mut database = Self::default();
        for partition in 0..partitions {
            for module in Module::ALL {
                let row = StreamCursor {
                    owner: "nobody yet".to_owned(),
                    ..StreamCursor::default()
                };
                database.cursors.insert((partition, module), row);
            }
            database.leases.insert(partition, Lease::default());
        }
        database.durable = (Vec::new(), database.leases.clone());
        database
    }

    pub(crate) fn connect(&mut self, sink: usize) -> Connection {
        self.present.insert(sink);
        let opened = *self.opened.entry(sink).or_default();
        Connection { sink, opened }
    }

    pub(crate) fn is_open(&self, connection: Connection) -> bool {
        self.opened.get(&connection.sink) == Some(&connection.opened)
    }

    /// Ends all connections of a process, and what it has not committed.
    fn terminate(&mut self, sink: usize) {
        *self.opened.entry(sink).or_default() += 1;
        if self
            .publisher
            .is_some_and(|publisher| publisher.sink == sink)
        {
            self.publisher = None;
        }
    }

    /// A process has been killed.
    pub(crate) fn disconnect(&mut self, sink: usize) {
        self.terminate(sink);
        self.present.remove(&sink);
    }

    /// The server is killed and comes back: it has all commits that were waited for.
    pub(crate) fn crash(&mut self) {
        let sinks: Vec<_> = self.opened.keys().copied().collect();
        sinks.into_iter().for_each(|sink| self.terminate(sink));
        self.undecided = None;
        (self.members, self.leases) = self.durable.clone();
    }

    /// Everything committed so far reaches the disk, as with each commit that is waited for.
    fn sync(&mut self) {
        self.durable = (self.members.clone(), self.leases.clone());
    }

    // Members and leases: `sink/src/membership.rs`.

    /// What the heartbeat's transaction reads.
    pub(crate) fn group(&self) -> Group {
        let members = self.members.iter().map(|member| Member {
            name: member.name.clone(),
            silent_for: Duration::from_millis(
                u64::try_from(self.now - member.heartbeat_at).unwrap_or(0),
            ),
            is_connected: self.present.contains(&member.sink),
        });
        let partitions: BTreeSet<u32> = self
            .cursors
            .keys()
            .map(|(partition, _)| *partition)
            .collect();
        let leases = partitions.into_iter().map(|partition| {
            let streams = Module::ALL.map(|module| {
                let row = &self.cursors[&(partition, module)];
                (row.owner.clone(), row.cursor.generation)
            });
            let stored = self.leases.get(&partition).cloned();
            (partition, Lease::in_force(stored, &streams))
        });
        Group {
            members: members.collect(),
            leases: leases.collect(),
        }
    }

    /// Writes what a member's heartbeat, or its leaving, changes.
    pub(crate) fn change_group(
        &mut self,
        (sink, name): (usize, &str),
        change: &Change,
        joins: bool,
    ) {
        let heard = self.members.iter_mut().find(|member| member.name == name);
        match heard {
            Some(member) => member.heartbeat_at = self.now,
            None if joins => self.members.push(MemberRow {
                name: name.to_owned(),
                sink,
                heartbeat_at: self.now,
            }),
            None => {}
        }
        let (removed, stay) = std::mem::take(&mut self.members)
            .into_iter()
            .partition(|member| change.removed.contains(&member.name));
        self.members = stay;
        let removed: Vec<MemberRow> = removed;
        for member in removed.iter().filter(|member| member.name != name) {
            self.terminate(member.sink);
        }
        for (partition, lease) in &change.leases {
            self.leases.insert(*partition, lease.clone());
        }
    }

    /// Owner and generation of each partition, for people.
    pub(crate) fn leases_text(&self) -> String {
        let leases = self.leases.iter().map(|(partition, lease)| {
            let owner = lease.owner.as_deref().unwrap_or("nobody");
            format!("{partition}: {owner} ({})", lease.generation)
        });
        leases.collect::<Vec<_>>().join(", ")
    }

    // Cursors: `sink/src/cursor.rs` and `sink/src/write.rs`.

    /// Gives the stream the generation of a lease, and reads where to go on.
    pub(crate) fn take(
        &mut self,
        key: Key,
        member: &str,
        generation: i64,
    ) -> Result<Cursor, Refused> {
        if self.is_locked(key) {
            return Err(Refused::Lost);
        }
        let Some(row) = self.cursors.get_mut(&key) else {
            return Err(Refused::Lost);
        };
        let before = row.cursor.generation;
        if before > generation || before == generation && row.owner != member {
            return Err(Refused::Fenced);
        }
        member.clone_into(&mut row.owner);
        row.cursor.generation = generation;
        let cursor = row.cursor.clone();
        self.commits.taken(key, member, before, generation);
        self.sync();
        Ok(cursor)
    }

    /// Begins a transaction that moves the cursor and writes rows.
    pub(crate) fn begin(
        &self,
        (key, member): (Key, &str),
        (generation, from): (i64, i64),
        update: &CursorUpdate<'_>,
        rows: Rows,
    ) -> Result<Moved, Refused> {
        if self.is_locked(key) {
            return Err(Refused::Lost);
        }
        let cursor = &self.cursors[&key].cursor;
        if (cursor.generation, cursor.next_offset) != (generation, from) {
            return Err(Refused::Fenced);
        }
        let sources = update.sources.iter();
        Ok(Moved {
            key,
            member: member.to_owned(),
            generation,
            from,
            to: update.next_offset,
            last: update.last.cloned(),
            watermark: update.watermark,
            state: update.state.clone(),
            sources: sources
                .map(|(source, seq)| ((*source).to_owned(), *seq))
                .collect(),
            rows,
        })
    }

    pub(crate) fn commit(&mut self, moved: Moved) {
        let Moved { key, from, to, .. } = moved;
        let writer = (moved.member.as_str(), moved.generation);
        self.commits.moved(key, writer, from..to, &moved.rows);
        let Some(row) = self.cursors.get_mut(&key) else {
            return;
        };
        let cursor = &mut row.cursor;
        cursor.next_offset = to;
        cursor.watermark = cursor.watermark.max(moved.watermark);
        cursor.state = moved.state.or_else(|| cursor.state.take());
        cursor.last = moved.last;
        for (source, seq) in moved.sources {
            match cursor
                .sources
                .iter_mut()
                .find(|(known, _)| *known == source)
            {
                Some((_, last)) => *last = seq,
                None => cursor.sources.push((source, seq)),
            }
        }
        for (id, event) in moved.rows.events {
            if self.events.insert(id, event).is_some() {
                self.commits
                    .violated("each row once", format!("row {id} of records"));
            }
        }
        for (id, file, line) in moved.rows.rejects {
            if self.rejects.insert(id, (file, line)).is_some() {
                self.commits
                    .violated("each row once", format!("row {id} of rejected"));
            }
        }
        for (start, amount) in moved.rows.closed {
            self.frequency.insert((start, key.0), amount);
        }
        for (start, amount) in moved.rows.late {
            *self.frequency.entry((start, key.0)).or_default() += amount;
        }
        self.sync();
    }

    /// The client's connection breaks while it commits: whether it has, is decided later.
    pub(crate) fn leave_undecided(&mut self, moved: Moved) {
        match self.undecided {
            None => self.undecided = Some(moved),
            Some(_) => self.commit(moved),
        }
    }

    pub(crate) fn decide(&mut self, is_committed: bool) {
        if let Some(moved) = self.undecided.take().filter(|_| is_committed) {
            self.commit(moved);
        }
    }

    fn is_locked(&self, key: Key) -> bool {
        self.undecided
            .as_ref()
            .is_some_and(|moved| moved.key == key)
    }

    /// The number of a station in `location`.
    pub(crate) fn location(&mut self, station: &str) -> i32 {
        let known = self.locations.iter().position(|known| known == station);
        let index = known.unwrap_or_else(|| {
            self.locations.push(station.to_owned());
            self.locations.len() - 1
        });
        index as i32
    }

    /// Takes the publisher's lock, if nobody has it.
    pub(crate) fn lock_publisher(&mut self, connection: Connection) -> bool {
        *self.publisher.get_or_insert(connection) == connection
    }

    pub(crate) fn unlock_publisher(&mut self, connection: Connection) {
        if self.publisher == Some(connection) {
            self.publisher = None;
        }
    }
}
