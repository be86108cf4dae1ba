//! Where records come from, and which of them are taken.
//!
//! Fluvio neither drops what is sent twice nor locks out a second writer, so readers do both, from
//! what each record says of itself. The rule is one comparison: of a source a record is taken if its
//! `(run, seq)` is greater than that of the last one taken on its partition. So a resent record is
//! dropped, and from the first record of a newer run on nothing of an older one is taken: it is
//! *fenced*. All readers apply it to the same log, so they agree.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// What the source of a live feed begins with.
pub const FEED_PREFIX: &str = "gbfs:";

/// Hexadecimal digits of a run's tag.
const TAG_DIGITS: usize = 16;

/// One call of a program that polls a live feed.
///
/// Order: by number, then tag. A run takes a number above all that it finds on the topic; the tag is
/// random, so that of two which begin in the same moment one is the newer all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// Counted from 1.
    pub number: u64,
    /// Drawn at random.
    pub tag: u64,
}

/// A source, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceName<'a> {
    /// What tells it from other sources: the hash of its content, which stands behind the last `#`,
    /// or the whole name but for the run. The same file under another name is the same source.
    pub identity: &'a str,
    /// Of a live feed the run that polled it. None for files, cities, and feeds on old topics, whose
    /// records are older than those of any run.
    pub run: Option<Run>,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{:0width$x}",
            self.number,
            self.tag,
            width = TAG_DIGITS
        )
    }
}

impl Run {
    /// Reads what [`Run`] shows as, and nothing else.
    ///
    /// ```
    /// use domain::source::Run;
    /// let run = Run { number: 18, tag: 0x5f0c };
    /// assert_eq!(run.to_string(), "18-0000000000005f0c");
    /// assert_eq!(Run::parse("18-0000000000005f0c"), Some(run));
    /// assert_eq!(Run::parse("18-5f0c"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, tag) = text.split_once('-')?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit())
            && tag.len() == TAG_DIGITS
            && tag
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_plain.then_some(())?;
        Some(Self {
            number: number.parse().ok()?,
            tag: u64::from_str_radix(tag, 16).ok()?,
        })
    }
}

impl<'a> SourceName<'a> {
    /// Takes the name of a source apart; any text is one.
    ///
    /// ```
    /// use domain::source::SourceName;
    /// assert_eq!(SourceName::of("a.csv#5f0c").identity, "5f0c");
    /// assert_eq!(SourceName::of("simulate:7").identity, "simulate:7");
    /// let feed = SourceName::of("gbfs:nyc@18-0000000000005f0c");
    /// assert_eq!((feed.identity, feed.run.unwrap().number), ("gbfs:nyc", 18));
    /// ```
    #[must_use]
    pub fn of(source: &'a str) -> Self {
        if let Some((_, hash)) = source.rsplit_once('#') {
            return Self {
                identity: hash,
                run: None,
            };
        }
        let feed = source.strip_prefix(FEED_PREFIX).and_then(|_| {
            let (identity, run) = source.rsplit_once('@')?;
            Some((identity, Run::parse(run)?))
        });
        match feed {
            Some((identity, run)) => Self {
                identity,
                run: Some(run),
            },
            None => Self {
                identity: source,
                run: None,
            },
        }
    }
}

/// The last record taken of each source on one partition.
///
/// Bound: one entry a source; of a live feed only the newest run is kept.
#[derive(Debug, Default)]
pub struct Sources {
    /// By identity.
    last: BTreeMap<Box<str>, LastTaken>,
    changed: Vec<Box<str>>,
}

#[derive(Debug)]
struct LastTaken {
    /// The source's name in the first record taken, of a live feed that of the newest run.
    source: String,
    run: Option<Run>,
    seq: u64,
    changed: bool,
}

impl Sources {
    /// Goes on after what was taken before, in any order.
    #[must_use]
    pub fn resume<S: AsRef<str>>(seen: impl IntoIterator<Item = (S, u64)>) -> Self {
        let mut sources = Self::default();
        for (source, seq) in seen {
            sources.admit(source.as_ref(), seq);
        }
        sources.take_changed();
        sources
    }

    /// Takes a record in; false if it was taken before or is fenced.
    pub fn admit(&mut self, source: &str, seq: u64) -> bool {
        let SourceName { identity, run } = SourceName::of(source);
        let Some(last) = self.last.get_mut(identity) else {
            let last = LastTaken {
                source: source.to_owned(),
                run,
                seq,
                changed: true,
            };
            self.last.insert(identity.into(), last);
            self.changed.push(identity.into());
            return true;
        };
        if (run, seq) <= (last.run, last.seq) {
            return false;
        }
        if run > last.run {
            source.clone_into(&mut last.source);
            last.run = run;
        }
        last.seq = seq;
        if !last.changed {
            last.changed = true;
            self.changed.push(identity.into());
        }
        true
    }

