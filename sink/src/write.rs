//! The transactions: rows and cursor commit together, or neither.
//!
//! Each transaction begins by moving the cursor, on the condition that it stands where this writer
//! left it and is of this writer's generation. So an older sink writes nothing (*fenced*), and a
//! batch is never written twice, whatever became of the connection: after an error the cursor is
//! read again, and it alone says whether the transaction was committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::System;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::copy::{RecordColumns, RecordRow};
use crate::cursor::{Cursor, fenced};
use crate::cursor_update::CursorUpdate;
use crate::error::SinkError;
use crate::locations::{self, insert_stations};
use crate::module_version::SessionVersion;
use crate::months::Months;
use crate::recent::{Committed, Recent};
use crate::records;
use crate::split::{RejectRow, SplitChunk, StatusRow};
use crate::stock;
use crate::storable::storable;
use crate::stream_key::StreamKey;
use crate::window::WindowChunk;

/// Writes one stream's batches, as long as the stream's session lives.
#[derive(Debug)]
pub(crate) struct Writer {
    key: StreamKey,
    generation: i64,
    next_offset: i64,
    id_shift: i64,
    /// Noted with the first rows.
    version: SessionVersion,
    is_version_noted: bool,
    /// `location_id` of each station, by its number in this stream.
    locations: Vec<i32>,
    months: Months,
    recent: Arc<Recent>,
}

/// What a transaction changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) next_offset: i64,
    pub(crate) watermark: Option<DateTime<Utc>>,
    pub(crate) rows: u64,
    pub(crate) rejects: u64,
    pub(crate) duplicates: u64,
    pub(crate) late_events: u64,
}

impl Writer {
    /// Goes on at the cursor; `locations` belong to the stations given to the decoder.
    pub(crate) fn resume(
        key: StreamKey,
        cursor: &Cursor,
        version: SessionVersion,
        locations: Vec<i32>,
        recent: Arc<Recent>,
    ) -> Self {
        Self {
            key,
            generation: cursor.generation,
            next_offset: cursor.next_offset,
            id_shift: cursor.id_shift,
            version,
            is_version_noted: false,
            locations,
            months: Months::default(),
            recent,
        }
    }

