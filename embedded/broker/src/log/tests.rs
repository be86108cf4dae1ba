//! What a log keeps, and what is left of it after a crash.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use fluvio_protocol::record::Record;
use proptest::prelude::*;

use super::*;
use crate::batch::BatchHead;

mod power;

/// Space for a few batches of the tests.
const SEGMENT_BYTES: u64 = 600;

/// A log of topic "topic", partition 0, as a restarted broker opens it.
fn open(folder: &Path) -> Log {
    let leader_epoch = LeaderEpoch::new(7);
    open_in(folder, leader_epoch)
}

fn open_in(folder: &Path, leader_epoch: LeaderEpoch) -> Log {
    let config = LogConfig {
        replica: ReplicaKey::new("topic", 0_u32),
        segment_bytes_max: SEGMENT_BYTES,
        leader_epoch,
        sync: false,
        storage: Arc::new(Disk),
    };
    Log::open(folder.to_path_buf(), config).unwrap()
}

/// A new one.
fn create(folder: &Path) -> Log {
    Segment::create(&Disk, folder, BatchStart::new(0, i32::MIN)).unwrap();
    open(folder)
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
    let mut records = head.records(&stored).unwrap();
    let records = Vec::<Record>::decode_from(&mut records, 0).unwrap();
    let values = records
        .iter()
        .map(|record| record.value().as_utf8_lossy_string().into_owned());
    (head.base_offset, values.collect())
}

fn last_segment(folder: &Path) -> PathBuf {
    let base = segment::bases_in(&Disk, folder).unwrap().pop().unwrap();
    folder.join(format!("{base:020}.log"))
}

#[test]
fn batches_get_the_offsets_that_follow_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
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
    let log = create(folder.path());
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
    let log = create(folder.path());
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
fn the_oldest_segments_go_when_they_are_too_much_and_the_log_remembers_where_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    for number in 0..20 {
        log.append(vec![batch(&[format!("{number:0200}")])])
            .unwrap();
    }
    let all = contents(&log, 0);
    let keep = |bytes_max| Retention {
        bytes_max: Some(bytes_max),
        ..Retention::default()
    };
    assert_eq!(log.delete_old(keep(log.bytes())).unwrap(), None);
    let start = log.delete_old(keep(3 * SEGMENT_BYTES)).unwrap().unwrap();
    assert!(log.bytes() <= 3 * SEGMENT_BYTES && start > 0);
    assert!(matches!(
        log.read(start - 1, 100),
        Err(LogError::Evicted { first, .. }) if first == start
    ));
    let kept = |log: &Log, start: i64| {
        let kept = all.iter().filter(|(base, _)| *base >= start);
        assert_eq!(contents(log, start), kept.cloned().collect::<Vec<_>>());
    };
    kept(&log, start);
    drop(log);
    let log = open(folder.path());
    assert_eq!((log.start_offset(), log.end_offset()), (start, 20));
    kept(&log, start);
    // The one that is written stays, whatever was declared.
    let last = log.delete_old(keep(0)).unwrap().unwrap();
    kept(&log, last);
    drop(log);
    // A segment that is missing is damage, as it was before anything was deleted.
    fs::remove_file(segment::path_of(folder.path(), last)).unwrap();
    let log = open(folder.path());
    assert_eq!(log.damage().map(|damage| damage.offset), Some(last));
}

#[test]
fn the_oldest_segments_go_when_they_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    for number in 0..6 {
        log.append(vec![batch(&[format!("{number:0200}")])])
            .unwrap();
    }
    let hour = Duration::from_secs(60 * 60);
    let keep = Retention {
        age_max: Some(hour),
        ..Retention::default()
    };
    assert_eq!(log.delete_old(keep).unwrap(), None);
    let first = segment::path_of(folder.path(), 0);
    let yesterday = fs::metadata(&first).unwrap().modified().unwrap() - 24 * hour;
    let file = OpenOptions::new().append(true).open(&first).unwrap();
    file.set_modified(yesterday).unwrap();
    assert!(log.delete_old(keep).unwrap().is_some());
    assert!(!first.exists());
    // Its clock stands before the last write: nothing is old.
    let tomorrow = yesterday + 48 * hour;
    let next = segment::path_of(folder.path(), log.start_offset());
    let file = OpenOptions::new().append(true).open(next).unwrap();
    file.set_modified(tomorrow).unwrap();
    assert_eq!(log.delete_old(keep).unwrap(), None);
}

