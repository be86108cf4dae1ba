//! What a stored record is known by.

use std::fmt;

use domain::record::source_and_seq;

use crate::storable::storable;

/// What distinguishes the last record that was stored from every other one at its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRecord {
    /// The broker's leader epoch; none from a cluster whose modules' outputs carry none.
    pub epoch: Option<i32>,
    /// Empty for bytes that are no record.
    pub source: String,
    /// 0 for bytes that are no record.
    pub seq: u64,
}

impl LastRecord {
    /// What a stored record is known by.
    pub fn of(epoch: Option<i32>, value: &[u8]) -> Self {
        let (source, seq) = source_and_seq(value);
        Self {
            epoch,
            source: storable(&source),
            seq,
        }
    }

    /// Whether both are the same record, as far as both are known.
    pub fn is_same(&self, other: &Self) -> bool {
        let epochs = self.epoch.zip(other.epoch);
        (&self.source, self.seq) == (&other.source, other.seq)
            && epochs.is_none_or(|(one, other)| one == other)
    }
}

impl fmt::Display for LastRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.source {
            "" => write!(f, "no record")?,
            source => write!(f, "row {} of {source:?}", self.seq)?,
        }
        match self.epoch {
            Some(epoch) => write!(f, " of epoch {epoch}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn last(epoch: Option<i32>, source: &str, seq: u64) -> LastRecord {
        LastRecord {
            epoch,
            source: source.to_owned(),
            seq,
        }
    }

    #[test]
    fn a_record_is_known_by_epoch_source_and_seq_as_far_as_they_are_known() {
        let stored = last(Some(7), "a.csv#1", 4);
        assert!(stored.is_same(&last(Some(7), "a.csv#1", 4)));
        assert!(stored.is_same(&last(None, "a.csv#1", 4)));
        assert!(!stored.is_same(&last(Some(8), "a.csv#1", 4)));
        assert!(!stored.is_same(&last(None, "a.csv#1", 5)));
        assert!(!stored.is_same(&last(None, "b.csv#2", 4)));
    }

    #[test]
    fn what_is_no_record_is_known_as_that() {
        let found = LastRecord::of(Some(7), b"hello");
        assert_eq!(found, last(Some(7), "", 0));
        assert_eq!(found.to_string(), "no record of epoch 7");
        assert_eq!(
            last(None, "a.csv#1", 4).to_string(),
            r#"row 4 of "a.csv#1""#
        );
    }
}
