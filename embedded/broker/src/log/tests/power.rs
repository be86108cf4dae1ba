//! What a log keeps when the power is cut, and when the disk is full.

mod forgetful;

use std::path::Path;

use proptest::prelude::*;

use self::forgetful::Forgetful;
use super::*;

const FOLDER: &str = "logs/topic/0";

fn config(disk: &Forgetful, sync: bool) -> LogConfig {
    LogConfig {
        replica: ReplicaKey::new("topic", 0_u32),
        segment_bytes_max: SEGMENT_BYTES,
        leader_epoch: LeaderEpoch::new(7),
        sync,
        storage: Arc::new(disk.clone()),
    }
}

/// From the log's start on.
fn values(log: &Log) -> Result<Vec<String>, LogError> {
    let batches = log.batches(log.start_offset(), log.end_offset());
    let batches: Result<Vec<_>, _> = batches.map(|stored| Ok(values_of(stored?).1)).collect();
    Ok(batches?.concat())
}

/// One life of a broker: it stores batches of so many records, one request after the other, until after
/// some changes of the disk it is killed, or the power is cut.
#[derive(Debug, Clone)]
struct Life {
    sync: bool,
    requests: Vec<Vec<usize>>,
    changes: usize,
    /// Old segments are deleted while there are more bytes, after each request.
    bytes_max: Option<u64>,
    /// Of a cut; none for a kill.
    cut: Option<u64>,
}

/// Those that do not sync end by kills alone.
fn lives() -> impl Strategy<Value = Vec<Life>> {
    let request = proptest::collection::vec(1_usize..6, 1..4);
    let requests = proptest::collection::vec(request, 0..12);
    let cut = proptest::option::weighted(0.7, any::<u64>());
    let bytes_max = proptest::option::of(0_u64..3 * SEGMENT_BYTES);
    let sync = proptest::bool::weighted(0.8);
    let life = (requests, 0_usize..60, bytes_max, cut, sync);
    let life = life.prop_map(|(requests, changes, bytes_max, cut, sync)| Life {
        sync,
        requests,
        changes,
        bytes_max,
        cut: cut.filter(|_| sync),
    });
    proptest::collection::vec(life, 1..6)
}

/// Lives one after the other on one disk.
///
/// # Errors
/// A text for what was acknowledged, or shown, and is not there after a power cut, or for what was never
/// sent and is.
fn live(lives: &[Life]) -> Result<(), String> {
    let disk = Forgetful::new();
    drop(Log::create(FOLDER.into(), config(&disk, true)).unwrap());
    // What readers have seen, and what a request that was not acknowledged may have left behind it.
    let (mut kept, mut perhaps) = (Vec::new(), Vec::new());
    // Where the log was seen to begin, and up to where it may begin since a deletion was tried.
    let (mut start, mut start_max) = (0, 0);
    for (nth, life) in lives.iter().enumerate() {
        let log = Log::open(FOLDER.into(), config(&disk, life.sync))
            .map_err(|error| error.to_string())?;
        let found = values(&log).map_err(|error| error.to_string())?;
        let begins = log.start_offset();
        if !(start..=start_max).contains(&begins) {
            return Err(format!("it begins at {begins}, not {start} to {start_max}"));
        }
        forget(&mut kept, begins - start);
        (start, start_max) = (begins, begins);
        let rest = found.strip_prefix(kept.as_slice());
        let rest = rest.ok_or_else(|| format!("{found:?} does not begin with {kept:?}"))?;
        if !perhaps.starts_with(rest) {
            return Err(format!("{rest:?} are not of {perhaps:?}"));
        }
        kept = found;
        perhaps.clear();
        disk.cut_after(life.changes);
        for (number, request) in life.requests.iter().enumerate() {
            let name = |batch: usize, at: usize| format!("{nth}-{number}-{batch}-{at}");
            let named = |(batch, records): (usize, &usize)| {
                (0..*records).map(|at| name(batch, at)).collect::<Vec<_>>()
            };
            let batches: Vec<_> = request.iter().enumerate().map(named).collect();
            if log
                .append(batches.iter().map(|it| batch(it)).collect())
                .is_err()
            {
                perhaps = batches.concat();
                break;
            }
            kept.extend(batches.concat());
            if life.bytes_max.is_some() {
                start_max = log.end_offset();
                let retention = Retention {
                    bytes_max: life.bytes_max,
                    ..Retention::default()
                };
                if log.delete_old(retention).is_err() {
                    break;
                }
                forget(&mut kept, log.start_offset() - start);
                (start, start_max) = (log.start_offset(), log.start_offset());
            }
        }
        drop(log);
        match life.cut {
            Some(seed) => disk.restart(seed),
            None => disk.go_on(),
        }
    }
    Ok(())
}

