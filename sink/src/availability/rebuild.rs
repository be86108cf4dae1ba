//! Makes the past anew from the tables, where something came late or nothing was recorded.
//!
//! Late events come out of order of time, so all that is stored is read once more in that order:
//! Postgres sorts it on its disk, and this side holds one portion. It is written in one transaction,
//! so that readers have the older past until the new one is whole. A task of its own reads while the
//! availability goes on, and then hands over an availability that catches up as any other does.
//!
//! Where old months were dropped it begins with what they said of the docks, and the past before stays as
//! it is. Where rows were deleted by hand less would be found than was recorded. Then all that is stored
//! stays, and the past goes on from now.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::availability::BikeEvent;
use domain::past::Recorder;
use domain::{Availability, RecordId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::statuses::{STATUS_COLUMNS, StatusRow, dock_status};
use super::{baseline, past};
use crate::background::Background;
use crate::database;
use crate::error::SinkError;
use crate::shared::Shared;

/// The next one begins no sooner than so many times as long as the last one took.
const REST: u32 = 9;

/// How long Postgres may take for one portion (chosen: to sort all rows for the first one takes minutes).
const PORTION_MAX: Duration = Duration::from_secs(3_600);

/// Rows read at a time: about 1 MB.
const ROWS: usize = 16_384;

/// By partition the first offset that is not in.
type NextOffsets = BTreeMap<u32, i64>;

/// `id, time, bike_id, location_id, docked`
type EventRow = (i64, DateTime<Utc>, Option<String>, i32, bool);

/// What came of reading everything anew.
pub(crate) enum Rebuilt {
    /// The docks at the clock that was asked for, recording, and what they are made of.
    Past(Box<Availability>, NextOffsets),
    /// Rows are missing that were recorded: so many events are in the past that stays.
    RowsAreMissing(u64),
}

/// The task, while one is needed.
pub(crate) struct Rebuild(Background<Rebuilt>);

impl Default for Rebuild {
    fn default() -> Self {
        Self(Background::new("make the past anew"))
    }
}

impl Rebuild {
    /// Begins if nothing is under way, and gives what has come of it when it has ended.
    ///
    /// Where events keep coming late, all would be read again and again: it takes one part in ten of the
    /// time.
    pub(crate) fn poll(
        &mut self,
        shared: &Shared,
        clock: DateTime<Utc>,
        next_offsets: NextOffsets,
    ) -> Option<Rebuilt> {
        if self.0.is_due() {
            tracing::info!("makes the past anew");
            self.0.start(read_all(shared.clone(), clock, next_offsets));
        }
        self.0.take(|took| took * REST)
    }
}

/// Reads all rows before `next_offsets` in order of time, and writes the periods that are complete.
async fn read_all(
    shared: Shared,
    clock: DateTime<Utc>,
    next_offsets: NextOffsets,
) -> Result<Rebuilt, SinkError> {
    let mut connection = shared.connect("past").await?;
    let failed = || SinkError::database("make the past anew");
    let mut transaction = connection.begin().await.map_err(failed())?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(declare()))
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    // Behind the cursors: what they do not find any more is in here, and nothing is dropped under them.
    let (baseline, _) = baseline::load(&mut transaction).await?;
    let mut reading = Reading {
        dropped_until: baseline.until,
        events: baseline.events,
        availability: Availability::from(baseline),
        is_recording: false,
        next_offsets,
        statuses_until: None,
    };
    if reading.dropped_until.is_none() {
        reading.record(Recorder::default());
    }
    let mut is_last = false;
    while !is_last {
        let portion = async {
            let any = reading.step(&mut transaction, clock).await?;
            Ok((!any, reading.write(&mut transaction).await?))
        };
        let missing;
        (is_last, missing) =
            database::with_timeout(PORTION_MAX, "make the past anew", portion).await?;
        if let Some(events) = missing {
            return Ok(Rebuilt::RowsAreMissing(events));
        }
    }
    transaction.commit().await.map_err(failed())?;
    database::close(connection).await;
    let Reading {
        availability,
        next_offsets,
        ..
    } = reading;
    Ok(Rebuilt::Past(Box::new(availability), next_offsets))
}

