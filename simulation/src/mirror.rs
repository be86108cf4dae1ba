//! A bridge there and back: a topic in Kafka, its mirror in Fluvio, and that one's mirror in Kafka.
//!
//! ```text
//! Kafka `source` ─ Inward ─▶ Fluvio, batches with stamps ─ Outward ─▶ Kafka, transactions with progress
//! ```

use bridge::machines::{
    Contiguous, NextOffset, Origin, Progress, Record, check_alone, check_same_log, encode,
    last_copied, next_offset,
};
use bytes::Bytes;
use fluvio_protocol::record::{Batch, RawRecords};
use partition_client::{OffsetRange, TopicPartition};

use crate::laws::Violation;

/// Bridges of one name.
pub(crate) const BRIDGES: usize = 2;
/// Rounds after the last fault, in each of which a bridge copies all it finds (chosen).
const ROUNDS_MAX: usize = 100;

/// What goes wrong in a bridge's next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Nothing,
    /// Before anything is stored.
    Before,
    /// What is stored is not heard of.
    After,
    /// Whether a transaction is committed shows when the next bridge begins.
    Undecided {
        is_committed: bool,
    },
    /// The broker passes over a batch.
    Skip,
}

/// One thing that happens to the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MirrorStep {
    /// So many records are written to the source, behind so many offsets that have none.
    Write {
        records: u8,
        gap: u8,
    },
    Inward {
        records: u8,
        trouble: Break,
    },
    Outward {
        bridge: usize,
        trouble: Break,
    },
    Crash {
        bridge: usize,
    },
    /// The source forgets what was copied.
    Forget,
}

/// A transaction of the mirror in Kafka.
#[derive(Debug)]
struct Transaction {
    records: Vec<Record>,
    progress: String,
}

#[derive(Debug)]
pub(crate) struct Mirror {
    source: Vec<Record>,
    source_start: i64,
    source_end: i64,
    origin: Origin,
    fluvio: Vec<Batch<RawRecords>>,
    inward: Option<Inward>,
    /// In Kafka, at the end: what is committed, how far, and who may write.
    mirrored: Vec<Record>,
    progress: Option<String>,
    producer_epoch: u32,
    undecided: Option<(Transaction, bool)>,
    outward: [Option<Outward>; BRIDGES],
}

#[derive(Debug)]
struct Inward {
    next_kafka: i64,
    next_fluvio: i64,
}

#[derive(Debug)]
struct Outward {
    producer_epoch: u32,
    batches: Contiguous,
    next_batch: usize,
    taken: Option<Transaction>,
}

impl Mirror {
    pub(crate) fn new() -> Self {
        Self {
            source: Vec::new(),
            source_start: 0,
            source_end: 0,
            origin: Origin::new("kafka", "source", 0),
            fluvio: Vec::new(),
            inward: None,
            mirrored: Vec::new(),
            progress: None,
            producer_epoch: 0,
            undecided: None,
            outward: [None, None],
        }
    }

    pub(crate) fn apply(&mut self, step: MirrorStep) {
        match step {
            MirrorStep::Write { records, gap } => self.write(records, gap),
            MirrorStep::Inward { records, trouble } => {
                self.inward = self.inward(records, trouble);
            }
            MirrorStep::Outward { bridge, trouble } => {
                self.outward[bridge] = match self.outward[bridge].take() {
                    None => self.open_outward(),
                    Some(session) => self.outward(session, trouble),
                };
            }
            MirrorStep::Crash { bridge } => {
                self.inward = None;
                self.outward[bridge] = None;
            }
            MirrorStep::Forget => {
                if let Some(last) = self.copied_last() {
                    self.source_start = last.offset;
                }
            }
        }
    }

    fn write(&mut self, records: u8, gap: u8) {
        self.source_end += i64::from(gap);
        for _ in 0..records {
            let offset = self.source_end;
            self.source.push(Record {
                offset,
                key: (offset % 3 != 0).then(|| Bytes::from(format!("k{}", offset % 4))),
                value: (offset % 5 != 0).then(|| Bytes::from(format!("value {offset}"))),
                timestamp: (offset % 7 != 0).then_some(1_583_020_800_000 + offset),
                headers: Vec::new(),
            });
            self.source_end += 1;
        }
    }

    fn fluvio_end(&self) -> i64 {
        self.fluvio
            .last()
            .map_or(0, |batch| batch.get_last_offset() + 1)
    }

    fn copied_last(&self) -> Option<Record> {
        let last = self.fluvio.last()?;
        last_copied(&topic("mirror"), last, self.origin).ok()
    }

    /// Kafka → Fluvio: resumes, or stores what comes next.
    fn inward(&mut self, records: u8, trouble: Break) -> Option<Inward> {
        let Some(mut session) = self.inward.take() else {
            let log = OffsetRange {
                start: self.source_start,
                end: self.source_end,
            };
            let next = self.copied_last().map_or(Some(log.start), |last| {
                let next = next_offset(&topic("source"), last.offset + 1, log);
                next.ok().map(|NextOffset { offset, .. }| offset)
            });
            return Some(Inward {
                next_kafka: next?,
                next_fluvio: self.fluvio_end(),
            });
        };
        let first = self
            .source
            .partition_point(|record| record.offset < session.next_kafka);
        let coming = self.source[first..].iter().take(usize::from(records));
        let records: Vec<Record> = coming.cloned().collect();
        let Some(next_kafka) = records.last().map(|record| record.offset + 1) else {
            return Some(session);
        };
        if trouble == Break::Before {
            return None;
        }
        let count = records.len() as i64;
        let batches = encode(records, self.origin).ok()?;
        let base = self.fluvio_end();
        self.store(batches);
        if trouble == Break::After {
            return None;
        }
        check_alone(&topic("mirror"), session.next_fluvio, base).ok()?;
        session.next_fluvio = base + count;
        session.next_kafka = next_kafka;
        Some(session)
    }

