//! Which location of each station is the newest: what `location` is to say.
//!
//! Each partition's rows of `location_history` say where its own events saw a station; the newest event
//! of all partitions decides which of them holds. So a station that one partition saw elsewhere for a
//! while, and another one back where it was, is where it was.

use std::collections::{BTreeSet, HashMap};

use domain::RecordId;
use domain::location::{Location, LocationHistory};
use sqlx::postgres::PgConnection;

use super::checkpoint::Newest;
use crate::error::SinkError;
use crate::locations::{HistoryRow, known_location};

/// What is known of the stations' names and places.
#[derive(Debug, Default)]
pub(crate) struct Locations {
    /// As `location` has them.
    shown: HashMap<i32, Location>,
    /// By station and partition.
    histories: HashMap<(i32, u32), LocationHistory>,
    /// Stations that some event saw elsewhere than is shown.
    moved: BTreeSet<i32>,
    newest: Newest,
}

impl Locations {
    /// Reads what is there; `newest` is of the events that were read before.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        newest: Newest,
    ) -> Result<Self, SinkError> {
        let mut locations = Self {
            newest,
            ..Self::default()
        };
        let rows: Vec<HistoryRow> = sqlx::query_as(
            "select location_id, id, since, street, latitude, longitude from location_history",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(SinkError::database("read the locations"))?;
        locations.take(connection, rows).await?;
        Ok(locations)
    }

    /// Reads what events with ids in `[start, end)` have said.
    ///
    /// One range scan of the primary key, which nearly always finds nothing; else all of the stations
    /// it names, because rows give way to others.
    pub(crate) async fn read(
        &mut self,
        connection: &mut PgConnection,
        (start, end): (i64, i64),
    ) -> Result<(), SinkError> {
        let failed = || SinkError::database("read where stations were seen");
        let stations: Vec<(i32,)> = sqlx::query_as(
            "select distinct location_id from location_history where id >= $1 and id < $2",
        )
        .bind(start)
        .bind(end)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?;
        if stations.is_empty() {
            return Ok(());
        }
        let stations: Vec<_> = stations.into_iter().map(|(station,)| station).collect();
        let rows: Vec<HistoryRow> = sqlx::query_as(
            "select location_id, id, since, street, latitude, longitude
             from location_history where location_id = any($1)",
        )
        .bind(stations)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?;
        self.take(connection, rows).await
    }

    /// Takes over all rows of some stations.
    async fn take(
        &mut self,
        connection: &mut PgConnection,
        rows: Vec<HistoryRow>,
    ) -> Result<(), SinkError> {
        let mut histories: HashMap<_, Vec<_>> = HashMap::new();
        for (station, known) in rows.into_iter().map(known_location) {
            let partition = RecordId(known.id).partition();
            let history = histories.entry((station, partition)).or_default();
            history.push(known);
        }
        let stations: BTreeSet<_> = histories.keys().map(|(station, _)| *station).collect();
        self.read_shown(connection, &stations).await?;
        for ((station, partition), known) in histories {
            let history = LocationHistory::from_iter(known);
            let shown = self.shown.get(&station);
            let is_shown = |seen: &Location| shown.is_some_and(|shown| shown.is_same(seen));
            if !history.locations().all(is_shown) {
                self.moved.insert(station);
            }
            self.histories.insert((station, partition), history);
        }
        Ok(())
    }

    /// Reads what `location` has of stations that are new here; it changes here only.
    async fn read_shown(
        &mut self,
        connection: &mut PgConnection,
        stations: &BTreeSet<i32>,
    ) -> Result<(), SinkError> {
        let is_new = |station: &&i32| !self.shown.contains_key(station);
        let new: Vec<_> = stations.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let rows: Vec<(i32, String, f64, f64)> = sqlx::query_as(
            "select location_id, street, latitude, longitude from location
             where location_id = any($1)",
        )
        .bind(new)
        .fetch_all(connection)
        .await
        .map_err(SinkError::database("read the locations"))?;
        let shown = rows
            .into_iter()
            .map(|(station, street, lat, lon)| (station, Location { street, lat, lon }));
        self.shown.extend(shown);
        Ok(())
    }

    /// Notes that an event was read.
    pub(crate) fn note_event(&mut self, station: i32, event: (chrono::DateTime<chrono::Utc>, i64)) {
        let newest = self.newest.entry(station).or_insert(event);
        *newest = event.max(*newest);
    }

    /// The newest events of all stations.
    pub(crate) fn newest(&self) -> &Newest {
        &self.newest
    }

    /// The stations whose newest location is not the one that is shown.
    pub(crate) fn unpublished(&self) -> Vec<(i32, Location)> {
        let moved = self.moved.iter().filter_map(|station| {
            let (at, id) = self.newest.get(station)?;
            let history = self.histories.get(&(*station, RecordId(*id).partition()))?;
            let location = history.at(*at)?;
            let is_shown = self.shown.get(station)?.is_same(location);
            (!is_shown).then(|| (*station, location.clone()))
        });
        moved.collect()
    }

    /// Notes what is shown now.
    pub(crate) fn shown(&mut self, locations: Vec<(i32, Location)>) {
        self.shown.extend(locations);
    }
}
