//! What a data folder is worth after anything of it has changed.
//!
//! The law: what is read is what was stored, or there is an error. Everything below tries all
//! changes of a kind on a small folder and looks at it as clients do.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use fluvio_controlplane_metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio_protocol::Decoder;
use fluvio_protocol::record::{Batch, RawRecords, Record};
use tempfile::TempDir;

use super::*;
use crate::folder::claim;
use crate::scrub;

/// Space for a few batches.
const SEGMENT_BYTES: u64 = 300;
/// The partitions of the folder.
const PARTITIONS: [(&str, u32); 3] = [("left", 0), ("left", 1), ("right", 0)];

/// In memory where there is such a place: the folder is written ten thousands of times.
fn tempdir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn open(folder: &Path) -> Result<Node, BrokerError> {
    Node::open(folder, SEGMENT_BYTES, false)
}

fn append(node: &Node, topic: &str, partition: u32, value: &str) {
    let records = vec![Record::new(value)];
    let batch: Batch<RawRecords> = Batch::from(records).try_into().unwrap();
    let partition = node.partition(topic, partition).unwrap();
    partition.log.append(vec![batch]).unwrap();
}

/// Two topics, several segments, a module and a consumer's offset.
fn fill(folder: &Path) {
    let _lock = claim(folder).unwrap();
    let node = open(folder).unwrap();
    for (topic, partitions) in [("left", 2), ("right", 1)] {
        let spec = TopicSpec::new_computed(partitions, 1, None);
        assert!(node.create_topic(topic, spec).unwrap());
    }
    for number in 0..12 {
        append(&node, "left", 0, &format!("left {number}"));
    }
    append(&node, "left", 1, "alone");
    append(&node, "right", 0, "right 0");
    append(&node, "right", 0, "right 1");
    let module = SmartModuleSpec {
        wasm: SmartModuleWasm::from_raw_wasm_bytes(b"any module").unwrap(),
        ..SmartModuleSpec::default()
    };
    node.metadata.put_smartmodule("module", module).unwrap();
    let replica = ReplicaKey::new("left", 0_u32);
    node.consumers.put(replica, "reader", 3).unwrap();
}

/// Offset and value of each record of a partition, or the first error.
fn records_of(node: &Node, topic: &str, partition: u32) -> Result<Vec<(i64, String)>, String> {
    let partition = node.partition(topic, partition).ok_or("no such topic")?;
    let mut records = Vec::new();
    for stored in partition.log.batches(0, partition.log.end_offset()) {
        let (head, batch) = stored.map_err(|error| error.to_string())?;
        let bytes = head.records(&batch).map_err(|error| error.to_string())?;
        let decoded =
            Vec::<Record>::decode_from(&mut &bytes[..], 0).map_err(|error| error.to_string())?;
        records.extend(decoded.iter().map(|record| {
            let value = record.value().as_utf8_lossy_string().into_owned();
            (head.base_offset + record.offset_delta(), value)
        }));
    }
    Ok(records)
}

/// What clients see of a folder; an error is one that they, or the operator, cannot miss.
#[derive(Debug, PartialEq)]
struct Seen {
    partitions: Vec<Result<Vec<(i64, String)>, String>>,
    module: Result<Vec<u8>, String>,
    /// Of the consumer.
    offset: Option<i64>,
    /// Whether what is stored next has an epoch that nothing stored has.
    is_epoch_new: bool,
}

fn look(folder: &Path) -> Result<Seen, String> {
    let _lock = claim(folder).map_err(|error| error.to_string())?;
    let node = open(folder).map_err(|error| error.to_string())?;
    let module = node.metadata.find_smartmodule("module");
    let newest = node
        .partitions()
        .iter()
        .map(|(_, partition)| partition.log.newest_epoch())
        .max();
    Ok(Seen {
        partitions: PARTITIONS
            .iter()
            .map(|(topic, partition)| records_of(&node, topic, *partition))
            .collect(),
        module: module
            .map(|module| module.wasm.payload.to_vec())
            .ok_or_else(|| "no such module".to_owned()),
        offset: node.consumers.offset("left", 0, "reader"),
        is_epoch_new: newest.is_some_and(|newest| newest < node.epoch.leader_epoch().get()),
    })
}

/// The files of a folder by their path in it.
#[derive(Debug, Clone)]
struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    fn read(folder: &Path) -> Self {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let relative = path.strip_prefix(folder).unwrap().to_path_buf();
                    files.push((relative, fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        Self(files)
    }

    fn write(&self, folder: &Path) {
        for (path, content) in &self.0 {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = fs::File::create(path).unwrap();
            file.write_all(content).unwrap();
        }
    }
}

fn files_of_a_folder() -> Files {
    let folder = tempdir();
    fill(folder.path());
    Files::read(folder.path())
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Whether a file is the last of its partition's log.
fn is_last(files: &Files, path: &Path) -> bool {
    let logs = files.0.iter().filter(|(other, _)| is_log(other));
    logs.filter(|(other, _)| other.parent() == path.parent())
        .all(|(other, _)| other.as_path() <= path)
}

/// Looks at a folder of which one file has changed, or is not there.
fn look_at(
    files: &Files,
    file: usize,
    content: Option<Vec<u8>>,
) -> (TempDir, Result<Seen, String>) {
    let mut changed = files.clone();
    match content {
        Some(content) => changed.0[file].1 = content,
        None => drop(changed.0.remove(file)),
    }
    let folder = tempdir();
    changed.write(folder.path());
    let seen = look(folder.path());
    (folder, seen)
}

/// Calls a function with each number below `count`, on all cores.
fn for_each(count: usize, check: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    check(number);
                }
            });
        }
    });
}

