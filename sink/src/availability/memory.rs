//! All docks in memory, kept up with `records` and `dock_status`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::Availability;
use domain::RecordId;
use domain::availability::{BikeEvent, DockCount};
use domain::past::Recorder;
use futures_util::TryStreamExt;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::checkpoint::Checkpoint;
use super::committed::CommittedOffsets;
use super::docks::{Docks, STEP_OFFSETS, first_id, is_in};
use super::locations::Locations;
use super::past;
use super::rebuild::Rebuilt;
use super::statuses::read_statuses;
use crate::copy::RecordsDecoder;
use crate::error::SinkError;
use crate::recent::Recent;

/// The docks, and which rows they are made of.
pub(crate) struct Memory {
    docks: Docks,
    locations: Locations,
    /// Docks to publish although no event has touched them.
    marked: Vec<i32>,
}

impl Memory {
    /// Starts from the checkpoint; if there is none that can be read, from what was dropped, with all rows
    /// to read.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        ahead_max: Duration,
    ) -> Result<Self, SinkError> {
        let checkpoint = match Checkpoint::load(connection).await? {
            Some(checkpoint) => checkpoint,
            None => Checkpoint::from_baseline(connection).await?,
        };
        let Checkpoint {
            mut availability,
            newest,
            next_offsets,
            mut past_stale_from,
        } = checkpoint;
        let locations = Locations::load(connection, newest).await?;
        if past_stale_from.is_none() && !past::resume(connection, &mut availability).await? {
            past_stale_from = Some(DateTime::UNIX_EPOCH);
        }
        Ok(Self {
            docks: Docks::resume(availability, next_offsets, past_stale_from, ahead_max),
            locations,
            marked: Vec::new(),
        })
    }

    /// Keeps the state for the next start, and the past up to the clock: both or neither.
    pub(crate) async fn save(&mut self, connection: &mut PgConnection) -> Result<(), SinkError> {
        let failed = || SinkError::database("save the availability");
        let mut transaction = connection.begin().await.map_err(failed())?;
        let state = (self.docks.availability(), self.locations.newest());
        let (offsets, stale_from) = (self.next_offsets(), self.past_stale_from());
        Checkpoint::save(&mut transaction, state, &offsets, stale_from).await?;
        let clock = self.clock();
        if let Some((recorder, clock)) = self.docks.availability_mut().recorder().zip(clock) {
            past::write(&mut transaction, &recorder.take(clock)).await?;
        }
        transaction.commit().await.map_err(failed())
    }

    /// From when on the past has to be made anew, if it has.
    pub(crate) fn past_stale_from(&self) -> Option<DateTime<Utc>> {
        self.docks.past_stale_from()
    }

    /// Takes over docks whose past is right, when they have all that this memory has; whether they
    /// are: if something came too late for them as well, they are not.
    pub(crate) async fn adopt(
        &mut self,
        connection: &mut PgConnection,
        rebuilt: Rebuilt,
    ) -> Result<bool, SinkError> {
        let Some(clock) = self.clock() else {
            return Ok(false);
        };
        match rebuilt {
            Rebuilt::Past(mut availability, next_offsets) => {
                self.read_rest(connection, &mut availability, next_offsets)
                    .await?;
                if availability.take_late().is_some() {
                    return Ok(false);
                }
                availability.advance(clock);
                // Estimates that late events had made wrong are right now.
                self.mark_all(availability.counts().map(|(dock, _)| dock));
                *self.docks.availability_mut() = *availability;
                tracing::info!("the past is right");
            }
            Rebuilt::RowsAreMissing(events) => {
                tracing::warn!(
                    "rows were deleted that the past was made of: it stays, without what came late"
                );
                let availability = self.docks.availability_mut();
                let recorder = Recorder::beginning_at(clock, availability.counts(), events);
                availability.record(Some(recorder));
            }
        }
        self.docks.past_is_right();
        Ok(true)
    }

    /// Applies what this memory has and other docks have not.
    async fn read_rest(
        &self,
        connection: &mut PgConnection,
        availability: &mut Availability,
        next_offsets: BTreeMap<u32, i64>,
    ) -> Result<(), SinkError> {
        let next = |partition| next_offsets.get(&partition).copied().unwrap_or(0);
        let applied = self.next_offsets().into_iter();
        let missing = applied.map(|(partition, end)| (partition, (next(partition), end)));
        let mut missing: BTreeMap<_, _> = missing.collect();
        missing.retain(|_, (start, end)| start < end);
        let mut start = missing.values().map(|(start, _)| *start).min().unwrap_or(0);
        let last = missing.values().map(|(_, end)| *end).max().unwrap_or(0);
        while start < last {
            let end = last.min(start + STEP_OFFSETS);
            let events = read(connection, start, end, missing.keys().copied()).await?;
            let events = events.into_iter();
            events
                .filter(|event| is_in(&missing, event.record_id()))
                .for_each(|event| availability.apply(event));
            let statuses = read_statuses(connection, (first_id(start), first_id(end))).await?;
            let statuses = statuses.into_iter();
            statuses
                .filter(|status| is_in(&missing, RecordId(status.id)))
                .for_each(|status| availability.apply_status(status));
            start = end;
        }
        Ok(())
    }

    /// By partition: every row before it is in.
    pub(crate) fn next_offsets(&self) -> BTreeMap<u32, i64> {
        self.docks.next_offsets()
    }

    pub(crate) fn clock(&self) -> Option<DateTime<Utc>> {
        self.docks.clock()
    }

    /// Rows applied since the start.
    pub(crate) fn events(&self) -> u64 {
        self.docks.events()
    }

    /// Where stations are, and where they are shown.
    pub(crate) fn locations(&mut self) -> &mut Locations {
        &mut self.locations
    }

    /// Lets the next [`Self::take_changed`] give these docks too.
    pub(crate) fn mark_all(&mut self, docks: impl IntoIterator<Item = i32>) {
        self.marked.extend(docks);
    }

    /// Docks that may have changed since the last call, with their counts at the clock.
    pub(crate) fn take_changed(&mut self) -> BTreeMap<i32, DockCount> {
        let marked = std::mem::take(&mut self.marked);
        let marked = marked
            .into_iter()
            .map(|dock| (dock, self.docks.availability().count(dock)));
        let mut changed: BTreeMap<_, _> = marked.collect();
        changed.extend(self.docks.availability_mut().take_changed());
        changed
    }

    /// Applies the next rows, of `recent` or of the tables, and moves the clock; false if there were none.
    pub(crate) async fn step(
        &mut self,
        connection: &mut PgConnection,
        committed: &CommittedOffsets,
        recent: &Recent,
    ) -> Result<bool, SinkError> {
        let Some(mut step) = self.docks.next_step(committed) else {
            self.docks.advance(committed);
            return Ok(false);
        };
        step.take_recent(recent);
        if step.misses_events() {
            let (start, end) = step.offsets();
            step.add_events(read(connection, start, end, step.missing()).await?);
        }
        let ids = step.ids();
        step.add_statuses(read_statuses(connection, ids).await?);
        self.locations.read(connection, ids).await?;
        // Nothing can fail from here on: a step is in memory with all its rows, or not at all.
        for (location_id, newest) in step.newest() {
            self.locations.note_event(location_id, newest);
        }
        self.docks.apply(step, committed);
        Ok(true)
    }
}

