//! What a log keeps, and what is left of it after a crash.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use fluvio_protocol::record::Record;
use proptest::prelude::*;

use super::*;

/// Room for a few batches of the tests.
const SEGMENT_BYTES: u64 = 600;

fn open(folder: &Path) -> Log {
    Log::open(folder.to_path_buf(), SEGMENT_BYTES).unwrap()
}

fn batch(values: &[String]) -> Batch<RawRecords> {
    let records: Vec<Record> = values
        .iter()
        .map(|value| Record::new(value.as_str()))
        .collect();
    Batch::from(records).try_into().unwrap()
}

/// Everything in the log from an offset on, as base offset and values of each batch.
fn contents(log: &Log, from: i64) -> Vec<(i64, Vec<String>)> {
    let batches = log.batches(from, log.end_offset());
    batches.map(|stored| values_of(stored.unwrap())).collect()
}

fn values_of((head, stored): (BatchHead, Bytes)) -> (i64, Vec<String>) {
    use fluvio_protocol::Decoder;
    let mut records = Bytes::from(head.records(&stored).unwrap());
    let records = Vec::<Record>::decode_from(&mut records, 0).unwrap();
    let values = records
        .iter()
        .map(|record| record.value().as_utf8_lossy_string().into_owned());
    (head.base_offset, values.collect())
}

fn last_segment(folder: &Path) -> PathBuf {
    let base = segment::bases_in(folder).unwrap().pop().unwrap();
    folder.join(format!("{base:020}.log"))
}

#[test]
fn batches_get_the_offsets_that_follow_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let two = || batch(&["a".to_owned(), "b".to_owned()]);
    assert_eq!(
        log.append(vec![two()]).unwrap(),
        Appended { base_offset: 0 }
    );
    assert_eq!(
        log.append(vec![two(), two()]).unwrap(),
        Appended { base_offset: 2 }
    );
    assert_eq!((log.start_offset(), log.end_offset()), (0, 6));
    let bases: Vec<i64> = contents(&log, 3)
        .into_iter()
        .map(|(base, _)| base)
        .collect();
    assert_eq!(
        bases,
        [2, 4],
        "reading begins with the batch that holds the offset"
    );
}

#[test]
fn the_end_that_is_told_includes_what_is_being_stored() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let storing = log.lock_appending();
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(log.settled_end()));
        // A slow disk.
        assert!(told.recv_timeout(Duration::from_millis(200)).is_err());
        log.end.send_replace(2);
        drop(storing);
        assert_eq!(told.recv(), Ok(2));
    });
}

#[test]
fn reading_at_the_end_gives_nothing_and_beyond_it_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    log.append(vec![batch(&["a".to_owned()])]).unwrap();
    assert!(log.read(1, 100).unwrap().bytes.is_empty());
    assert!(matches!(
        log.read(2, 100),
        Err(LogError::BeyondEnd { offset: 2, end: 1 })
    ));
    assert!(matches!(
        log.read(-1, 100),
        Err(LogError::Evicted {
            offset: -1,
            first: 0
        })
    ));
}

#[test]
fn a_batch_larger_than_asked_for_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    log.append(vec![batch(&["x".repeat(300)])]).unwrap();
    assert!(log.read(0, 1).unwrap().bytes.len() > 300);
}

#[test]
fn a_batch_larger_than_a_segment_and_one_without_records_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let large = log.append(vec![batch(&["a".to_owned()]), batch(&["x".repeat(600)])]);
    assert!(matches!(
        large,
        Err(LogError::TooLarge {
            limit: SEGMENT_BYTES,
            ..
        })
    ));
    let empty = log.append(vec![Batch::<RawRecords>::default()]);
    assert!(matches!(empty, Err(LogError::Empty)));
    assert_eq!(
        log.end_offset(),
        0,
        "nothing of a refused request is stored"
    );
}

#[test]
fn who_follows_the_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let mut end = log.follow_end();
    log.append(vec![batch(&["a".to_owned(), "b".to_owned()])])
        .unwrap();
    assert!(end.has_changed().unwrap());
    assert_eq!(*end.borrow_and_update(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn after_a_crash_at_any_byte_a_prefix_of_whole_batches_is_left(
        appends in proptest::collection::vec(
            proptest::collection::vec("[a-z]{0,40}", 1..5), 1..30),
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path());
        for values in &appends {
            log.append(vec![batch(values)]).unwrap();
        }
        let before = contents(&log, 0);
        prop_assert_eq!(before.len(), appends.len());
        drop(log);
        let last = last_segment(folder.path());
        let bytes = fs::metadata(&last).unwrap().len();
        let kept = cut.index(usize::try_from(bytes).unwrap() + 1) as u64;
        OpenOptions::new().write(true).open(&last).unwrap().set_len(kept).unwrap();

        let log = open(folder.path());
        let after = contents(&log, 0);

        prop_assert!(before.starts_with(&after));
        if kept == bytes {
            prop_assert_eq!(after.len(), before.len());
        }
        let next = log.append(vec![batch(&["next".to_owned()])]).unwrap();
        prop_assert_eq!(contents(&log, next.base_offset), [(next.base_offset, vec!["next".to_owned()])]);
    }

    #[test]
    fn a_changed_byte_never_comes_back_as_data(
        values in proptest::collection::vec("[a-z]{1,40}", 1..4),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..=255,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path());
        log.append(vec![batch(&values)]).unwrap();
        let before = contents(&log, 0);
        drop(log);
        let last = last_segment(folder.path());
        let mut bytes = fs::read(&last).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&last, &bytes).unwrap();

        let after = contents(&open(folder.path()), 0);

        // The epoch is not in the checksum, and nobody reads it.
        let is_epoch = (12..16).contains(&at);
        prop_assert_eq!(after, if is_epoch { before } else { Vec::new() });
    }

    #[test]
    fn every_offset_is_found(appends in proptest::collection::vec(1_usize..6, 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path());
        for count in &appends {
            log.append(vec![batch(&vec!["value".to_owned(); *count])]).unwrap();
        }
        for offset in 0..log.end_offset() {
            let slice = log.read(offset, 1).unwrap();
            let head = BatchHead::parse(&slice.bytes).unwrap();
            prop_assert!(head.base_offset <= offset && offset < head.next_offset());
        }
    }
}
