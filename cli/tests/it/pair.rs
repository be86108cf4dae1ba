//! Topics and tables of one data folder that no longer belong together are found out, and mended.

use std::fs;

use crate::machine::Machine;

const CITY: &str = "simulate:trips=900,seed=31";

#[test]
fn tables_whose_topic_is_gone_are_not_taken_for_loaded_and_can_be_built_anew() {
    let machine = Machine::new();
    let whole = machine.once(CITY);
    fs::remove_dir_all(machine.fluvio_dir()).unwrap();

    // Few trips or as many as before: the tables are not theirs.
    for source in ["simulate:trips=3,seed=32", CITY] {
        let output = machine.up(source).arg("--once").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let last = stderr.lines().last().unwrap();
        assert!(last.contains("--on-other-log rebuild"), "{stderr}");
    }

    let mut anew = machine.up(CITY);
    let built = machine.finish(anew.args(["--once", "--on-other-log", "rebuild"]));
    assert_eq!(built["records"], 2 * (900 + 3), "{built}");
    assert_eq!(built["produced"], whole["produced"]);
    // From now on they are a pair again.
    assert_eq!(machine.once(CITY)["records"], built["records"]);
}

#[test]
fn a_changed_byte_in_a_log_ends_the_run_and_is_named() {
    let machine = Machine::new();
    machine.once(CITY);
    let path = machine
        .fluvio_dir()
        .join("logs/trips/1/00000000000000000000.log");
    let mut log = fs::read(&path).unwrap();
    let middle = log.len() / 2;
    log[middle] ^= 4;
    fs::write(&path, &log).unwrap();

    let output = machine.up(CITY).arg("--once").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(
        last.contains("partition 1 is damaged at offset"),
        "{stderr}"
    );
    assert!(last.contains("00000000000000000000.log"), "{stderr}");
    assert_eq!(
        fs::read(&path).unwrap(),
        log,
        "the file is kept as it was found"
    );
}