/// Reads the events of some partitions with offsets in `[start, end)`; inferred ones are left out,
/// because the statuses they come from say more.
///
/// One range scan of the primary key; rows of other partitions are passed over.
async fn read(
    connection: &mut PgConnection,
    start: i64,
    end: i64,
    partitions: impl Iterator<Item = u32>,
) -> Result<Vec<BikeEvent>, SinkError> {
    let failed = || SinkError::database(format!("read records from offset {start} on"));
    let id = first_id;
    let partitions: Vec<_> = partitions.map(|partition| partition.to_string()).collect();
    let statement = format!(
        "copy (select id, time, bike_id, location_id, docked from records
               where id >= {} and id < {} and (id >> 1) & 1023 in ({}) and not inferred)
         to stdout (format binary)",
        id(start),
        id(end),
        partitions.join(", "),
    );
    let mut decoder = RecordsDecoder::default();
    let mut events = Vec::new();
    let mut pieces = connection
        .copy_out_raw(&statement)
        .await
        .map_err(failed())?;
    while let Some(piece) = pieces.try_next().await.map_err(failed())? {
        decoder
            .push(&piece, &mut events)
            .ok_or_else(|| sqlx::Error::Protocol("malformed binary copy".to_owned()))
            .map_err(failed())?;
    }
    Ok(events)
}
