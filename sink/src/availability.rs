//! Publishes what the app reads: bikes at each dock at the replay clock.
//!
//! One task a database, elected by an advisory lock on the connection that also publishes: a task
//! that loses its connection loses the lock with it, and publishes no more. It keeps all docks in memory, reads what
//! the stream tasks of any sink process have committed to `records`, and writes the docks that
//! changed, the stations that moved, the clock and a NOTIFY in one statement.
//!
//! ```text
//! records ─▶ [`memory::Memory`] (domain::Availability) ─▶ [`publish`] ─▶ availability, replay_clock
//! location_history ───┤ now and then                          location      └▶ NOTIFY availability
//!                    └▶ availability_checkpoint
//! ```
//!
//! Beside the checkpoint it keeps the past (`past_period`), which [`rebuild`] makes anew where it has to be.
//!
//! The clock is the least watermark of the partitions' `trip-split` cursors and never goes back.

mod baseline;
mod checkpoint;
mod committed;
mod docks;
mod locations;
mod memory;
mod past;
mod publish;
mod rebuild;
mod statuses;

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;

pub use self::committed::{CommittedOffsets, CommittedPartition};
pub use self::docks::{Docks, Step};
use self::memory::Memory;
use self::publish::Published;
use self::rebuild::Rebuild;
use crate::database;
use crate::error::SinkError;
use crate::retention::Retention;
use crate::shared::{Shared, stop_deadline};
use crate::state::AvailabilityState;

/// Held by the one task that publishes.
pub(crate) const PUBLISHER_LOCK: i64 = 0x6269_6b65_0002;
/// A publish may take one part in so many of the time, up to the longest pause: after one that took
/// 5 ms the next waits 15 ms.
const PUBLISH_SHARE: u32 = 4;

/// Publishes, or waits for the lock of the one that does, until the sink is stopped.
pub(crate) async fn run(shared: Shared) {
    let mut backoff = shared.backoff();
    while !shared.stop.is_cancelled() {
        let stopped = stop_deadline(shared.stop.clone(), shared.config.stop_max);
        let ended = tokio::select! {
            ended = publish_session(&shared) => ended,
            () = stopped => return tracing::warn!("availability left a statement that did not end"),
        };
        let Err(error) = ended else {
            continue;
        };
        let text = error.chain();
        let pause = backoff.next_pause();
        tracing::warn!(error = %text, pause_ms = pause.as_millis(), "availability retries");
        show(&shared, |state| {
            state.publishes = false;
            state.last_error = Some(text);
        });
        shared.pause(pause).await;
    }
}

/// Waits for the lock, then publishes until stopped; on an error the connection and the memory are
/// thrown away, and the next session starts from what is stored.
async fn publish_session(shared: &Shared) -> Result<(), SinkError> {
    let mut connection = shared.connect("availability").await?;
    if wait_for_lock(shared, &mut connection).await? {
        shared.recent.open();
        let ended = publish_until_stopped(shared, &mut connection).await;
        shared.recent.close();
        ended?;
    }
    database::close(connection).await;
    Ok(())
}

/// Takes the publisher's lock; false if the sink is stopped before. Shows the other's clock meanwhile.
async fn wait_for_lock(shared: &Shared, connection: &mut PgConnection) -> Result<bool, SinkError> {
    let mut has_logged = false;
    loop {
        let locking = try_lock(connection);
        if with_timeout(shared, "take the publisher's lock", locking).await? {
            return Ok(true);
        }
        if !has_logged {
            tracing::info!("another sink publishes the availability; this one waits");
            has_logged = true;
        }
        let loading = Published::load(connection);
        let published = with_timeout(shared, "read what is published", loading).await?;
        show(shared, |state| {
            state.publishes = false;
            state.clock = published.clock;
            state.version = published.version;
            state.docks = published.docks.len();
        });
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(shared.config.poll_interval) => {}
        }
    }
}

async fn try_lock(connection: &mut PgConnection) -> Result<bool, SinkError> {
    let (locked,): (bool,) = sqlx::query_as("select pg_try_advisory_lock($1)")
        .bind(PUBLISHER_LOCK)
        .fetch_one(connection)
        .await
        .map_err(SinkError::database("take the publisher's lock"))?;
    Ok(locked)
}

