//! One stream of a sink: session after session, each from the cursor on.

use partition_client::{Next, Recovery, RecoveryConfig};
use sink::machines::{
    Batch, Committed, CursorUpdate, Decoder, KnownStation, LastRecord, Listening, Recent,
    SessionOutcome, Silence, SplitChunk, StreamKey, WindowChunk, compare, params, session_end,
};
use sink::{Module, SinkConfig, SinkError};

use crate::broker::{BrokerStream, Log, ModuleInstance};
use crate::database::{Connection, Database, Event, Key, Refused, Rows};
use crate::producing::Moments;

/// A stream's first response may take so many times longer.
const FIRST_RESPONSE_FACTOR: u64 = 4;

/// What goes wrong in a stream's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Nothing,
    /// More is read before the batch is written.
    Gather,
    /// The connection to the broker breaks.
    Cut,
    /// The broker passes over a batch.
    Skip,
    /// An output gets lost on its way.
    OutputLost,
    /// The broker says nothing from now on.
    Silence,
    /// The connection to the database breaks: before the commit, behind it, or nobody knows.
    Uncommitted,
    Committed,
    Undecided,
}

pub(crate) struct Stream {
    key: StreamKey,
    pub(crate) generation: i64,
    recovery: Recovery,
    state: State,
    progressed_from: i64,
    /// What stands before it has had its time, though it gave nothing.
    quiet_until: i64,
}

enum State {
    Idle,
    Open(Box<Session>),
    /// Fenced: the next assignment tells who owns the partition.
    Ended,
    /// For good.
    Failed(String),
}

struct Session {
    connection: Connection,
    generation: i64,
    /// Where the writer has left the cursor.
    written: i64,
    decoder: Decoder,
    listening: Listening,
    stream: BrokerStream,
    batch: Option<Batch>,
    /// By the station's number in this stream.
    locations: Vec<i32>,
    heard_at: u64,
    has_heard: bool,
    quiet_until: i64,
}

/// What a step works with.
pub(crate) struct Around<'a> {
    pub(crate) database: &'a mut Database,
    pub(crate) log: &'a mut Log,
    pub(crate) config: &'a SinkConfig,
    pub(crate) recent: &'a Recent,
    pub(crate) sink: usize,
    pub(crate) now_ms: u64,
    pub(crate) moments: Moments,
}

impl Stream {
    pub(crate) fn new((partition, module): Key, generation: i64, config: &SinkConfig) -> Self {
        Self {
            key: StreamKey {
                topic: config.topic.clone(),
                partition,
                module,
            },
            generation,
            recovery: Recovery::new(RecoveryConfig {
                fetch_bytes: config.fetch_bytes_max,
                fetch_bytes_max: config.fetch_bytes_max.saturating_mul(64),
                silence_max: config.silence_max,
                beyond_end_max: config.beyond_end_max,
            }),
            state: State::Idle,
            progressed_from: 0,
            quiet_until: 0,
        }
    }

    /// Why it has stopped for good.
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Failed(text) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing more is to come before the end of the log.
    pub(crate) fn is_quiet(&self, end: i64) -> bool {
        self.quiet_until >= end
    }

    pub(crate) fn text(&self) -> String {
        match &self.state {
            State::Idle => "closed".to_owned(),
            State::Open(session) => match &session.batch {
                None => format!("open at {}", session.written),
                Some(_) => format!("read to {}", session.decoder.next_offset()),
            },
            State::Ended => "fenced".to_owned(),
            State::Failed(text) => format!("failed: {text}"),
        }
    }

    pub(crate) fn step(&mut self, around: &mut Around<'_>, trouble: Trouble) {
        let ended = match &mut self.state {
            State::Ended | State::Failed(_) => return,
            State::Idle => self.open(around, trouble).map(|session| {
                self.state = State::Open(Box::new(session));
                None
            }),
            State::Open(session) => {
                let ended = session.step(&self.key, &self.recovery, around, trouble);
                self.quiet_until = self.quiet_until.max(session.quiet_until);
                ended
            }
        };
        match ended {
            Ok(None) => {}
            Ok(Some(outcome)) => self.end(Ok(outcome), around),
            Err(error) => self.end(Err(error), around),
        }
    }