/// Takes the first values away, which were deleted.
fn forget(values: &mut Vec<String>, count: i64) {
    let count = usize::try_from(count).unwrap_or(0);
    values.drain(..count.min(values.len()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_synced_log_loses_nothing_that_was_acknowledged_or_read(lives in lives()) {
        let outcome = live(&lives);
        prop_assert!(outcome.is_ok(), "{outcome:?}");
    }
}

#[test]
fn without_syncing_a_power_cut_loses_what_was_acknowledged() {
    let life = |seed| Life {
        sync: false,
        requests: vec![vec![3]; 4],
        changes: 1_000,
        bytes_max: None,
        cut: Some(seed),
    };
    let is_lost = |seed| live(&[life(seed), life(seed + 1)]).is_err();
    assert!((0..10).any(is_lost), "the disk forgets nothing");
}

#[test]
fn a_full_disk_refuses_batches_until_there_is_room() {
    for sync in [false, true] {
        let disk = Forgetful::new();
        let log = Log::create(FOLDER.into(), config(&disk, sync)).unwrap();
        let store = |name: &str| log.append(vec![batch(&[name.to_owned()])]);
        store("a").unwrap();
        // Room for a part of a batch, for none of it, and for it.
        for room in [10, 0] {
            disk.set_room(usize::try_from(log.bytes()).unwrap() + RECOVERY_POINT_BYTES + room);
            let refused = store("b").unwrap_err();
            assert!(
                matches!(&refused, LogError::File { source, .. }
                    if source.kind() == std::io::ErrorKind::StorageFull),
                "{refused:?}"
            );
            assert_eq!(values(&log).unwrap(), ["a"]);
        }
        // A start needs none.
        drop(log);
        let log = Log::open(FOLDER.into(), config(&disk, sync)).unwrap();
        assert_eq!(values(&log).unwrap(), ["a"]);
        disk.set_room(usize::MAX);
        log.append(vec![batch(&["c".to_owned()])]).unwrap();
        drop(log);
        let log = Log::open(FOLDER.into(), config(&disk, sync)).unwrap();
        assert_eq!(values(&log).unwrap(), ["a", "c"]);
    }
}

/// A seal and an offset.
const RECOVERY_POINT_BYTES: usize = 29;

#[test]
fn what_is_wrong_before_the_recovery_point_is_damage_and_stays() {
    let disk = Forgetful::new();
    let log = Log::create(FOLDER.into(), config(&disk, true)).unwrap();
    for name in ["a", "b"] {
        log.append(vec![batch(&[name.to_owned()])]).unwrap();
    }
    drop(log);
    // Opened once more, both are before it.
    drop(Log::open(FOLDER.into(), config(&disk, true)).unwrap());
    let path = segment::path_of(Path::new(FOLDER), 0);
    let mut stored = disk.read(&path).unwrap();
    let last = stored.len() - 1;
    stored[last] ^= 1;
    disk.replace(&path, &stored).unwrap();
    let log = Log::open(FOLDER.into(), config(&disk, true)).unwrap();
    assert_eq!(log.damage().map(|damage| damage.offset), Some(1));
}