async fn publish_until_stopped(
    shared: &Shared,
    connection: &mut PgConnection,
) -> Result<(), SinkError> {
    let config = &shared.config;
    let loading = Published::load(connection);
    let mut published = with_timeout(shared, "read what is published", loading).await?;
    let loading = Memory::load(connection, config.ahead_max);
    let mut memory = with_timeout(shared, "read the checkpoint", loading).await?;
    let mut saves = SaveSchedule::new(config.checkpoint, memory.events());
    let mut pace = PublishPace::new(config.publish_interval);
    memory.mark_all(published.docks.keys().copied());
    let mut rebuild = Rebuild::default();
    let mut retention = Retention::default();
    show(shared, |state| {
        state.publishes = true;
        state.clock = published.clock;
        state.version = published.version;
    });
    while !shared.stop.is_cancelled() {
        let loading = CommittedOffsets::load(connection, &config.topic);
        let committed = with_timeout(shared, "read the cursors", loading).await?;
        // Bounded steps, so that a long catching up is shown and saved on its way.
        while !shared.stop.is_cancelled() {
            let step = memory.step(connection, &committed, &shared.recent);
            let is_last = !with_timeout(shared, "read the records", step).await?;
            if is_last {
                pace.wait().await;
            }
            if is_last || pace.is_due() {
                pace.start();
                publish(shared, connection, &mut memory, &mut published).await?;
                pace.end();
            }
            let saving = saves.save_if_due(connection, &mut memory);
            with_timeout(shared, "save the checkpoint", saving).await?;
            if is_last {
                break;
            }
        }
        if let Some(clock) = memory
            .clock()
            .filter(|_| memory.past_stale_from().is_some())
            && let Some(rebuilt) = rebuild.poll(shared, clock, memory.next_offsets())
        {
            let adopting = memory.adopt(connection, rebuilt);
            if with_timeout(shared, "read the rest of the past", adopting).await? {
                publish(shared, connection, &mut memory, &mut published).await?;
                let saving = saves.save(connection, &mut memory);
                with_timeout(shared, "save the past", saving).await?;
            }
        }
        if let Some(clock) = memory.clock()
            && let Some(dropped) = retention.poll(shared, clock)
        {
            show(shared, |state| state.rows_dropped += dropped);
        }
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = shared.written.notified() => {}
            () = tokio::time::sleep(config.poll_interval) => {}
        }
    }
    let saving = saves.save_if_changed(connection, &mut memory);
    with_timeout(shared, "save the checkpoint", saving).await
}

/// Waits for Postgres at most as long as the configuration allows.
async fn with_timeout<T>(
    shared: &Shared,
    doing: &str,
    work: impl Future<Output = Result<T, SinkError>>,
) -> Result<T, SinkError> {
    database::with_timeout(shared.config.database_max, doing, work).await
}

/// Publishes the docks that changed or moved, unless the clock is still behind the published one.
async fn publish(
    shared: &Shared,
    connection: &mut PgConnection,
    memory: &mut Memory,
    published: &mut Published,
) -> Result<(), SinkError> {
    let clock = memory.clock();
    if clock < published.clock {
        return Ok(());
    }
    if let Some(clock) = clock {
        let moved = memory.locations().unpublished();
        let docks = moved.iter().map(|(station, _)| *station);
        let docks = docks.filter(|dock| published.docks.contains_key(dock));
        memory.mark_all(docks.collect::<Vec<_>>());
        let publishing = published.publish(connection, clock, memory.take_changed(), &moved);
        with_timeout(shared, "publish the availability", publishing).await?;
        memory.locations().shown(moved);
    }
    show(shared, |state| {
        state.next_offsets = memory.next_offsets();
        state.clock = published.clock;
        state.version = published.version;
        state.docks = published.docks.len();
        state.events = memory.events();
        state.past_stale_from = memory.past_stale_from();
        state.last_error = None;
    });
    Ok(())
}

fn show(shared: &Shared, change: impl FnOnce(&mut AvailabilityState)) {
    shared.state.send_if_modified(|state| {
        let before = state.availability.clone();
        change(&mut state.availability);
        state.availability != before
    });
}

/// When to publish next.
struct PublishPace {
    shortest: Duration,
    longest: Duration,
    started: Option<Instant>,
    next: Instant,
}

impl PublishPace {
    fn new((shortest, longest): (Duration, Duration)) -> Self {
        Self {
            shortest,
            longest,
            started: None,
            next: Instant::now(),
        }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    async fn wait(&self) {
        tokio::time::sleep_until(self.next.into()).await;
    }

    fn start(&mut self) {
        self.started = Some(Instant::now());
    }

    fn end(&mut self) {
        if let Some(started) = self.started.take() {
            let took = started.elapsed();
            // One publish that waited for a lock must not hold the next ones back.
            let pause = (took * (PUBLISH_SHARE - 1)).min(self.longest);
            self.next = started + (took + pause).max(self.shortest);
        }
    }
}

/// When to save the memory next.
struct SaveSchedule {
    events_max: u64,
    age_max: Duration,
    saved_events: u64,
    saved_at: Instant,
}

impl SaveSchedule {
    fn new((events_max, age_max): (u64, Duration), events: u64) -> Self {
        Self {
            events_max,
            age_max,
            saved_events: events,
            saved_at: Instant::now(),
        }
    }

    async fn save_if_due(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
    ) -> Result<(), SinkError> {
        let unsaved = memory.events() - self.saved_events;
        let due = unsaved >= self.events_max || self.saved_at.elapsed() >= self.age_max;
        if due {
            self.save_if_changed(connection, memory).await
        } else {
            Ok(())
        }
    }

    async fn save_if_changed(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
    ) -> Result<(), SinkError> {
        if memory.events() > self.saved_events {
            return self.save(connection, memory).await;
        }
        self.saved_at = Instant::now();
        Ok(())
    }

    async fn save(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
    ) -> Result<(), SinkError> {
        memory.save(connection).await?;
        self.saved_events = memory.events();
        self.saved_at = Instant::now();
        Ok(())
    }
}