/// What is not an error is the truth; `may_be_shorter` is a partition whose end may be missing.
fn assert_law(truth: &Seen, seen: &Seen, may_be_shorter: impl Fn(usize) -> bool, what: &str) {
    for (index, (seen, stored)) in seen.partitions.iter().zip(&truth.partitions).enumerate() {
        let (Ok(seen), Ok(stored)) = (seen, stored) else {
            continue;
        };
        let is_true = seen == stored || may_be_shorter(index) && stored.starts_with(seen);
        assert!(is_true, "{what}: partition {index} gives {seen:?}");
    }
    assert!(
        seen.module.is_err() || seen.module == truth.module,
        "{what}"
    );
    assert_eq!(seen.offset, truth.offset, "{what}");
    assert!(seen.is_epoch_new, "{what}");
}

fn truth_of(files: &Files) -> Seen {
    let folder = tempdir();
    files.write(folder.path());
    let truth = look(folder.path()).unwrap();
    let records: Vec<usize> = truth
        .partitions
        .iter()
        .map(|partition| partition.as_ref().unwrap().len())
        .collect();
    assert_eq!((records, truth.offset), (vec![12, 1, 2], Some(3)));
    assert!(truth.module.is_ok());
    truth
}

fn index_of(path: &Path) -> usize {
    let of = |(topic, partition): &(&str, u32)| format!("logs/{topic}/{partition}");
    let folder = path.parent().unwrap().to_str().unwrap();
    PARTITIONS.iter().position(|one| of(one) == folder).unwrap()
}

