//! All docks in memory, kept up with `records` and `dock_status`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Availability;
use domain::availability::{BikeEvent, DockCount};
use domain::past::Recorder;
use domain::{Ordinal, RecordId};
use futures_util::TryStreamExt;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::checkpoint::Checkpoint;
use super::committed::CommittedOffsets;
use super::locations::Locations;
use super::past;
use super::rebuild::Rebuilt;
use super::statuses::read_statuses;
use crate::copy::RecordsDecoder;
use crate::error::SinkError;
use crate::recent::Recent;

/// Offsets read in one step: two events each, in every partition that takes part.
const STEP_OFFSETS: i64 = 16_384;

/// The docks, and which rows they are made of.
pub(crate) struct Memory {
    availability: Availability,
    locations: Locations,
    /// By partition: every row before `next_offset` is in.
    partitions: BTreeMap<u32, AppliedPartition>,
    /// Events ahead of the clock wait in memory: at most this much of event time.
    ahead_max: TimeDelta,
    events: u64,
    /// Docks to publish although no event has touched them.
    marked: Vec<i32>,
    /// From when on the past that is stored is not right: the availability records none meanwhile.
    past_stale_from: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct AppliedPartition {
    next_offset: i64,
    /// Newest departure or status applied.
    watermark: Option<DateTime<Utc>>,
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
        let watermark = availability.clock();
        let partitions = next_offsets.into_iter().map(|(partition, next_offset)| {
            (
                partition,
                AppliedPartition {
                    next_offset,
                    watermark,
                },
            )
        });
        Ok(Self {
            availability,
            locations,
            partitions: partitions.collect(),
            ahead_max: TimeDelta::from_std(ahead_max).unwrap_or(TimeDelta::MAX),
            events: 0,
            marked: Vec::new(),
            past_stale_from,
        })
    }

    /// Keeps the state for the next start, and the past up to the clock: both or neither.
    pub(crate) async fn save(&mut self, connection: &mut PgConnection) -> Result<(), SinkError> {
        let failed = || SinkError::database("save the availability");
        let mut transaction = connection.begin().await.map_err(failed())?;
        let state = (&self.availability, self.locations.newest());
        let (offsets, stale_from) = (self.next_offsets(), self.past_stale_from);
        Checkpoint::save(&mut transaction, state, &offsets, stale_from).await?;
        let clock = self.availability.clock();
        if let Some((recorder, clock)) = self.availability.recorder().zip(clock) {
            past::write(&mut transaction, &recorder.take(clock)).await?;
        }
        transaction.commit().await.map_err(failed())
    }

