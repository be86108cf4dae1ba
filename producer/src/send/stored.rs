//! Which records of a batch a partition holds already, after a response that did not come. No I/O.

use domain::record::RecordHead;
use domain::source::SourceName;

use super::Outgoing;

/// How many records of a batch, from its first one on, are among values that are read in order.
///
/// Others may write too: what is not the next record of the batch is passed over.
#[derive(Debug)]
pub struct StoredPrefix<'a> {
    batch: &'a [Outgoing],
    count: usize,
}

impl<'a> StoredPrefix<'a> {
    /// Nothing was read yet.
    #[must_use]
    pub fn of(batch: &'a [Outgoing]) -> Self {
        Self { batch, count: 0 }
    }

    /// Takes in the next stored value.
    pub fn see(&mut self, value: &[u8]) {
        self.count += usize::from(is_next(self.batch, self.count, value));
    }

    /// Records that are there.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }
}

/// Whether a stored value is the record of the batch at `index`.
fn is_next(batch: &[Outgoing], index: usize, value: &[u8]) -> bool {
    let Some(record) = batch.get(index) else {
        return false;
    };
    let heads = (RecordHead::read(&record.value), RecordHead::read(value));
    let (Some(ours), Some(theirs)) = heads else {
        return false;
    };
    let same_source = SourceName::of(&ours.source) == SourceName::of(&theirs.source);
    same_source && (ours.seq, ours.tick) == (theirs.seq, theirs.tick)
}
