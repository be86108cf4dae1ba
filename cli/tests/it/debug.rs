//! A bundle for those who help from afar: whatever is down it is written, and holds no password.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use testkit::free_address;

use crate::machine::Machine;
use crate::running::Running;

const SECRET: &str = "hunter2hunter2";

/// Makes a bundle; gives its parts by name.
fn bundle(machine: &Machine, arguments: &[&str]) -> BTreeMap<String, String> {
    let file = machine.data_dir().with_file_name("bundle.zip");
    let output = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(["debug", "bundle", "--data-dir"])
        .arg(machine.data_dir())
        .arg("--to")
        .arg(&file)
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env(
            "BIKESHARE_SOURCE",
            format!("gbfs:https://rider:{SECRET}@feed.example/gbfs.json"),
        )
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    read(&file)
}

fn read(file: &Path) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(file).unwrap()).unwrap();
    let mut parts = BTreeMap::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        parts.insert(part.name().to_owned(), text);
    }
    parts
}

#[test]
fn a_bundle_tells_of_a_running_system_but_not_its_passwords() {
    let machine = Machine::new();
    let metrics = free_address().to_string();
    let running = Running::start_with(&machine, &["--metrics", &metrics]);
    running.wait_until_rows_are_stored();
    let parts = bundle(&machine, &["--metrics", &metrics]);
    for (part, expected) in [
        ("version.txt", "bikeshare "),
        (
            "settings.txt",
            "BIKESHARE_SOURCE=gbfs:https://rider:***@feed.example/gbfs.json",
        ),
        ("settings.txt", "AWS_SECRET_ACCESS_KEY=***"),
        ("status.txt", "trips/0    trip-split"),
        ("doctor.txt", "ok       database"),
        ("audit.txt", "exit status: 0"),
        ("postgres.txt", "PostgreSQL"),
        ("tables.txt", "\"relname\": \"records\""),
        ("cursors.txt", "dock-window"),
        ("plans.txt", "Index"),
        ("activity.txt", " availability"),
    ] {
        assert!(parts[part].contains(expected), "{part}: {}", parts[part]);
    }
    let shown = format!("{}/metrics.txt", metrics.replace(':', "-"));
    assert!(parts[&shown].contains("bikeshare_sink_commits_total"));
    for (part, text) in &parts {
        assert!(!text.contains(SECRET), "{part}: {text}");
    }
    assert_eq!(running.interrupt(), Some(0));
}

#[test]
fn a_bundle_is_written_where_nothing_runs() {
    let machine = Machine::new();
    let parts = bundle(&machine, &["--metrics", &free_address().to_string()]);
    let names: Vec<_> = parts
        .keys()
        .filter(|name| !name.contains("127.0.0.1"))
        .collect();
    expect![[r#"["audit.txt", "doctor.txt", "postgres.txt", "settings.txt", "status.txt", "version.txt"]"#]]
        .assert_eq(&format!("{names:?}"));
    assert!(parts["postgres.txt"].starts_with("could not be found out: no database address"));
}