    fn end(&mut self, ended: Result<SessionOutcome, SinkError>, around: &Around<'_>) {
        let written = match &self.state {
            State::Open(session) => session.written,
            _ => self.progressed_from,
        };
        if written != self.progressed_from {
            self.progressed_from = written;
            self.recovery.progressed();
        }
        let end = session_end(&ended, || false);
        let now = around.moments.at(around.now_ms).into_std();
        self.state = match (self.recovery.after(end, now), ended) {
            (Next::Fail, Err(error)) => State::Failed(error.chain()),
            (Next::Stop, _) => State::Ended,
            _ => State::Idle,
        };
    }

    fn open(&mut self, around: &mut Around<'_>, trouble: Trouble) -> Result<Session, SinkError> {
        let key = (self.key.partition, self.key.module);
        let connection = around.database.connect(around.sink);
        let member = &around.config.member;
        let taken = around.database.take(key, member, self.generation);
        let cursor = taken.map_err(|refused| failed(&self.key, 0, refused))?;
        if trouble == Trouble::Cut {
            return Err(lost("the broker"));
        }
        let found = around.log.record(cursor.next_offset - 1);
        let found = found.map(|(epoch, value)| LastRecord::of(epoch, value));
        let range = around.log.range();
        compare(&self.key, &cursor, range, found.as_ref())?;
        let stations = (0..).zip(around.database.locations.clone());
        let (locations, stations): (Vec<i32>, Vec<_>) = stations
            .map(|(location, station_id)| {
                let history = std::iter::empty().collect();
                (
                    location,
                    KnownStation {
                        station_id,
                        history,
                    },
                )
            })
            .unzip();
        let module = match self.key.module {
            Module::TripSplit => ModuleInstance::Split,
            Module::DockWindow => {
                ModuleInstance::windows(&params(&self.key, around.config, &cursor))
            }
        };
        let bytes = self.recovery.fetch_bytes();
        let stream = BrokerStream::open(around.log, module, cursor.next_offset, bytes);
        self.recovery.in_range();
        self.progressed_from = cursor.next_offset;
        Ok(Session {
            connection,
            generation: cursor.generation,
            written: cursor.next_offset,
            decoder: Decoder::resume(self.key.clone(), &cursor, stations),
            listening: Listening::new(self.key.module),
            stream,
            batch: None,
            locations,
            heard_at: around.now_ms,
            has_heard: false,
            quiet_until: 0,
        })
    }
}

impl Session {
    fn step(
        &mut self,
        key: &StreamKey,
        recovery: &Recovery,
        around: &mut Around<'_>,
        trouble: Trouble,
    ) -> Result<Option<SessionOutcome>, SinkError> {
        match trouble {
            Trouble::Cut => return Err(lost("the broker")),
            // A trip's two outputs never come apart: of `trip-split` a batch gets lost.
            Trouble::OutputLost if key.module == Module::DockWindow => {}
            Trouble::Skip | Trouble::OutputLost => self.stream.skip(around.log),
            Trouble::Silence => self.stream.is_silent = true,
            _ => {}
        }
        if self.batch.is_some() && trouble != Trouble::Gather {
            return self.write(key, around, trouble).map(|()| None);
        }
        let batches_max = 1 + usize::from(trouble == Trouble::Gather);
        let Some(mut response) = self.stream.respond(around.log, batches_max) else {
            return self.listen(key, recovery, around, trouble);
        };
        self.heard_at = around.now_ms;
        self.has_heard = true;
        self.listening.heard();
        if trouble == Trouble::OutputLost && key.module == Module::DockWindow {
            response.outputs.remove(response.outputs.len() / 2);
        }
        let outputs = response.outputs.iter().map(Vec::as_slice);
        let later = self.decoder.decode_values(outputs, response.epoch)?;
        match (&mut self.batch, later) {
            (Some(batch), Some(later)) => batch.append(later),
            (None, later) => self.batch = later,
            (Some(_), None) => {}
        }
        Ok(None)
    }