/// Two cursors in order of time; each sorts when it is first read.
fn declare() -> String {
    format!(
        "set local work_mem = '32MB';
         declare past_events no scroll cursor for
             select id, time, bike_id, location_id, docked from records
             where not inferred order by time, id;
         declare past_statuses no scroll cursor for
             select {STATUS_COLUMNS} from dock_status order by time, id"
    )
}

struct Reading {
    availability: Availability,
    /// Rows before it were dropped; none: none were.
    dropped_until: Option<DateTime<Utc>>,
    /// Events and statuses that were dropped, or came behind that.
    events: u64,
    is_recording: bool,
    next_offsets: NextOffsets,
    /// All statuses before it are in; the end of time when there are no more.
    statuses_until: Option<DateTime<Utc>>,
}

impl Reading {
    fn record(&mut self, recorder: Recorder) {
        self.availability.record(Some(recorder));
        self.is_recording = true;
    }

    /// Counts what comes behind what was dropped: it is in the docks that recording begins with.
    fn count_early(&mut self, at: DateTime<Utc>) {
        let is_early = Some(at) <= self.dropped_until;
        self.events += u64::from(is_early && !self.is_recording);
    }

    /// Begins to record where the rows that were dropped end.
    fn record_from(&mut self, until: DateTime<Utc>) {
        if let Some(start) = self.dropped_until.filter(|start| *start <= until)
            && !self.is_recording
        {
            let recorder = Recorder::beginning_at(start, self.availability.counts(), self.events);
            self.record(recorder);
            // What came behind the start is in the docks that it begins with.
            self.availability.take_late();
        }
    }

    /// Takes the next events in; false if there were none.
    async fn step(
        &mut self,
        connection: &mut PgConnection,
        clock: DateTime<Utc>,
    ) -> Result<bool, SinkError> {
        let failed = SinkError::database("read records in order of time");
        let fetch = format!("fetch {ROWS} from past_events");
        let rows: Vec<EventRow> = sqlx::query_as(sqlx::AssertSqlSafe(fetch))
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
        let until = rows.last().map_or(clock, |(_, at, ..)| clock.min(*at));
        while self.statuses_until < Some(until) {
            self.read_statuses(connection).await?;
        }
        let any = !rows.is_empty();
        for (id, at, bike_id, location_id, docked) in rows {
            if self.is_in(id) {
                self.count_early(at);
                self.availability.apply(BikeEvent {
                    at,
                    id,
                    bike_id: bike_id.map(String::into_boxed_str),
                    location_id,
                    docked,
                });
            }
        }
        self.record_from(until);
        self.availability.advance(until);
        Ok(any)
    }

    async fn read_statuses(&mut self, connection: &mut PgConnection) -> Result<(), SinkError> {
        let failed = SinkError::database("read statuses in order of time");
        let fetch = format!("fetch {ROWS} from past_statuses");
        let rows: Vec<StatusRow> = sqlx::query_as(sqlx::AssertSqlSafe(fetch))
            .fetch_all(connection)
            .await
            .map_err(failed)?;
        let statuses: Vec<_> = rows.into_iter().map(dock_status).collect();
        let last = statuses.last().map(|status| status.at);
        self.statuses_until = last.or(Some(DateTime::<Utc>::MAX_UTC));
        for status in statuses {
            if self.is_in(status.id) {
                self.count_early(status.at);
                self.availability.apply_status(status);
            }
        }
        Ok(())
    }

    /// Whether a row was there when this began; the others are read later, as they come.
    fn is_in(&self, id: i64) -> bool {
        let id = RecordId(id);
        let next_offset = self.next_offsets.get(&id.partition());
        next_offset.is_some_and(|next_offset| id.offset() < *next_offset)
    }

    /// Writes the periods that are complete; gives the number of events recorded instead if it is
    /// greater than what was found.
    async fn write(&mut self, connection: &mut PgConnection) -> Result<Option<u64>, SinkError> {
        let recorder = self.availability.recorder();
        let periods = recorder.map(Recorder::take_closed).unwrap_or_default();
        let Some(last) = periods.last() else {
            return Ok(None);
        };
        if past::events_by(connection, last.end).await? > last.events {
            let all = past::events_by(connection, i64::MAX).await?;
            return Ok(Some(all));
        }
        past::write(connection, &periods).await?;
        Ok(None)
    }
}