#[test]
fn a_log_whose_start_cannot_be_read_begins_with_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    for number in 0..9 {
        log.append(vec![batch(&[format!("{number:0200}")])])
            .unwrap();
    }
    let keep = Retention {
        bytes_max: Some(0),
        ..Retention::default()
    };
    let start = log.delete_old(keep).unwrap().unwrap();
    drop(log);
    fs::write(folder.path().join("log-start"), "3").unwrap();
    let log = open(folder.path());
    assert_eq!(log.start_offset(), start);
    assert!(log.damage().is_none());
}

#[test]
fn a_batch_larger_than_asked_for_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    log.append(vec![batch(&["x".repeat(300)])]).unwrap();
    assert!(log.read(0, 1).unwrap().bytes.len() > 300);
}

#[test]
fn a_batch_larger_than_a_segment_and_one_without_records_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
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

/// Changes one bit of a file; gives what the file holds then.
fn flip(path: &Path, byte: usize, bit: u8) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1 << bit;
    fs::write(path, &bytes).unwrap();
    bytes
}

fn appended(log: &Log, count: usize) {
    for number in 0..count {
        log.append(vec![batch(&[format!("value {number}")])])
            .unwrap();
    }
}

fn damage_text(folder: &Path, error: &LogError) -> String {
    assert!(matches!(error, LogError::Damaged(_)), "{error}");
    error
        .to_string()
        .replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn a_bad_batch_is_named_and_neither_it_nor_what_follows_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 30);
    let first = segment::path_of(folder.path(), 0);
    let third_batch = 2 * log.read(0, 1).unwrap().bytes.len();
    // The closed segment is open and in use: a digit of its third record changes.
    let changed = flip(&first, third_batch + 70, 0);

    assert_eq!(log.batches(0, 2).filter(Result::is_ok).count(), 2);
    let error = log.read(2, 1).unwrap_err();
    expect_test::expect![[r#"
        topic "topic" partition 0 is damaged at offset 2: "FOLDER/00000000000000000000.log", byte 150: the batch here has a wrong checksum; stop the broker and restore the file from a backup, or give up the partition from this offset on: move the folder's later files away and cut this one with `truncate -s 150`"#]]
    .assert_eq(&damage_text(folder.path(), &error));
    let later = log.read(29, 1).unwrap_err();
    assert_eq!(later.to_string(), error.to_string());
    let refused = log.append(vec![batch(&["more".to_owned()])]).unwrap_err();
    assert_eq!(refused.to_string(), error.to_string());
    assert_eq!(fs::read(&first).unwrap(), changed);
}

#[test]
fn a_flip_in_the_segment_that_is_written_cuts_off_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 5);
    drop(log);
    let last = last_segment(folder.path());
    let bytes = fs::read(&last).unwrap().len();
    // Of the first batch, and of the last one, behind which is nothing.
    for (byte, served) in [(60, 0), (bytes - 3, 4)] {
        let changed = flip(&last, byte, 3);
        let log = open(folder.path());
        assert_eq!(log.damage().unwrap().offset, served);
        assert_eq!(
            log.batches(0, served).filter(Result::is_ok).count() as i64,
            served
        );
        let to_the_end: Vec<_> = log.batches(served, log.end_offset()).collect();
        assert!(matches!(to_the_end[..], [Err(LogError::Damaged(_))]));
        assert_eq!(fs::read(&last).unwrap(), changed);
        flip(&last, byte, 3);
    }
    assert!(open(folder.path()).damage().is_none(), "repaired, it opens");
}

#[test]
fn what_a_killed_write_has_left_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 2);
    drop(log);
    let last = last_segment(folder.path());
    let whole = fs::read(&last).unwrap();
    fs::write(&last, &whole[..whole.len() - 5]).unwrap();

    let log = open(folder.path());

    assert_eq!((log.end_offset(), log.damage()), (1, None));
    let half = whole.len() / 2;
    assert_eq!(fs::read(&last).unwrap(), whole[..half]);
    let aside = last.with_extension("torn-1");
    assert_eq!(fs::read(aside).unwrap(), whole[half..whole.len() - 5]);
}