    fn store(&mut self, batches: Vec<Batch<RawRecords>>) {
        for mut batch in batches {
            let base = self.fluvio_end();
            batch.set_base_offset(base);
            batch.header.partition_leader_epoch = 1;
            batch.header.crc = u32::try_from(base).unwrap_or_default();
            self.fluvio.push(batch);
        }
    }

    /// Fluvio → Kafka: fences older bridges, which ends what they left open, and reads the progress.
    fn open_outward(&mut self) -> Option<Outward> {
        self.producer_epoch += 1;
        if let Some((transaction, is_committed)) = self.undecided.take()
            && is_committed
        {
            self.commit(transaction);
        }
        let progress = self.progress.as_deref();
        let progress = progress.map_or_else(|| Ok(Progress::default()), serde_json::from_str);
        let mut progress = progress.ok()?;
        let log = OffsetRange {
            start: 0,
            end: self.fluvio_end(),
        };
        let partition = topic("mirror");
        progress.next_offset = next_offset(&partition, progress.next_offset, log)
            .ok()?
            .offset;
        let ends = |batch: &Batch<RawRecords>| batch.get_last_offset() + 1;
        let before = self
            .fluvio
            .partition_point(|batch| ends(batch) < progress.next_offset);
        if progress.next_offset > log.start
            && let Some(found) = self.fluvio.get(before)
        {
            check_same_log(partition.at(progress.next_offset), &progress, found).ok()?;
        }
        let next = self
            .fluvio
            .partition_point(|batch| ends(batch) <= progress.next_offset);
        Some(Outward {
            producer_epoch: self.producer_epoch,
            batches: Contiguous::resume(partition, &progress),
            // A broker may begin a batch too early.
            next_batch: next.saturating_sub(usize::from(self.producer_epoch.is_multiple_of(2))),
            taken: None,
        })
    }

    fn outward(&mut self, mut session: Outward, trouble: Break) -> Option<Outward> {
        if trouble == Break::Before {
            return None;
        }
        if let Some(transaction) = session.taken.take() {
            if session.producer_epoch != self.producer_epoch {
                return None; // Kafka has fenced it.
            }
            match trouble {
                Break::After => {
                    self.commit(transaction);
                    return None;
                }
                Break::Undecided { is_committed } => {
                    self.undecided = Some((transaction, is_committed));
                    return None;
                }
                _ => self.commit(transaction),
            }
            return Some(session);
        }
        session.next_batch += usize::from(trouble == Break::Skip);
        let Some(batch) = self.fluvio.get(session.next_batch) else {
            return Some(session);
        };
        let records = session.batches.take(batch).ok()?;
        session.next_batch += 1;
        if !records.is_empty() {
            let records = records.into_iter().map(|decoded| decoded.record);
            session.taken = Some(Transaction {
                records: records.collect(),
                progress: session.batches.progress(0).to_json(),
            });
        }
        Some(session)
    }

    fn commit(&mut self, transaction: Transaction) {
        self.mirrored.extend(transaction.records);
        self.progress = Some(transaction.progress);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn settle(&mut self) -> Result<(), Violation> {
        self.outward = [None, None];
        for _ in 0..ROUNDS_MAX {
            if self.mirrored.len() >= self.source.len() {
                return self.check();
            }
            let trouble = Break::Nothing;
            self.apply(MirrorStep::Inward {
                records: u8::MAX,
                trouble,
            });
            for _ in 0..4 {
                self.apply(MirrorStep::Outward { bridge: 0, trouble });
            }
        }
        let (found, expected) = (self.mirrored.len(), self.source.len());
        Err(Violation {
            law: "a mirror becomes whole",
            text: format!("{found} of {expected} records"),
        })
    }

    /// Each record of the source is in the last mirror once, in order, with its key, value and time.
    fn check(&self) -> Result<(), Violation> {
        let told = |record: &Record| (record.key.clone(), record.value.clone(), record.timestamp);
        let expected: Vec<_> = self.source.iter().map(told).collect();
        let found: Vec<_> = self.mirrored.iter().map(told).collect();
        let places = expected.iter().zip(&found);
        let place = places
            .take_while(|(expected, found)| expected == found)
            .count();
        match (expected.get(place), found.get(place)) {
            (None, None) => Ok(()),
            (expected, found) => Err(Violation {
                law: "a mirror is its source",
                text: format!("record {place} is {found:?}, not {expected:?}"),
            }),
        }
    }

    /// In one line, for people.
    pub(crate) fn text(&self) -> String {
        format!(
            "mirror: {} to {}, {} batches to {}, {} in Kafka, progress {}",
            self.source.len(),
            self.source_end,
            self.fluvio.len(),
            self.fluvio_end(),
            self.mirrored.len(),
            self.progress.as_deref().unwrap_or("none"),
        )
    }
}

fn topic(name: &str) -> TopicPartition {
    TopicPartition {
        topic: name.to_owned(),
        partition: 0,
    }
}