    /// Nothing has come: asks where the log ends, if it takes too long.
    fn listen(
        &mut self,
        key: &StreamKey,
        recovery: &Recovery,
        around: &Around<'_>,
        trouble: Trouble,
    ) -> Result<Option<SessionOutcome>, SinkError> {
        let patience = u64::try_from(recovery.patience().as_millis()).unwrap_or(u64::MAX);
        let factor = if self.has_heard {
            1
        } else {
            FIRST_RESPONSE_FACTOR
        };
        if around.now_ms < self.heard_at + patience.saturating_mul(factor) {
            return Ok(None);
        }
        self.heard_at = around.now_ms;
        if !self.listening.is_to_request_range() {
            return Err(lost("the broker"));
        }
        // The response to the request may get lost as well.
        if trouble == Trouble::OutputLost {
            return Ok(None);
        }
        let (offset, end) = (self.decoder.next_offset(), around.log.replicated);
        match self.listening.on_range(end, offset, recovery) {
            Silence::Skipped => Err(SinkError::Silence {
                position: key.at(offset),
                module: key.module.name(),
                end,
            }),
            Silence::ReadAgain => Ok(Some(SessionOutcome::Quiet { offset })),
            Silence::Quiet { until } => {
                self.quiet_until = until;
                Ok(None)
            }
        }
    }

    fn write(
        &mut self,
        key: &StreamKey,
        around: &mut Around<'_>,
        trouble: Trouble,
    ) -> Result<(), SinkError> {
        let Some(batch) = self.batch.take() else {
            return Ok(());
        };
        if !around.database.is_open(self.connection) {
            return Err(lost("the database"));
        }
        let database = &mut *around.database;
        let stream = ((key.partition, key.module), around.config.member.as_str());
        let place = (self.generation, self.written);
        let moved = match &batch {
            Batch::Split(chunks) => {
                let Some(last) = chunks.last() else {
                    return Ok(());
                };
                for station in chunks.iter().flat_map(|chunk| &chunk.stations) {
                    self.locations.push(database.location(&station.station_id));
                }
                let update = CursorUpdate::of_split(chunks, last);
                database.begin(stream, place, &update, split_rows(chunks, &self.locations))
            }
            Batch::Windows(chunk) => {
                let update = CursorUpdate::of_windows(chunk).map_err(|_| lost("the state"))?;
                database.begin(stream, place, &update, window_rows(chunk))
            }
        };
        let moved = moved.map_err(|refused| failed(key, self.written, refused))?;
        match trouble {
            Trouble::Uncommitted => return Err(lost("the database")),
            Trouble::Undecided => {
                database.leave_undecided(moved);
                return Err(lost("the database"));
            }
            Trouble::Committed => {
                database.commit(moved);
                return Err(lost("the database"));
            }
            _ => database.commit(moved),
        }
        let from = self.written;
        match &batch {
            Batch::Split(chunks) => {
                self.written = chunks.last().map_or(from, |chunk| chunk.next_offset);
                let location = |station: u32| self.locations[station as usize];
                if let Some(committed) = Committed::of(chunks, from..self.written, location) {
                    around.recent.offer(key.partition, committed);
                }
            }
            Batch::Windows(chunk) => self.written = chunk.next_offset,
        }
        Ok(())
    }
}

fn split_rows(chunks: &[SplitChunk], locations: &[i32]) -> Rows {
    let mut rows = Rows::default();
    for chunk in chunks {
        rows.events.extend(chunk.events.iter().map(|event| {
            let row = Event {
                at: event.at.as_micros(),
                bike: chunk.bike_id(event).map(str::to_owned),
                location: locations[event.station as usize],
                docked: event.docked,
            };
            (event.id.0, row)
        }));
        let rejects = chunk.rejects.iter();
        let rejects = rejects.map(|row| (row.id.0, row.reject.file.clone(), row.reject.line));
        rows.rejects.extend(rejects);
    }
    rows
}

fn window_rows(chunk: &WindowChunk) -> Rows {
    let counts = |windows: &std::collections::BTreeMap<chrono::DateTime<chrono::Utc>, u64>| {
        let windows = windows.iter();
        windows
            .map(|(start, count)| (start.timestamp_micros(), *count))
            .collect()
    };
    Rows {
        closed: counts(&chunk.closed),
        late: counts(&chunk.late),
        ..Rows::default()
    }
}

fn failed(key: &StreamKey, offset: i64, refused: Refused) -> SinkError {
    match refused {
        Refused::Lost => lost("the database"),
        Refused::Fenced => SinkError::Fenced {
            position: key.at(offset),
            module: key.module.name(),
            owner: "another sink".to_owned(),
        },
    }
}

/// An error that passes.
fn lost(what: &str) -> SinkError {
    SinkError::Broker {
        doing: format!("reach {what}"),
        source: anyhow::anyhow!("the connection is lost"),
    }
}