    /// Takes a tick in, which carries the `seq` of the next record; false if it is fenced.
    ///
    /// A run begins with a tick on every partition: it fences the older ones there.
    pub fn admit_tick(&mut self, source: &str, seq: u64) -> bool {
        let SourceName { identity, run } = SourceName::of(source);
        let newest = self.last.get(identity).and_then(|last| last.run);
        match run.cmp(&newest) {
            Ordering::Less => false,
            Ordering::Equal => true,
            Ordering::Greater => self.admit(source, seq.saturating_sub(1)),
        }
    }

    /// The sources that advanced since the last call, each with the `seq` of its last record.
    pub fn take_changed(&mut self) -> Vec<(String, u64)> {
        let changed = std::mem::take(&mut self.changed);
        let mut taken = Vec::with_capacity(changed.len());
        for identity in changed {
            if let Some(last) = self.last.get_mut(&identity) {
                last.changed = false;
                taken.push((last.source.clone(), last.seq));
            }
        }
        taken
    }

    /// Of what was stored, the names of fenced runs, which need not be kept.
    #[must_use]
    pub fn fenced(seen: &[(String, u64)]) -> Vec<String> {
        let newest = Self::resume(seen.iter().map(|(source, seq)| (source, *seq)));
        let is_fenced = |source: &&String| {
            let SourceName { identity, run } = SourceName::of(source);
            newest.last.get(identity).is_some_and(|last| run < last.run)
        };
        let sources = seen.iter().map(|(source, _)| source);
        sources.filter(is_fenced).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "gbfs:nyc";
    const RUN_9: &str = "gbfs:nyc@9-00000000000000ff";
    const RUN_10: &str = "gbfs:nyc@10-0000000000000001";
    const RUN_10_ALSO: &str = "gbfs:nyc@10-0000000000000002";

    #[test]
    fn only_the_name_of_a_feeds_run_has_a_run() {
        for (source, identity, run) in [
            (RUN_10, OLD, Some("10-0000000000000001")),
            (OLD, OLD, None),
            ("gbfs:nyc@10", "gbfs:nyc@10", None),
            (
                "gbfs:nyc@-1-0000000000000001",
                "gbfs:nyc@-1-0000000000000001",
                None,
            ),
            (
                "gbfs:nyc@10-000000000000000G",
                "gbfs:nyc@10-000000000000000G",
                None,
            ),
            (
                "simulate:7@10-0000000000000001",
                "simulate:7@10-0000000000000001",
                None,
            ),
            ("gbfs:nyc@10-0000000000000001#5f0c", "5f0c", None),
            ("", "", None),
        ] {
            let name = SourceName::of(source);
            assert_eq!(name.identity, identity, "{source}");
            let found = name.run.map(|run| run.to_string());
            assert_eq!(found.as_deref(), run, "{source}");
        }
    }

    #[test]
    fn a_record_is_taken_if_its_run_and_seq_are_greater_than_the_last_ones() {
        // What comes, one after the other, and whether it is taken.
        let mut sources = Sources::default();
        for (source, seq, taken) in [
            ("a.csv#1", 4, true),
            ("a.csv#1", 4, false),
            ("copy of a.csv#1", 4, false),
            ("a.csv#1", 9, true), // Seqs of other partitions are not missing here.
            (OLD, 700, true),
            (RUN_9, 1, true),
            (OLD, 701, false),
            (RUN_9, 1, false),
            (RUN_9, 2, true),
            (RUN_10, 1, true),
            (RUN_9, 3, false),
            (RUN_10_ALSO, 1, true),
            (RUN_10, 2, false),
            (RUN_10_ALSO, 2, true),
            ("gbfs:other@1-0000000000000000", 1, true),
        ] {
            assert_eq!(sources.admit(source, seq), taken, "{source} {seq}");
        }
    }

    #[test]
    fn a_tick_of_a_newer_run_fences_the_older_ones_and_takes_no_record() {
        let mut sources = Sources::default();
        assert!(sources.admit_tick("a.csv#1", 4));
        assert!(sources.admit("a.csv#1", 0));
        assert!(sources.admit_tick(OLD, 5) && sources.admit(OLD, 5));
        assert!(sources.admit_tick(RUN_10, 1));
        assert!(!sources.admit_tick(RUN_9, 80) && !sources.admit(RUN_9, 80));
        assert!(!sources.admit_tick(OLD, 80) && !sources.admit(OLD, 80));
        assert!(sources.admit(RUN_10, 1) && sources.admit_tick(RUN_10, 2));
        let changed = sources.take_changed();
        assert_eq!(changed, [("a.csv#1".to_owned(), 0), (RUN_10.to_owned(), 1)]);
        assert_eq!(sources.take_changed(), []);
    }

    #[test]
    fn of_what_was_stored_the_newest_run_counts_and_the_others_can_go() {
        let stored = [(RUN_9, 80), (OLD, 900), (RUN_10, 3), ("a.csv#1", 4)];
        let stored = stored.map(|(source, seq)| (source.to_owned(), seq));
        let mut sources = Sources::resume(stored.clone());
        assert!(!sources.admit(RUN_9, 81) && !sources.admit(RUN_10, 3));
        assert!(sources.admit(RUN_10, 4));
        assert_eq!(Sources::fenced(&stored), [RUN_9, OLD]);
    }
}