    /// From when on the past has to be made anew, if it has.
    pub(crate) fn past_stale_from(&self) -> Option<DateTime<Utc>> {
        self.past_stale_from
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
                self.availability = *availability;
                tracing::info!("the past is right");
            }
            Rebuilt::RowsAreMissing(events) => {
                tracing::warn!(
                    "rows were deleted that the past was made of: it stays, without what came late"
                );
                let counts = self.availability.counts();
                let recorder = Recorder::beginning_at(clock, counts, events);
                self.availability.record(Some(recorder));
            }
        }
        self.past_stale_from = None;
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
        let missing = self.partitions.iter().map(|(partition, applied)| {
            let range = (next(*partition), applied.next_offset);
            (*partition, range)
        });
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
        let partitions = self.partitions.iter();
        partitions
            .map(|(partition, applied)| (*partition, applied.next_offset))
            .collect()
    }

    pub(crate) fn clock(&self) -> Option<DateTime<Utc>> {
        self.availability.clock()
    }

    /// Rows applied since the start.
    pub(crate) fn events(&self) -> u64 {
        self.events
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
            .map(|dock| (dock, self.availability.count(dock)));
        let mut changed: BTreeMap<_, _> = marked.collect();
        changed.extend(self.availability.take_changed());
        changed
    }

    /// Applies the next rows, of `recent` or of the tables, and moves the clock; false if there were none.
    ///
    /// The partition with the least watermark is read first, and with it those that are little
    /// ahead: like a merge by time, so that few events wait in memory for the clock.
    pub(crate) async fn step(
        &mut self,
        connection: &mut PgConnection,
        committed: &CommittedOffsets,
        recent: &Recent,
    ) -> Result<bool, SinkError> {
        let active = self.active(committed);
        let Some(start) = active.values().map(|range| range.0).min() else {
            self.advance(committed);
            return Ok(false);
        };
        let end = start + STEP_OFFSETS;
        let active: BTreeMap<_, _> = active
            .into_iter()
            .filter(|(_, range)| range.0 < end)
            .collect();
        let (mut events, missing) = take_recent(recent, &active, end);
        if !missing.is_empty() {
            let read = read(connection, start, end, missing.keys().copied()).await?;
            events.extend(
                read.into_iter()
                    .filter(|event| is_in(&missing, event.record_id())),
            );
        }
        let ids = (first_id(start), first_id(end));
        let mut statuses = read_statuses(connection, ids).await?;
        statuses.retain(|status| is_in(&active, RecordId(status.id)));
        self.locations.read(connection, ids).await?;
        // Nothing can fail from here on: a step is in memory with all its rows, or not at all.
        for (partition, range) in &active {
            self.partitions.entry(*partition).or_default().next_offset = range.1.min(end);
        }
        self.events += (events.len() + statuses.len()) as u64;
        for event in events {
            self.apply(event);
        }
        for status in statuses {
            self.raise_watermark(RecordId(status.id), status.at);
            self.locations
                .note_event(status.location_id, (status.at, status.id));
            self.availability.apply_status(status);
        }
        if let Some(late) = self.availability.take_late() {
            let stale_from = self.past_stale_from.map_or(late, |from| from.min(late));
            self.past_stale_from = Some(stale_from);
        }
        self.advance(committed);
        Ok(true)
    }

    /// The partitions to read now, each with the offset range that is committed and not read yet.
    fn active(&self, committed: &CommittedOffsets) -> BTreeMap<u32, (i64, i64)> {
        let limit = self.least_watermark(committed).map(|least| {
            least
                .checked_add_signed(self.ahead_max)
                .unwrap_or(DateTime::<Utc>::MAX_UTC)
        });
        let unread = committed
            .partitions
            .iter()
            .filter_map(|(partition, stored)| {
                let applied = self.applied(*partition);
                let unread = applied.next_offset < stored.next_offset;
                // A partition with no watermark yet is the least, so it has no limit.
                let ahead = applied.watermark.is_some() && applied.watermark > limit;
                (unread && !ahead)
                    .then_some((*partition, (applied.next_offset, stored.next_offset)))
            });
        unread.collect()
    }

    fn applied(&self, partition: u32) -> AppliedPartition {
        self.partitions.get(&partition).copied().unwrap_or_default()
    }

    /// The least of the partitions' watermarks, of what has been applied; none if one has none.
    fn least_watermark(&self, committed: &CommittedOffsets) -> Option<DateTime<Utc>> {
        let watermarks = committed.partitions.iter().map(|(partition, stored)| {
            let applied = self.applied(*partition);
            let all = applied.next_offset >= stored.next_offset;
            if all {
                stored.watermark
            } else {
                applied.watermark
            }
        });
        watermarks.min().flatten()
    }

    fn advance(&mut self, committed: &CommittedOffsets) {
        if let Some(clock) = self.least_watermark(committed) {
            self.availability.advance(clock);
        }
    }

    fn apply(&mut self, event: BikeEvent) {
        let id = event.record_id();
        if id.ordinal() == Ordinal::Departure {
            self.raise_watermark(id, event.at);
        }
        self.locations
            .note_event(event.location_id, (event.at, event.id));
        self.availability.apply(event);
    }

    fn raise_watermark(&mut self, id: RecordId, at: DateTime<Utc>) {
        let applied = self.partitions.entry(id.partition()).or_default();
        applied.watermark = applied.watermark.max(Some(at));
    }
}

/// Takes what is kept of the ranges up to `end`; gives the ranges back of which some is not.
fn take_recent(
    recent: &Recent,
    active: &BTreeMap<u32, (i64, i64)>,
    end: i64,
) -> (Vec<BikeEvent>, BTreeMap<u32, (i64, i64)>) {
    let mut events = Vec::new();
    let mut missing = BTreeMap::new();
    for (partition, range) in active {
        match recent.take(*partition, range.0..range.1.min(end)) {
            Some(more) => events.extend(more),
            None => drop(missing.insert(*partition, *range)),
        }
    }
    (events, missing)
}

fn is_in(active: &BTreeMap<u32, (i64, i64)>, id: RecordId) -> bool {
    let range = active.get(&id.partition());
    range.is_some_and(|(start, end)| (*start..*end).contains(&id.offset()))
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

/// The least id of any row with this offset.
fn first_id(offset: i64) -> i64 {
    RecordId::pack(offset, 0, Ordinal::Departure).0
}