#[test]
fn whatever_bit_flips_what_is_read_is_the_truth_or_an_error() {
    let files = files_of_a_folder();
    let truth = truth_of(&files);
    let bits: Vec<(usize, usize)> = (0..files.0.len())
        .flat_map(|file| (0..files.0[file].1.len() * 8).map(move |bit| (file, bit)))
        .collect();
    let unnoticed = AtomicUsize::new(0);
    for_each(bits.len(), |number| {
        let (file, bit) = bits[number];
        let (path, content) = &files.0[file];
        let what = format!("bit {bit} of {}", path.display());
        let mut flipped = content.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (folder, seen) = look_at(&files, file, Some(flipped.clone()));
        if let Ok(seen) = &seen {
            assert_law(&truth, seen, |_| false, &what);
        }
        if is_log(path) {
            // The others go on, and the file is left as it was.
            let seen = seen.unwrap();
            for (index, partition) in seen.partitions.iter().enumerate() {
                assert!(partition.is_ok() || index == index_of(path), "{what}");
            }
            assert_eq!(
                fs::read(folder.path().join(path)).unwrap(),
                flipped,
                "{what}"
            );
            if seen.partitions == truth.partitions {
                unnoticed.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    // Only bits of a leader epoch, 32 a batch, can change without an error: no record is in them.
    let unnoticed = unnoticed.into_inner();
    assert!((1..=15 * 32).contains(&unnoticed), "{unnoticed}");
}

#[test]
fn wherever_a_file_is_cut_what_is_read_is_the_truth_or_an_error() {
    let files = files_of_a_folder();
    let truth = truth_of(&files);
    let cuts: Vec<(usize, usize)> = (0..files.0.len())
        .flat_map(|file| (0..files.0[file].1.len()).map(move |bytes| (file, bytes)))
        .collect();
    for_each(cuts.len(), |number| {
        let (file, bytes) = cuts[number];
        let (path, content) = &files.0[file];
        let what = format!("{} bytes of {}", bytes, path.display());
        let (_folder, seen) = look_at(&files, file, Some(content[..bytes].to_vec()));
        let is_end = is_log(path) && is_last(&files, path);
        if let Ok(seen) = seen {
            assert_law(
                &truth,
                &seen,
                |index| is_end && index == index_of(path),
                &what,
            );
        }
    });
}

#[test]
fn whichever_file_is_lost_what_is_read_is_the_truth_or_an_error() {
    let files = files_of_a_folder();
    let truth = truth_of(&files);
    for (file, (path, _)) in files.0.iter().enumerate() {
        let what = format!("without {}", path.display());
        let (folder, seen) = look_at(&files, file, None);
        let is_end =
            is_log(path) && is_last(&files, path) && !path.ends_with("00000000000000000000.log");
        if let Ok(seen) = seen {
            assert_law(
                &truth,
                &seen,
                |index| is_end && index == index_of(path),
                &what,
            );
        }
        let left: Vec<Vec<u8>> = Files::read(folder.path())
            .0
            .into_iter()
            .map(|(_, content)| content)
            .collect();
        for (other, stored) in files.0.iter().filter(|(_, stored)| !stored.is_empty()) {
            let is_kept = other == path || left.contains(stored) || other.ends_with("EPOCH");
            assert!(is_kept, "{what}: {} is gone", other.display());
        }
    }
}

#[test]
fn logs_of_a_topic_whose_file_is_lost_or_broken_go_into_quarantine() {
    for content in [None, Some(b"rubbish".to_vec())] {
        let files = files_of_a_folder();
        let topic = files
            .0
            .iter()
            .position(|(path, _)| path.ends_with("topics/left"));
        let (folder, seen) = look_at(&files, topic.unwrap(), content.clone());
        let seen = seen.unwrap();
        assert_eq!(seen.partitions[0], Err("no such topic".to_owned()));
        assert!(seen.partitions[2].is_ok());
        let place = folder.path().join("quarantine/left-1");
        for (path, stored) in files
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("logs/left"))
        {
            assert_eq!(&fs::read(place.join(path)).unwrap(), stored);
        }
        let broken = fs::read(place.join("topics/left")).ok();
        assert_eq!(broken, content, "the broken file is beside them");

        // Put back, as the error says, the topic is what it was.
        fs::rename(place.join("logs/left"), folder.path().join("logs/left")).unwrap();
        let (path, stored) = &files.0[topic.unwrap()];
        fs::write(folder.path().join(path), stored).unwrap();
        assert_eq!(
            look(folder.path()).unwrap().partitions,
            truth_of(&files).partitions
        );
    }
}

#[test]
fn a_folder_of_the_release_before_is_read_and_sealed() {
    let files = files_of_a_folder();
    let mut old = files.clone();
    old.0.retain(|(path, _)| !path.ends_with("EPOCH"));
    for (path, content) in &mut old.0 {
        if path.ends_with("VERSION") {
            *content = b"1\n".to_vec();
        } else if content.starts_with(b"bikeshare-sealed") {
            let seal = content.iter().position(|byte| *byte == b'\n').unwrap();
            content.drain(..=seal);
        }
    }
    let folder = tempdir();
    old.write(folder.path());
    assert_eq!(look(folder.path()).unwrap(), truth_of(&files));
    let sealed = Files::read(folder.path());
    for (path, content) in files.0.iter().filter(|(path, _)| !path.ends_with("EPOCH")) {
        let (_, now) = sealed.0.iter().find(|(other, _)| other == path).unwrap();
        assert_eq!(now, content, "{}", path.display());
    }
}

#[test]
fn a_creation_that_a_crash_cut_short_leaves_nothing_behind() {
    let folder = tempdir();
    fill(folder.path());
    let left = folder.path().join("logs/unborn/0");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("00000000000000000000.log"), "").unwrap();
    look(folder.path()).unwrap();
    assert!(!folder.path().join("logs/unborn").exists());
    assert!(!folder.path().join("quarantine").exists());
}

#[test]
fn a_deletion_that_a_crash_cut_short_is_finished() {
    let folder = tempdir();
    fill(folder.path());
    let deleted = folder.path().join("deleted/left");
    fs::rename(folder.path().join("topics/left"), &deleted).unwrap();
    let seen = look(folder.path()).unwrap();
    assert!(seen.partitions[0].is_err() && seen.partitions[2].is_ok());
    assert!(!folder.path().join("logs/left").exists() && !deleted.exists());
    assert!(!folder.path().join("quarantine").exists());
}

#[test]
fn a_topic_that_is_created_anew_has_another_epoch_and_no_consumers() {
    let folder = tempdir();
    fill(folder.path());
    let _lock = claim(folder.path()).unwrap();
    let node = open(folder.path()).unwrap();
    let before = node.partition("left", 0).unwrap().log.newest_epoch();
    node.delete_topic("left").unwrap();
    let spec = TopicSpec::new_computed(1, 1, None);
    node.create_topic("left", spec).unwrap();
    append(&node, "left", 0, "anew");
    assert!(node.partition("left", 0).unwrap().log.newest_epoch() > before);
    assert_eq!(node.consumers.offset("left", 0, "reader"), None);
    assert_eq!(
        records_of(&node, "left", 0),
        Ok(vec![(0, "anew".to_owned())])
    );
}

#[tokio::test]
async fn a_scrub_finds_damage_that_nobody_has_read() {
    let folder = tempdir();
    fill(folder.path());
    let node = open(folder.path()).unwrap();
    let path = folder.path().join("logs/left/0/00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[70] ^= 1;
    fs::write(&path, bytes).unwrap();
    scrub::pass(&node).await;
    let damaged = |topic, partition| node.partition(topic, partition).unwrap().log.damage();
    assert_eq!(damaged("left", 0).unwrap().path, path);
    assert_eq!((damaged("left", 1), damaged("right", 0)), (None, None));
}