#[test]
fn a_torn_batch_before_a_whole_one_is_not_taken_for_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 3);
    drop(log);
    let last = last_segment(folder.path());
    let mut bytes = fs::read(&last).unwrap();
    let batch_bytes = bytes.len() / 3;
    // As if the second batch were longer than the file.
    bytes[batch_bytes + 9] = 1;
    fs::write(&last, &bytes).unwrap();
    assert_eq!(open(folder.path()).damage().unwrap().offset, 1);
    assert_eq!(fs::read(&last).unwrap(), bytes);
}

#[test]
fn a_segment_that_is_missing_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 30);
    drop(log);
    let bases = segment::bases_in(&Disk, folder.path()).unwrap();
    let second = segment::path_of(folder.path(), bases[1]);
    fs::rename(&second, second.with_extension("away")).unwrap();
    let damage = open(folder.path()).damage().unwrap();
    assert_eq!(
        (damage.offset, damage.flaw),
        (bases[1], Flaw::Gap { next: bases[2] })
    );
    fs::rename(second.with_extension("away"), &second).unwrap();

    fs::remove_file(segment::path_of(folder.path(), 0)).unwrap();
    let log = open(folder.path());
    let damage = log.damage().unwrap();
    assert_eq!((damage.offset, damage.flaw), (0, Flaw::Missing));
    assert!(log.read(0, 1).is_err());
    assert!(
        !segment::path_of(folder.path(), 0).exists(),
        "nothing is put in its place"
    );
}

#[test]
fn a_log_that_has_lost_its_end_goes_on_in_another_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 2);
    let epoch_at = |log: &Log, offset| {
        let (head, _) = log.batches(offset, offset + 1).next().unwrap().unwrap();
        head.leader_epoch
    };
    assert_eq!(epoch_at(&log, 1), 7);
    drop(log);
    let last = last_segment(folder.path());
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();

    let log = open_in(folder.path(), LeaderEpoch::new(9));
    appended(&log, 1);

    assert_eq!((epoch_at(&log, 0), epoch_at(&log, 1)), (7, 9));
    assert_eq!(log.newest_epoch(), 9);
}

#[test]
fn an_epoch_that_goes_down_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    appended(&log, 2);
    drop(log);
    let last = last_segment(folder.path());
    // The lowest byte of the first batch's epoch: 7 becomes 71.
    flip(&last, 15, 6);
    let damage = open(folder.path()).damage().unwrap();
    assert_eq!(damage.offset, 1);
    assert_eq!(
        damage.flaw,
        Flaw::Epoch {
            found: 7,
            before: 71
        }
    );
}

#[test]
fn who_follows_the_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(folder.path());
    let mut end = log.follow_end();
    log.append(vec![batch(&["a".to_owned(), "b".to_owned()])])
        .unwrap();
    assert!(end.has_changed().unwrap());
    assert_eq!(*end.borrow_and_update(), 2);
}

/// `cargo test --profile quick -p embedded-broker --lib a_gigabyte -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn a_gigabyte_is_opened_and_read() {
    for values in [2, 40] {
        let folder = tempfile::tempdir().unwrap();
        let config = LogConfig {
            replica: ReplicaKey::new("topic", 0_u32),
            segment_bytes_max: 256 << 20,
            leader_epoch: LeaderEpoch::new(7),
            sync: false,
            storage: Arc::new(Disk),
        };
        let log = Log::create(folder.path().to_path_buf(), config.clone()).unwrap();
        while log.bytes() < 1 << 30 {
            let many = (0..100).map(|_| batch(&vec!["x".repeat(400); values]));
            log.append(many.collect()).unwrap();
        }
        drop(log);
        let started = std::time::Instant::now();
        let log = Log::open(folder.path().to_path_buf(), config).unwrap();
        let opened = started.elapsed();
        let batches = log.batches(0, log.end_offset()).count();
        let read = started.elapsed() - opened;
        println!("{batches} batches: opened in {opened:?}, read in {read:?}");
    }
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
        let log = create(folder.path());
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
    fn every_offset_is_found(appends in proptest::collection::vec(1_usize..6, 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let log = create(folder.path());
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
