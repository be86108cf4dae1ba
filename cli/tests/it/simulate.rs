//! `simulate --out` writes a file that `up --source` takes.

use std::process::Command;

use crate::machine::Machine;

#[test]
fn a_simulated_file_is_loaded_whole_but_for_its_broken_rows() {
    let machine = Machine::new();
    let file = machine.data_dir().with_file_name("city.csv");
    let status = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args([
            "simulate",
            "--city",
            "seed=5,trips=2000,dirty=0.01",
            "--out",
        ])
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());

    let summary = machine.once(file.to_str().unwrap());
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(number("rows_read"), 2_000);
    assert!(number("rejected") > 0, "{summary}");
    assert_eq!(number("records"), 2 * number("produced"));
    assert_eq!(number("departures"), number("produced"));
}
