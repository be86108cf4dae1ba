//! The help teaches: every subcommand has examples, and every flag a sentence.

use std::process::{Command, Stdio};

use expect_test::expect;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_subcommands_are_named_with_what_they_do() {
    let help = help(&["-h"]);
    let commands = help.split("Commands:").nth(1).unwrap();
    let commands = commands.split("Options:").next().unwrap().trim();
    let lines: Vec<_> = commands.lines().map(str::trim).collect();
    expect![[r#"
        up           Run everything on this machine: Postgres, Fluvio, sink, page and producer
        produce      Send trips to topic trips, paced by their departures; ends when the source does
        prepare      Write trip files by month as Parquet, cleaned and ordered, to load them again faster
        sink         Store what the SmartModules give: topic trips → Postgres. Runs until stopped
        serve        Serve the page from what the sink stored. Runs until stopped; any number may run
        migrate      Make or update the tables, as their owner; the other commands then need fewer rights
        bridge       Mirror topics between Kafka and Fluvio, each record exactly once. Runs until stopped
        broker       Run the embedded single-node Fluvio alone. Runs until stopped
        cluster      Make a Fluvio cluster what fluvio-cluster.yaml declares: topics and SmartModules
        smartmodule  Change or list the SmartModules that run inside the broker, while everything runs
        rejected     List the rows that could not become trips: file, line and reason
        audit        Check that the tables keep their laws; if one is broken, exit code 1
        status       Show how far each partition is stored and by whom, the clock and the tables' sizes
        doctor       Tell what this machine has, what is missing and what to do
        debug        Help others to find out what is wrong
        basemap      Make the map and the addresses of a city of your own, from OpenStreetMap
        simulate     Write the trips of a simulated city to a CSV file, in Citi Bike's format
        completions  Print what a shell needs to complete commands and flags
        help         Print this message or the help of the given subcommand(s)"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn every_subcommand_shows_examples() {
    for command in [
        "up",
        "produce",
        "prepare",
        "sink",
        "serve",
        "migrate",
        "bridge",
        "broker",
        "cluster",
        "smartmodule",
        "rejected",
        "status",
        "doctor",
        "basemap",
        "simulate",
    ] {
        let help = help(&[command, "--help"]);
        assert!(
            help.contains("Examples:\n  bikeshare") || help.contains("Examples:\n  cargo"),
            "{help}"
        );
    }
}

#[test]
fn the_bridge_names_its_settings_and_their_variables() {
    let help = help(&["bridge", "-h"]);
    for setting in [
        "--kafka-config <FILE>",
        "[env: BIKESHARE_KAFKA_CONFIG=]",
        "--metrics <HOST:PORT>",
        "BIKESHARE_BRIDGE_METRICS=]",
    ] {
        assert!(help.contains(setting), "{setting}: {help}");
    }
}

#[test]
fn a_shell_is_told_all_subcommands_and_their_flags() {
    let output = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(["completions", "bash"])
        .output()
        .unwrap();
    let script = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{script}");
    for word in ["audit", "smartmodule", "--metrics", "--on-other-log"] {
        assert!(script.contains(word), "{word}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command.args(["completions", "bash"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds is written: what is beyond finds no reader.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}
