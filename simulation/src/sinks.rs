//! A sink process: it joins the others, owns partitions for a while, and reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use sink::machines::{Limits, Recent};
use sink::{Module, SinkConfig};

use crate::broker::Log;
use crate::database::{Connection, Database, Key};
use crate::docks::Publisher;
use crate::producing::Moments;
use crate::stream::{Around, Stream, Trouble};

/// What becomes of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    Heard,
    /// It is committed, and the member does not hear of it.
    ResponseLost,
    Lost,
}

pub(crate) struct Process {
    pub(crate) config: SinkConfig,
    pub(crate) number: usize,
    connection: Option<Connection>,
    /// Generations of the partitions it owns, as far as it knows.
    assignment: BTreeMap<u32, i64>,
    streams: BTreeMap<Key, Stream>,
    pub(crate) recent: Recent,
    pub(crate) publisher: Publisher,
    pub(crate) is_frozen: bool,
}

/// What all processes have around them.
pub(crate) struct Outside<'a> {
    pub(crate) database: &'a mut Database,
    pub(crate) logs: &'a mut [Log],
    pub(crate) now_ms: u64,
    pub(crate) moments: Moments,
}

impl Process {
    /// Each start is a member of its own.
    pub(crate) fn boot(number: usize, start: u32, fetch_bytes_max: i32) -> Self {
        Self {
            config: SinkConfig {
                member: format!("sink-{number}-{start}"),
                fetch_bytes_max,
                silence_max: Duration::from_millis(1_500),
                ..SinkConfig::default()
            },
            number,
            connection: None,
            assignment: BTreeMap::new(),
            streams: BTreeMap::new(),
            recent: Recent::default(),
            publisher: Publisher::default(),
            is_frozen: false,
        }
    }

    /// Whether a stream has heard that nothing more is to come before the end of the log.
    pub(crate) fn is_quiet(&self, key: Key, end: i64) -> bool {
        let stream = self.streams.get(&key);
        stream.is_some_and(|stream| stream.is_quiet(end))
    }

    /// Why streams have stopped for good.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &str> {
        self.streams.values().filter_map(Stream::failure)
    }

    /// In a few words, for people.
    pub(crate) fn text(&self) -> String {
        let frozen = if self.is_frozen { " frozen" } else { "" };
        let publishes = if self.recent.is_open() {
            " publishes"
        } else {
            ""
        };
        let streams = self.streams.iter();
        let streams: Vec<_> = streams
            .map(|((partition, module), stream)| format!("{module} {partition} {}", stream.text()))
            .collect();
        format!(
            "{}{frozen}{publishes} [{}]",
            self.config.member,
            streams.join(", ")
        )
    }

    pub(crate) fn heartbeat(&mut self, database: &mut Database, outcome: Heartbeat) {
        if outcome == Heartbeat::Lost {
            self.connection = None;
            return;
        }
        let kept = self.connection.take();
        if kept.is_some_and(|connection| !database.is_open(connection)) {
            return; // Another one is opened for the next heartbeat.
        }
        let connection = kept.unwrap_or_else(|| database.connect(self.number));
        let limits = Limits {
            disconnected: self.config.heartbeat_interval,
            connected: self.config.session_timeout,
        };
        let mut group = database.group();
        let change = group.heartbeat(&self.config.member, limits);
        database.change_group((self.number, &self.config.member), &change, true);
        if outcome == Heartbeat::ResponseLost {
            return;
        }
        self.connection = Some(connection);
        group.leases.extend(change.leases);
        let own = group.leases.into_iter();
        let own = own.filter(|(_, lease)| lease.owner.as_deref() == Some(&*self.config.member));
        self.assign(
            own.map(|(partition, lease)| (partition, lease.generation))
                .collect(),
        );
    }

    pub(crate) fn leave(&self, database: &mut Database) {
        let change = database.group().leave(&self.config.member);
        database.change_group((self.number, &self.config.member), &change, false);
    }

    /// Streams of partitions that are owned no more, or under another generation, end.
    fn assign(&mut self, assignment: BTreeMap<u32, i64>) {
        self.streams
            .retain(|(partition, _), stream| assignment.get(partition) == Some(&stream.generation));
        for (partition, generation) in &assignment {
            for module in Module::ALL {
                let key = (*partition, module);
                let stream = || Stream::new(key, *generation, &self.config);
                self.streams.entry(key).or_insert_with(stream);
            }
        }
        self.assignment = assignment;
    }

    pub(crate) fn step(&mut self, key: Key, outside: &mut Outside<'_>, trouble: Trouble) {
        let Some(stream) = self.streams.get_mut(&key) else {
            return;
        };
        let Some(log) = outside.logs.get_mut(key.0 as usize) else {
            return;
        };
        let mut around = Around {
            database: outside.database,
            log,
            config: &self.config,
            recent: &self.recent,
            sink: self.number,
            now_ms: outside.now_ms,
            moments: outside.moments,
        };
        stream.step(&mut around, trouble);
    }

    /// The broker has gone and come back: what was open is gone.
    pub(crate) fn break_streams(&mut self, outside: &mut Outside<'_>) {
        let keys: Vec<Key> = self.streams.keys().copied().collect();
        for key in keys {
            self.step(key, outside, Trouble::Cut);
        }
    }
}
