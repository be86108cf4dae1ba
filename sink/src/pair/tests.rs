//! Whatever happens to logs and databases between runs: all rows, or an error.
//!
//! Logs and tables are models here, so that thousands of histories can be tried; comparing, decoding and
//! packing keys is the real code. `tests/it/pair.rs` does the same with a broker and Postgres.

use std::collections::{BTreeMap, BTreeSet};

use domain::split::split_json;
use domain::{Body, Ordinal, Record, Reject, Sources, Station, Trip};
use partition_client::OffsetRange;
use proptest::prelude::*;

use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::last_record::LastRecord;
use crate::log_check::compare;
use crate::module::Module;
use crate::split::SplitDecoder;
use crate::stream_key::StreamKey;

const CASES: u32 = 10_000;
/// Data folders, and databases.
const FOLDERS: usize = 2;
const FILES: u64 = 3;
const ROWS_PER_FILE: u64 = 6;

/// One partition's log in a data folder, with the epoch that its broker took at its last start.
#[derive(Debug, Clone, Default)]
struct PartitionLog {
    epoch: i32,
    records: Vec<(i32, Vec<u8>)>,
}

impl PartitionLog {
    /// Sends the rows of a file that the log has not, but for those after the `killed_at`th.
    fn produce(&mut self, file: u64, killed_at: usize) {
        let held = self.rows();
        let missing = (0..ROWS_PER_FILE).filter(|seq| !held.contains(&(source(file), *seq)));
        let values: Vec<_> = missing.map(|seq| record(file, seq)).collect();
        for value in values.into_iter().take(killed_at) {
            self.records.push((self.epoch, value));
        }
    }

    fn rows(&self) -> BTreeSet<(String, u64)> {
        let rows = self
            .records
            .iter()
            .map(|(_, value)| domain::record::source_and_seq(value));
        rows.collect()
    }
}

/// The tables and the cursor of one database.
#[derive(Debug, Clone, Default)]
struct Tables {
    events: BTreeMap<i64, String>,
    cursor: Cursor,
}

impl Tables {
    /// Runs a sink until it has stored `limit` records, or all; then it is killed.
    fn sink(&mut self, log: &PartitionLog, limit: usize) -> Result<(), SinkError> {
        let key = StreamKey {
            topic: "trips".to_owned(),
            partition: 1,
            module: Module::TripSplit,
        };
        let next = usize::try_from(self.cursor.next_offset).unwrap();
        let before = next.checked_sub(1).and_then(|index| log.records.get(index));
        let found = before.map(|(epoch, value)| LastRecord::of(Some(*epoch), value));
        let range = OffsetRange {
            start: 0,
            end: i64::try_from(log.records.len()).unwrap(),
        };
        if next > 0 {
            compare(&key, &self.cursor, range, found.as_ref())?;
        }
        let mut decoder = SplitDecoder::resume(key, &self.cursor, Vec::new());
        for (offset, (epoch, value)) in log.records.iter().enumerate().skip(next).take(limit) {
            let mut outputs = Vec::new();
            split_json(i64::try_from(offset).unwrap(), value, &mut |pieces| {
                outputs.push(pieces.concat());
            });
            let chunk = decoder.decode(outputs.iter().map(Vec::as_slice), Some(*epoch))?;
            for event in &chunk.events {
                let text = format!("{} {:?}", event.at.as_micros(), chunk.bike_id(event));
                assert_eq!(
                    self.events.insert(event.id.0, text),
                    None,
                    "an id is given once"
                );
            }
            let mut sources = Sources::resume(self.cursor.sources.clone());
            for (source, seq) in &chunk.sources {
                sources.admit(source, *seq);
            }
            let known = std::mem::take(&mut self.cursor.sources).into_iter();
            let all: BTreeMap<_, _> = known.chain(chunk.sources).collect();
            self.cursor.sources = all.into_iter().collect();
            self.cursor.next_offset = chunk.next_offset;
            self.cursor.last = chunk.last;
        }
        Ok(())
    }
}

fn source(file: u64) -> String {
    format!("{file}.csv#{file}")
}

/// What a row says depends on file and row alone.
fn record(file: u64, seq: u64) -> Vec<u8> {
    let at = |minute: u64| {
        let seconds = 1_583_000_000 + (file * 1_000 + seq * 10 + minute) * 60;
        chrono::DateTime::from_timestamp(i64::try_from(seconds).unwrap(), 0).unwrap()
    };
    let station = |number: u64| Station {
        station_id: number.to_string(),
        street: format!("{number} St"),
        lat: 40.7,
        lon: -74.0,
    };
    let body = if seq == 4 {
        Body::Reject(Reject::new(
            format!("{file}.csv"),
            seq,
            "no bike".to_owned(),
            "",
        ))
    } else {
        Body::Trip(Trip {
            bike_id: Some(format!("{file}-{seq}")),
            departed_at: at(0),
            from: station(seq),
            arrived_at: at(5),
            to: station(seq + 1),
            rider: None,
            bike_kind: None,
        })
    };
    Record {
        source: source(file),
        seq,
        body,
    }
    .to_json()
}

