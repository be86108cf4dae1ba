//! What the end of a partition tells of its sources, read backwards in growing steps. No I/O.

use std::collections::HashMap;
use std::ops::Range;

use domain::record::RecordHead;
use domain::source::{FEED_PREFIX, Run, SourceName};
use domain::{EventTime, Record};

/// Each step goes so many times as far as the one before.
const STEP_GROWTH: i64 = 4;

/// Most records in one step (chosen: a few seconds' reading between two log lines).
const STEP_MAX: i64 = 1_000_000;

/// What one partition holds of the sources of this run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// For each source the first `seq` that is not there.
    next_seqs: Vec<u64>,
    /// The newest tick of any of the sources, in microseconds.
    pub ticked: Option<i64>,
}

impl Held {
    /// Adds sources to the run.
    pub fn add(&mut self, sources: &[Seen]) {
        for seen in sources {
            self.next_seqs.push(seen.next_seq);
            self.ticked = self.ticked.max(seen.ticked);
        }
    }

    /// Whether the partition holds this row, which belongs to it.
    #[must_use]
    pub fn has(&self, source: usize, seq: u64) -> bool {
        seq < self.next_seqs[source]
    }

    /// Whether the partition's last record of this source is later than this place.
    #[must_use]
    pub fn is_past(&self, source: usize, next_seq: u64) -> bool {
        next_seq < self.next_seqs[source]
    }
}

/// What a partition holds of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The first `seq` that is not there.
    pub next_seq: u64,
    /// Its newest tick, in microseconds; none if it has none.
    pub ticked: Option<i64>,
    /// Of a live feed the newest run.
    pub run: Option<Run>,
    /// Of a live feed the newest count or tick that readers take, in microseconds.
    pub reached: Option<i64>,
}

impl Seen {
    const NOTHING: Self = Self {
        next_seq: 0,
        ticked: None,
        run: None,
        reached: None,
    };
}

/// One partition, read from its end backwards as far as was needed.
#[derive(Debug)]
pub struct TailSearch {
    /// Offset of the first record that was read.
    low: i64,
    /// Whether there is nothing before it.
    is_start: bool,
    /// Records in the last step.
    width: i64,
    /// By the identity of the source; others' sources are among them.
    seen: HashMap<String, Seen>,
}

impl TailSearch {
    /// Begins at the end of the replicated `log`; gives the offsets to read first, at most so many.
    #[must_use]
    pub fn of(log: Range<i64>, first_step: i64) -> (Self, Range<i64>) {
        let low = log.start.max(log.end - first_step);
        let search = Self {
            low,
            is_start: low == log.start,
            width: first_step,
            seen: HashMap::new(),
        };
        (search, low..log.end)
    }

    /// Offset of the first record that was read.
    #[must_use]
    pub fn low(&self) -> i64 {
        self.low
    }

    /// Whether records before [`Self::low`] may tell of a source that was not seen yet.
    #[must_use]
    pub fn is_to_go_on(&self, sources: &[&str]) -> bool {
        let is_unseen = |source: &&str| {
            let identity = SourceName::of(source).identity;
            !self.seen.contains_key(identity)
        };
        !self.is_start && sources.iter().any(is_unseen)
    }

    /// The offsets to read next, of a log that begins at `first` now.
    pub fn step(&mut self, first: i64) -> Range<i64> {
        self.width = (self.width * STEP_GROWTH).min(STEP_MAX);
        first.max(self.low - self.width)..self.low
    }

    /// All was read from `start` on.
    pub fn stepped(&mut self, start: i64, first: i64) {
        self.low = start;
        self.is_start = start == first;
    }

    /// Takes in the value of a record.
    pub fn note(&mut self, value: &[u8]) {
        note(&mut self.seen, value);
    }

    /// What is known of a source.
    #[must_use]
    pub fn seen(&self, source: &str) -> Seen {
        let seen = self.seen.get(SourceName::of(source).identity);
        seen.copied().unwrap_or(Seen::NOTHING)
    }
}

/// Notes what a record tells of its source; the order of the records does not matter, but for those
/// of a live feed, which readers take in the order of their runs.
fn note(seen: &mut HashMap<String, Seen>, value: &[u8]) {
    // Anybody may have written to the topic: bytes that are no record tell nothing of a source.
    let Some(head) = RecordHead::read(value) else {
        return;
    };
    let SourceName { identity, run } = SourceName::of(&head.source);
    if !seen.contains_key(identity) {
        seen.insert(identity.to_owned(), Seen::NOTHING);
    }
    let Some(seen) = seen.get_mut(identity).filter(|seen| run >= seen.run) else {
        return;
    };
    seen.run = run;
    seen.next_seq = seen.next_seq.max(head.next_seq());
    let tick = head.tick.map(EventTime::as_micros);
    seen.ticked = seen.ticked.max(tick);
    if identity.starts_with(FEED_PREFIX) {
        let at = tick.or_else(|| counted_at(value));
        seen.reached = seen.reached.max(at);
    }
}

/// The time of a live feed's count, in microseconds.
fn counted_at(value: &[u8]) -> Option<i64> {
    match Record::from_json(value).ok()?.body {
        domain::Body::Status(status) => Some(status.at.timestamp_micros()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_source_tells_where_to_go_on() {
        let mut seen = HashMap::new();
        for value in [
            r#"{"source":"renamed.csv#aaaa","seq":41,"trip":{}}"#,
            r#"{"source":"x.csv#ffff","seq":99,"trip":{}}"#,
            "not a record",
            r#"{"source":"b.csv#bbbb","seq":6,"trip":{}}"#,
            r#"{"source":"b.csv#bbbb","seq":9,"tick":"1970-01-01T00:00:01Z"}"#,
            r#"{"source":"a.csv#aaaa","seq":40,"reject":{}}"#,
        ] {
            note(&mut seen, value.as_bytes());
        }
        let mut held = Held::default();
        held.add(&[seen["aaaa"], seen["bbbb"], Seen::NOTHING]);
        let expected = Held {
            next_seqs: vec![42, 9, 0],
            ticked: Some(1_000_000),
        };
        assert_eq!(held, expected);
        assert!(held.has(0, 41) && !held.has(0, 42) && !held.has(2, 0));
    }

    #[test]
    fn of_a_live_feed_the_newest_run_and_the_time_it_has_reached_are_known() {
        let tick = |run: &str, second: u32| {
            format!(r#"{{"source":"gbfs:a{run}","seq":1,"tick":"1970-01-01T00:00:0{second}Z"}}"#)
        };
        let count = r#"{"source":"gbfs:a@2-0000000000000007","seq":1,"status":{"station":{"station_id":"1","street":"A St","lat":40.7,"lon":-74.0},"at":"1970-01-01T00:00:05Z","bikes":6}}"#;
        let mut seen = HashMap::new();
        for (value, number, second) in [
            (tick("", 3), None, 3),
            (tick("@2-0000000000000007", 4), Some(2), 4),
            (count.to_owned(), Some(2), 5),
            (tick("@1-0000000000000009", 9), Some(2), 5),
            (tick("@3-0000000000000000", 1), Some(3), 5),
        ] {
            note(&mut seen, value.as_bytes());
            let Seen { run, reached, .. } = seen["gbfs:a"];
            assert_eq!(
                (run.map(|run| run.number), reached),
                (number, Some(second * 1_000_000))
            );
        }
    }
}