    /// Writes events, statuses, locations, rejects and cursor.
    pub(crate) async fn write_split(
        &mut self,
        connection: &mut PgConnection,
        chunks: &[SplitChunk],
    ) -> Result<Written, SinkError> {
        let Some(last) = chunks.last() else {
            return Ok(Written {
                next_offset: self.next_offset,
                ..Written::default()
            });
        };
        self.insert_new_stations(connection, chunks).await?;
        let times = chunks.iter().flat_map(SplitChunk::times);
        self.months.make(connection, times).await?;
        let rows = chunks.iter().map(|chunk| chunk.events.len()).sum::<usize>();
        let statuses: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.statuses).collect();
        let rejects: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.rejects).collect();
        let update = CursorUpdate::of_split(chunks, last);
        let failed = || SinkError::database(format!("write {rows} records at {}", self.position()));

        let mut transaction = connection.begin().await.map_err(failed())?;
        self.move_cursor(&mut transaction, &update).await?;
        if rows > 0 {
            // An inferred event never comes without its status.
            let columns = RecordColumns {
                inferred: !statuses.is_empty(),
                bike_kind: chunks.iter().any(|chunk| chunk.tells_bike_kind),
            };
            records::write(&mut transaction, columns, rows, self.records(chunks))
                .await
                .map_err(failed())?;
        }
        if !statuses.is_empty() {
            self.insert_statuses(&mut transaction, &statuses)
                .await
                .map_err(failed())?;
        }
        if let Some(system) = chunks.iter().rev().find_map(|chunk| chunk.system.as_ref()) {
            replace_system(&mut transaction, system)
                .await
                .map_err(failed())?;
        }
        let seen: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.locations).collect();
        if !seen.is_empty() {
            locations::write(&mut transaction, &seen, &self.locations)
                .await
                .map_err(failed())?;
        }
        if !rejects.is_empty() {
            insert_rejects(&mut transaction, &rejects)
                .await
                .map_err(failed())?;
        }
        transaction.commit().await.map_err(failed())?;
        self.offer(chunks, last.next_offset);
        Ok(self.written(&update, rows, rejects.len()))
    }

    /// Writes windows and cursor.
    pub(crate) async fn write_windows(
        &mut self,
        connection: &mut PgConnection,
        chunk: &WindowChunk,
    ) -> Result<Written, SinkError> {
        let update = CursorUpdate::of_windows(chunk).map_err(|source| {
            let source = sqlx::Error::Encode(source.into());
            SinkError::Database {
                doing: format!("write the state of {}", self.key),
                source,
            }
        })?;
        let rows = chunk.closed.len() + chunk.late.len();
        let failed = || SinkError::database(format!("write {rows} windows at {}", self.position()));

        let mut transaction = connection.begin().await.map_err(failed())?;
        self.move_cursor(&mut transaction, &update).await?;
        if !chunk.closed.is_empty() {
            let upsert = "insert into frequency (time, partition, amount)
                 select time, $2, amount from unnest($1::timestamptz[], $3::int[]) as w (time, amount)
                 on conflict (time, partition) do update set amount = excluded.amount";
            self.upsert_windows(&mut transaction, upsert, &chunk.closed)
                .await
                .map_err(failed())?;
        }
        if !chunk.late.is_empty() {
            let correct = "insert into frequency as f (time, partition, amount)
                 select time, $2, amount from unnest($1::timestamptz[], $3::int[]) as w (time, amount)
                 on conflict (time, partition) do update set amount = f.amount + excluded.amount";
            self.upsert_windows(&mut transaction, correct, &chunk.late)
                .await
                .map_err(failed())?;
        }
        transaction.commit().await.map_err(failed())?;
        Ok(self.written(&update, rows, 0))
    }

    fn position(&self) -> domain::Position {
        self.key.at(self.next_offset)
    }

    fn written(&mut self, update: &CursorUpdate<'_>, rows: usize, rejects: usize) -> Written {
        self.next_offset = update.next_offset;
        self.is_version_noted = true;
        Written {
            next_offset: update.next_offset,
            watermark: update.watermark,
            rows: rows as u64,
            rejects: rejects as u64,
            duplicates: update.duplicates,
            late_events: update.late_events,
        }
    }

    /// Moves the cursor from where this writer left it, which locks its row until the commit.
    async fn move_cursor(
        &self,
        transaction: &mut PgConnection,
        update: &CursorUpdate<'_>,
    ) -> Result<(), SinkError> {
        let failed = || SinkError::database(format!("move the cursor of {}", self.key));
        let moved = sqlx::query(
            "update stream_cursor set
                 next_offset = $6,
                 watermark = greatest(watermark, $7),
                 state = coalesce($8::jsonb, state),
                 duplicates = duplicates + $9,
                 late_events = late_events + $10,
                 last_epoch = $11,
                 last_source = $12,
                 last_seq = $13,
                 updated_at = now()
             where topic = $1 and partition = $2 and module = $3
                 and generation = $4 and next_offset = $5",
        )
        .bind(&self.key.topic)
        .bind(self.key.partition_sql())
        .bind(self.key.module.name())
        .bind(self.generation)
        .bind(self.next_offset)
        .bind(update.next_offset)
        .bind(update.watermark)
        .bind(&update.state)
        .bind(to_i64(update.duplicates))
        .bind(to_i64(update.late_events))
        .bind(update.last.and_then(|last| last.epoch))
        .bind(update.last.map(|last| last.source.as_str()))
        .bind(update.last.map(|last| to_i64(last.seq)))
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
        if moved.rows_affected() != 1 {
            return Err(fenced(transaction, &self.key, self.next_offset).await);
        }
        if !self.is_version_noted {
            let noting = self.version.write(&mut *transaction, &self.key);
            noting.await.map_err(failed())?;
        }
        if update.sources.is_empty() {
            return Ok(());
        }
        let (sources, seqs): (Vec<_>, Vec<_>) = update
            .sources
            .iter()
            .map(|(source, seq)| (storable(source), to_i64(*seq)))
            .unzip();
        sqlx::query(
            "insert into source_cursor (topic, partition, module, source, seq)
             select $1, $2, $3, source, seq from unnest($4::text[], $5::bigint[]) as s (source, seq)
             on conflict (topic, partition, module, source) do update set seq = excluded.seq",
        )
        .bind(&self.key.topic)
        .bind(self.key.partition_sql())
        .bind(self.key.module.name())
        .bind(sources)
        .bind(seqs)
        .execute(transaction)
        .await
        .map_err(failed())?;
        Ok(())
    }

    async fn upsert_windows(
        &self,
        transaction: &mut PgConnection,
        statement: &'static str,
        windows: &BTreeMap<DateTime<Utc>, u64>,
    ) -> Result<(), sqlx::Error> {
        let (starts, amounts): (Vec<_>, Vec<_>) = windows
            .iter()
            .map(|(start, amount)| (*start, i32::try_from(*amount).unwrap_or(i32::MAX)))
            .unzip();
        sqlx::query(statement)
            .bind(starts)
            .bind(self.key.partition_sql())
            .bind(amounts)
            .execute(transaction)
            .await?;
        Ok(())
    }

    /// Gives each new station its row in `location`, in a transaction of its own: a station
    /// without events does no harm, and partitions that meet the same station do not wait for
    /// each other's batches.
    async fn insert_new_stations(
        &mut self,
        connection: &mut PgConnection,
        chunks: &[SplitChunk],
    ) -> Result<(), SinkError> {
        let stations = chunks.iter().flat_map(|chunk| &chunk.stations);
        let stations: Vec<_> = stations.collect();
        if stations.is_empty() {
            return Ok(());
        }
        let ids = insert_stations(connection, &stations)
            .await
            .map_err(SinkError::database(format!(
                "write {} locations",
                stations.len()
            )))?;
        for station in stations {
            let id = ids.get(station.station_id.as_str()).copied();
            self.locations.push(id.ok_or_else(|| SinkError::Database {
                doing: format!("find location {:?}", station.station_id),
                source: sqlx::Error::RowNotFound,
            })?);
        }
        Ok(())
    }

    async fn insert_statuses(
        &self,
        connection: &mut PgConnection,
        statuses: &[&StatusRow],
    ) -> Result<(), sqlx::Error> {
        let locations = statuses.iter().map(|row| self.location(row.station));
        let services = || statuses.iter().map(|row| row.service);
        let [ebikes, free_docks, capacity, broken_bikes, broken_docks] =
            stock::columns(statuses.iter().map(|row| row.stock));
        sqlx::query(
            "insert into dock_status (id, time, location_id, bikes,
                 is_installed, is_renting, is_returning, missing,
                 ebikes, free_docks, capacity, broken_bikes, broken_docks, last_reported)
             select * from unnest($1::bigint[], $2::timestamptz[], $3::int[], $4::int[],
                 $5::bool[], $6::bool[], $7::bool[], $8::bool[],
                 $9::int2[], $10::int2[], $11::int2[], $12::int2[], $13::int2[], $14::timestamptz[])",
        )
        .bind(statuses.iter().map(|row| row.id.0).collect::<Vec<_>>())
        .bind(statuses.iter().map(|row| row.at).collect::<Vec<_>>())
        .bind(locations.collect::<Vec<_>>())
        .bind(statuses.iter().map(|row| row.bikes).collect::<Vec<_>>())
        .bind(services().map(|s| s.installed).collect::<Vec<_>>())
        .bind(services().map(|s| s.renting).collect::<Vec<_>>())
        .bind(services().map(|s| s.returning).collect::<Vec<_>>())
        .bind(statuses.iter().map(|row| row.missing).collect::<Vec<_>>())
        .bind(ebikes)
        .bind(free_docks)
        .bind(capacity)
        .bind(broken_bikes)
        .bind(broken_docks)
        .bind(statuses.iter().map(|row| row.last_reported).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The `location_id` of a station by its number in this stream.
    fn location(&self, station: u32) -> i32 {
        self.locations[station as usize]
    }

    /// Hands what was committed to the availability task, if that is in this process.
    fn offer(&self, chunks: &[SplitChunk], next_offset: i64) {
        if !self.recent.is_open() {
            return;
        }
        let offsets = self.next_offset + self.id_shift..next_offset + self.id_shift;
        let location = |station| self.location(station);
        if let Some(committed) = Committed::of(chunks, offsets, location) {
            self.recent.offer(self.key.partition, committed);
        }
    }

    fn records<'a>(
        &'a self,
        chunks: &'a [SplitChunk],
    ) -> impl Iterator<Item = RecordRow<'a>> + Clone {
        chunks.iter().flat_map(|chunk| {
            chunk.events.iter().map(|event| RecordRow {
                id: event.id.0,
                at: event.at,
                bike_id: chunk.bike_id(event),
                location_id: self.location(event.station),
                docked: event.docked,
                inferred: event.inferred,
                bike_kind: event.bike_kind,
            })
        })
    }
}

async fn replace_system(connection: &mut PgConnection, system: &System) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into system (timezone, language) values ($1, $2)
         on conflict (only_row) do update set timezone = excluded.timezone,
             language = excluded.language",
    )
    .bind(&system.timezone)
    .bind(&system.language)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_rejects(
    connection: &mut PgConnection,
    rejects: &[&RejectRow],
) -> Result<(), sqlx::Error> {
    let texts = |text: fn(&RejectRow) -> &str| -> Vec<String> {
        rejects.iter().map(|row| storable(text(row))).collect()
    };
    sqlx::query(
        "insert into rejected (id, file, line, reason, row, source)
         select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])",
    )
    .bind(rejects.iter().map(|row| row.id.0).collect::<Vec<_>>())
    .bind(texts(|row| &row.reject.file))
    .bind(rejects.iter().map(|row| to_i64(row.reject.line)).collect::<Vec<_>>())
    .bind(texts(|row| &row.reject.reason))
    .bind(texts(|row| &row.reject.row))
    .bind(texts(|row| &row.source))
    .execute(connection)
    .await?;
    Ok(())
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