/// What happens between runs, and the runs.
#[derive(Debug, Clone)]
enum Step {
    Produce {
        log: usize,
        file: u64,
        killed_at: usize,
    },
    Sink {
        log: usize,
        tables: usize,
        limit: usize,
    },
    /// A power cut takes the log's tail; the broker starts again.
    Cut {
        log: usize,
        records: usize,
    },
    /// The data folder is gone; a new one is made.
    Replace {
        log: usize,
    },
    SwapLogs,
    SwapTables,
    BackUpLog {
        log: usize,
    },
    RestoreLog {
        log: usize,
    },
    BackUpTables {
        tables: usize,
    },
    RestoreTables {
        tables: usize,
    },
    /// The broker is started again.
    Restart {
        log: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let folder = || 0..FOLDERS;
    prop_oneof![
        4 => (folder(), 0..FILES, 1..12_usize)
            .prop_map(|(log, file, killed_at)| Step::Produce { log, file, killed_at }),
        6 => (folder(), folder(), 1..20_usize)
            .prop_map(|(log, tables, limit)| Step::Sink { log, tables, limit }),
        2 => (folder(), 1..6_usize).prop_map(|(log, records)| Step::Cut { log, records }),
        1 => folder().prop_map(|log| Step::Replace { log }),
        1 => Just(Step::SwapLogs),
        1 => Just(Step::SwapTables),
        1 => folder().prop_map(|log| Step::BackUpLog { log }),
        1 => folder().prop_map(|log| Step::RestoreLog { log }),
        1 => folder().prop_map(|tables| Step::BackUpTables { tables }),
        1 => folder().prop_map(|tables| Step::RestoreTables { tables }),
        1 => folder().prop_map(|log| Step::Restart { log }),
    ]
}

/// Two data folders, two databases, and their backups.
#[derive(Debug, Default)]
struct World {
    logs: [PartitionLog; FOLDERS],
    tables: [Tables; FOLDERS],
    saved_logs: [PartitionLog; FOLDERS],
    saved_tables: [Tables; FOLDERS],
    /// Each start takes another epoch.
    epochs: i32,
}

impl World {
    fn start(&mut self, log: usize) {
        self.epochs += 1;
        self.logs[log].epoch = self.epochs;
    }

    fn apply(&mut self, step: &Step) -> Result<(), SinkError> {
        match *step {
            Step::Produce {
                log,
                file,
                killed_at,
            } => self.logs[log].produce(file, killed_at),
            Step::Sink { log, tables, limit } => {
                self.tables[tables].sink(&self.logs[log], limit)?;
            }
            Step::Cut { log, records } => {
                let left = self.logs[log].records.len().saturating_sub(records);
                self.logs[log].records.truncate(left);
                self.start(log);
            }
            Step::Replace { log } => {
                self.logs[log] = PartitionLog::default();
                self.start(log);
            }
            Step::SwapLogs => self.logs.swap(0, 1),
            Step::SwapTables => self.tables.swap(0, 1),
            Step::BackUpLog { log } => self.saved_logs[log] = self.logs[log].clone(),
            Step::RestoreLog { log } => {
                self.logs[log] = self.saved_logs[log].clone();
                self.start(log);
            }
            Step::BackUpTables { tables } => {
                self.saved_tables[tables] = self.tables[tables].clone();
            }
            Step::RestoreTables { tables } => {
                self.tables[tables] = self.saved_tables[tables].clone();
            }
            Step::Restart { log } => self.start(log),
        }
        Ok(())
    }
}

/// What the tables have to be: each row of the log once, at the offset where it came first.
fn truth(log: &PartitionLog) -> BTreeMap<i64, String> {
    let mut fresh = Tables::default();
    fresh.sink(log, usize::MAX).unwrap();
    fresh.events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn whatever_happens_to_logs_and_databases_the_tables_are_whole_or_the_sink_stops(
        steps in prop::collection::vec(step(), 1..30),
        (log, tables) in (0..FOLDERS, 0..FOLDERS),
    ) {
        let mut world = World::default();
        world.start(0);
        world.start(1);
        for step in &steps {
            if let Err(error) = world.apply(step) {
                // The operator gets an error. The tables are as they were.
                prop_assert!(error.is_log_mismatch(), "{}", error.chain());
            }
        }
        let last = Step::Sink { log, tables, limit: usize::MAX };
        match world.apply(&last) {
            Ok(()) => prop_assert_eq!(&world.tables[tables].events, &truth(&world.logs[log])),
            Err(error) => prop_assert!(error.is_log_mismatch(), "{}", error.chain()),
        }
    }
}

#[test]
fn ids_stay_unique_where_a_sink_goes_on_with_another_log() {
    let mut world = World::default();
    world.logs[0].produce(0, 12);
    world.logs[1].produce(0, 3);
    world.logs[1].produce(1, 12);
    world.tables[0].sink(&world.logs[0], 20).unwrap();
    let tables = &mut world.tables[0];
    let shift = tables.cursor.next_offset;
    tables.cursor = Cursor {
        next_offset: 0,
        last: None,
        id_shift: shift,
        ..tables.cursor.clone()
    };
    tables.sink(&world.logs[1], 20).unwrap();
    let offsets = tables
        .events
        .keys()
        .map(|id| domain::RecordId(*id).offset());
    let departures: Vec<_> = offsets.step_by(2).collect();
    // Rows 0, 1, 2, 3 and 5 of the first file, then those of the second behind three known ones.
    assert_eq!(departures, [0, 1, 2, 3, 5, 9, 10, 11, 12, 14]);
    assert!(tables.events.keys().all(|id| matches!(
        domain::RecordId(*id).ordinal(),
        Ordinal::Departure | Ordinal::Arrival
    )));
}
