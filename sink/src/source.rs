//! Which records of each source have been taken: what a resent record is known by.

use std::collections::HashMap;

use domain::record::source_identity;

/// The last record taken of each source.
///
/// A source is known by the hash of its content, the part behind the last `#`: the same file under
/// another name is the same source.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    by_identity: HashMap<Box<str>, Progress>,
    changed: Vec<Box<str>>,
}

#[derive(Debug)]
struct Progress {
    /// The source as it was first seen, which is how `source_cursor` names it.
    source: String,
    seq: u64,
    changed: bool,
}

impl Sources {
    pub(crate) fn resume(seen: impl IntoIterator<Item = (String, u64)>) -> Self {
        let by_identity = seen.into_iter().map(|(source, seq)| {
            (
                source_identity(&source).into(),
                Progress {
                    source,
                    seq,
                    changed: false,
                },
            )
        });
        Self {
            by_identity: by_identity.collect(),
            changed: Vec::new(),
        }
    }

    /// Takes the record in; false if it has been taken before.
    pub(crate) fn admit(&mut self, source: &str, seq: u64) -> bool {
        let identity = source_identity(source);
        let Some(progress) = self.by_identity.get_mut(identity) else {
            self.changed.push(identity.into());
            let progress = Progress {
                source: source.to_owned(),
                seq,
                changed: true,
            };
            self.by_identity.insert(identity.into(), progress);
            return true;
        };
        if seq <= progress.seq {
            return false;
        }
        progress.seq = seq;
        if !progress.changed {
            progress.changed = true;
            self.changed.push(identity.into());
        }
        true
    }

    /// The sources that advanced since the last call, each with its last record.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, u64)> {
        let changed = std::mem::take(&mut self.changed);
        let mut taken = Vec::with_capacity(changed.len());
        for identity in changed {
            if let Some(progress) = self.by_identity.get_mut(&identity) {
                progress.changed = false;
                taken.push((progress.source.clone(), progress.seq));
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_once() {
        let mut sources = Sources::resume([("a.csv#1".to_owned(), 4)]);
        assert!(!sources.admit("a.csv#1", 4));
        assert!(sources.admit("a.csv#1", 5));
        assert!(!sources.admit("a.csv#1", 5));
        assert!(
            sources.admit("a.csv#1", 9),
            "seqs of other partitions are not missing here"
        );
        assert_eq!(sources.take_changed(), [("a.csv#1".to_owned(), 9)]);
        assert_eq!(sources.take_changed(), []);
    }

    #[test]
    fn a_renamed_file_is_the_same_source() {
        let mut sources = Sources::default();
        assert!(sources.admit("a.csv#1", 0));
        assert!(!sources.admit("copy of a.csv#1", 0));
        assert!(sources.admit("simulate:7", 0));
        assert!(!sources.admit("simulate:7", 0));
    }
}
