//! Where an earlier run stopped: read from the ends of the partitions.
//!
//! A partition holds the rows of a source in increasing `seq`, and a tick only after the rows
//! before it. So the last record of a source tells which of its rows are there. Partitions are read
//! backwards in growing steps until every source was seen; a source that was never sent is known
//! only at the log's start. Only what is replicated counts: a row seen too early is sent once more
//! and dropped by its readers, a row believed in too early would be lost.

mod head;
mod log;

use fluvio::Fluvio;
use futures_util::future::try_join_all;
use tracing::info;

pub(crate) use self::head::head;
pub(crate) use self::log::Log;
use crate::config::ProducerConfig;
use crate::error::ProducerError;
use crate::partition::Partitions;

/// Records in the first step back (chosen: a few batches).
const FIRST_STEP: u32 = 4_096;

/// Each step goes so many times as far as the one before.
const STEP_GROWTH: i64 = 4;

/// Most records in one step (chosen: a few seconds' reading between two log lines).
const STEP_MAX: i64 = 1_000_000;

/// What one partition holds of the sources of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// For each source the first `seq` that is not there.
    next_seqs: Vec<u64>,
    /// The newest tick of any of the sources, in microseconds.
    pub(crate) ticked: i64,
    /// Offset of the next record.
    pub(crate) end: i64,
}

impl Held {
    /// Whether the partition holds this row, which belongs to it.
    pub(crate) fn has(&self, source: usize, seq: u64) -> bool {
        seq < self.next_seqs[source]
    }

    /// The first `seq` of this source that is not there.
    pub(crate) fn next_seq(&self, source: usize) -> u64 {
        self.next_seqs[source]
    }

    /// Whether the partition's last record of this source is later than this place.
    pub(crate) fn is_past(&self, source: usize, next_seq: u64) -> bool {
        next_seq < self.next_seqs[source]
    }
}

/// What tells one source from another: the hash of its content, or the city's whole name.
pub(crate) fn identity(source: &str) -> &str {
    source.rsplit_once('#').map_or(source, |(_, hash)| hash)
}

/// Finds what each partition holds of `sources`.
pub(crate) async fn find(
    fluvio: &Fluvio,
    config: &ProducerConfig,
    partitions: Partitions,
    sources: &[String],
) -> Result<Vec<Held>, ProducerError> {
    let identities: Vec<_> = sources.iter().map(|source| identity(source)).collect();
    let each = partitions.iter().map(async |partition| {
        let log = Log::new(fluvio, config, partition).await?;
        look_back(&log, &identities).await
    });
    try_join_all(each).await
}

/// Reads one partition backwards until all sources were seen.
async fn look_back(log: &Log, identities: &[&str]) -> Result<Held, ProducerError> {
    let mut seen = Seen::new(identities.len());
    let mut step = Step::new(identities);
    // From a place near the end up to the end, then what came in meanwhile.
    let tail = log
        .read_last(FIRST_STEP, &mut |value| step.look(value))
        .await?;
    let mut low = tail.start;
    let end = log.read_on(tail.end, &mut |value| step.look(value)).await?;
    seen.add(step);
    let mut width = i64::from(FIRST_STEP);
    while !seen.is_complete() && low > 0 {
        width = (width * STEP_GROWTH).min(STEP_MAX);
        let mut step = Step::new(identities);
        let from = (low - width).max(0);
        let start = log
            .read_between(from, low, &mut |value| step.look(value))
            .await?;
        seen.add(step);
        info!(
            topic = log.topic(),
            partition = log.partition(),
            offset = start,
            "looked for an earlier run in {}/{} back to offset {start} of {end}",
            log.topic(),
            log.partition(),
        );
        if start > from {
            // What was before has been deleted.
            break;
        }
        low = start;
    }
    Ok(seen.held(end))
}

/// What was seen of each source, from the log's end back.
struct Seen {
    next_seqs: Vec<Option<u64>>,
    ticked: i64,
}

/// What one step, read forwards, shows of each source.
struct Step<'a> {
    identities: &'a [&'a str],
    seen: Seen,
}

impl Seen {
    fn new(sources: usize) -> Self {
        Self {
            next_seqs: vec![None; sources],
            ticked: i64::MIN,
        }
    }

    /// Adds an earlier step: what later steps have shown is newer.
    fn add(&mut self, step: Step<'_>) {
        for (seen, earlier) in self.next_seqs.iter_mut().zip(step.seen.next_seqs) {
            *seen = seen.or(earlier);
        }
        self.ticked = self.ticked.max(step.seen.ticked);
    }

    fn is_complete(&self) -> bool {
        self.next_seqs.iter().all(Option::is_some)
    }

    fn held(self, end: i64) -> Held {
        let next_seqs = self.next_seqs.into_iter().map(Option::unwrap_or_default);
        Held {
            next_seqs: next_seqs.collect(),
            ticked: self.ticked,
            end,
        }
    }
}

impl<'a> Step<'a> {
    fn new(identities: &'a [&'a str]) -> Self {
        Self {
            identities,
            seen: Seen::new(identities.len()),
        }
    }

    fn look(&mut self, value: &[u8]) {
        // What is no record of ours is none of our business.
        let Some(head) = head(value) else { return };
        let name = identity(&head.source);
        let Some(source) = self.identities.iter().position(|known| *known == name) else {
            return;
        };
        let next = head.next_seq();
        let seen = &mut self.seen.next_seqs[source];
        *seen = Some(seen.map_or(next, |before| before.max(next)));
        if let Some(at) = head.tick {
            self.seen.ticked = self.seen.ticked.max(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_source_tells_where_to_go_on() {
        let identities = ["aaaa", "bbbb", "cccc"];
        let mut later = Step::new(&identities);
        later.look(br#"{"source":"renamed.csv#aaaa","seq":41,"trip":{}}"#);
        later.look(br#"{"source":"x.csv#ffff","seq":99,"trip":{}}"#);
        later.look(b"not a record");
        let mut earlier = Step::new(&identities);
        earlier.look(br#"{"source":"b.csv#bbbb","seq":6,"trip":{}}"#);
        earlier.look(br#"{"source":"b.csv#bbbb","seq":9,"tick":"1970-01-01T00:00:01Z"}"#);
        earlier.look(br#"{"source":"a.csv#aaaa","seq":40,"reject":{}}"#);
        let mut seen = Seen::new(3);
        seen.add(later);
        assert!(!seen.is_complete());
        seen.add(earlier);
        let held = seen.held(500);
        let expected = Held {
            next_seqs: vec![42, 9, 0],
            ticked: 1_000_000,
            end: 500,
        };
        assert_eq!(held, expected);
        assert!(held.has(0, 41) && !held.has(0, 42) && !held.has(2, 0));
    }
}
