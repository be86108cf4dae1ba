//! A module that the sink could not use is refused before it is pushed, with what came out of which record.

use std::process::Command;

use expect_test::{Expect, expect};
use fluvio_protocol::Encoder as _;
use fluvio_protocol::link::smartmodule::{SmartModuleKind, SmartModuleTransformRuntimeError};
use fluvio_protocol::record::Record;
use fluvio_smartengine::DEFAULT_SMARTENGINE_VERSION;
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleOutput;

/// What `trip-split` may give for the first sample record, a live feed's system.
const FIRST: &str = r#"{"offset":1000,"source":"gbfs:trial@1-00000000000000a7","seq":1,"tick":"2024-07-01T12:00:00Z"}"#;

/// A module that gives the same outputs whatever it gets, and then does this.
fn giving(outputs: &[&str], then: &str) -> Vec<u8> {
    module_with(&output(outputs, None), then)
}

fn output(values: &[&str], error: Option<SmartModuleTransformRuntimeError>) -> SmartModuleOutput {
    let records = values.iter().map(|value| Record::new(value.to_string()));
    SmartModuleOutput {
        successes: records.collect(),
        error,
    }
}

fn module_with(output: &SmartModuleOutput, then: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    output
        .encode(&mut encoded, DEFAULT_SMARTENGINE_VERSION)
        .unwrap();
    let data: String = encoded.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let bytes = encoded.len();
    // The output lies behind all that is ever put in.
    let text = format!(
        r#"(module
            (import "env" "copy_records" (func $copy (param i32 i32)))
            (memory (export "memory") 32)
            (data (i32.const 2000000) "{data}")
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "array_map") (param $at i32) (param $bytes i32) (param i32) (result i32)
                (call $copy (i32.const 2000000) (i32.const {bytes}))
                {then}
                (i32.const 0)))"#
    );
    wat::parse_str(text).unwrap()
}

/// Does this once the input is longer than what a broker tries a module with, and than the first record.
fn later(action: &str) -> String {
    format!("(if (i32.gt_u (local.get $bytes) (i32.const 250)) (then {action}))")
}

/// Pushes to a cluster that is not there: whoever is refused does not get so far.
fn push(name: &str, wasm: &[u8], more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("module.wasm");
    std::fs::write(&file, wasm).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command.args(["smartmodule", "push"]).arg(&file);
    command
        .args(["--name", name, "--fluvio", "127.0.0.1:1"])
        .args(more);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn check(name: &str, wasm: &[u8], expected: Expect) {
    expected.assert_eq(&push(name, wasm, &[]));
}

#[test]
fn a_module_that_gives_nothing_is_refused() {
    check(
        "trip-split",
        &giving(&[], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives nothing; expected: a departure and its arrival, or one output that is neither, with "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
    check(
        "dock-window",
        &giving(&[], ""),
        expect![[r#"
        error: smartmodule "dock-window" does not give what the sink can take: with sample record 11 by itself, a tick, `{"source":"202407-citibike-tripdata.csv#5a3e","seq":4,"tick":"2024-07-01T12:01:00Z"}`, it gives nothing; expected: one output with "offset":1010, "source":"202407-citibike-tripdata.csv#5a3e" and "seq":4, since a producer's last record is such a one
    "#]],
    );
}

#[test]
fn outputs_that_cannot_be_read_are_refused() {
    check(
        "trip-split",
        &giving(&["hello"], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `hello`; expected: a departure and its arrival, or one output that is neither, with "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
    check(
        "dock-window",
        &giving(&[r#"{"offset":1000}"#], ""),
        expect![[r#"
            error: smartmodule "dock-window" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000}`; expected: an output of `dock-window`: it lacks `from` or `state`
        "#]],
    );
    let wrong = r#"{"offset":1000,"source":"s","seq":1,"tick":"tomorrow"}"#;
    check(
        "trip-split",
        &giving(&[wrong], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"source":"s","seq":1,"tick":"tomorrow"}`; expected: outputs of `trip-split`: input contains invalid characters at line 1 column 53
    "#]],
    );
}

#[test]
fn outputs_that_name_another_record_are_refused() {
    let other = FIRST.replace("1000", "0");
    check(
        "trip-split",
        &giving(&[&other], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":0,"source":"gbfs:trial@1-00000000000000a7","seq":1,"tick":"2024-07-01T12:00:00Z"}`; expected: a departure and its arrival, or one output that is neither, with "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
    let other = FIRST.replace("\"seq\":1", "\"seq\":2");
    check(
        "trip-split",
        &giving(&[&other], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"source":"gbfs:trial@1-00000000000000a7","seq":2,"tick":"2024-07-01T12:00:00Z"}`; expected: a departure and its arrival, or one output that is neither, with "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
    let other = r#"{"offset":1000,"from":0,"closed":[],"seen":[],"state":{}}"#;
    check(
        "dock-window",
        &giving(&[other], ""),
        expect![[r#"
        error: smartmodule "dock-window" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"from":0,"closed":[],"seen":[],"state":{}}`; expected: "from":1000 and "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
}

#[test]
fn more_outputs_for_a_record_than_one_set_are_refused() {
    check(
        "trip-split",
        &giving(&[FIRST, FIRST], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"source":"gbfs:trial@1-00000000000000a7","seq":1,"tick":"2024-07-01T12:00:00Z"}`, `{"offset":1000,"source":"gbfs:trial@1-00000000000000a7","seq":1,"tick":"2024-07-01T12:00:00Z"}`; expected: a departure and its arrival, or one output that is neither, with "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
    let output = r#"{"offset":1000,"from":1000,"closed":[],"seen":[],"state":{}}"#;
    check(
        "dock-window",
        &giving(&[output, output], ""),
        expect![[r#"
        error: smartmodule "dock-window" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"from":1000,"closed":[],"seen":[],"state":{}}`, `{"offset":1000,"from":1000,"closed":[],"seen":[],"state":{}}`; expected: one output with "offset":1000, "source":"gbfs:trial@1-00000000000000a7" and "seq":1, not more
    "#]],
    );
}

#[test]
fn outputs_that_are_always_the_same_are_refused_at_the_second_record() {
    check(
        "trip-split",
        &giving(&[FIRST], ""),
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 2 by itself, a station's first status, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"status":{"station":{"station_id":"6926.01","street":"Broadway & W 58 St","lat":40.727224,"lon":-74.033759},"at":"2024-07-01T12:00:01Z","bikes":7,"service":{"installed":true,"renting":false,"returning":true},"stock":{"ebikes":3,"free_docks":20,"capac`, it gives `{"offset":1000,"source":"gbfs:trial@1-00000000000000a7","seq":1,"tick":"2024-07-01T12:00:00Z"}`; expected: a departure and its arrival, or one output that is neither, with "offset":1001, "source":"gbfs:trial@1-00000000000000a7" and "seq":1
    "#]],
    );
}

#[test]
fn a_module_that_returns_an_error_is_refused() {
    let error = SmartModuleTransformRuntimeError {
        hint: "no such bike".to_owned(),
        offset: 1_000,
        kind: SmartModuleKind::ArrayMap,
        record_key: None,
        record_value: "value".into(),
    };
    let failing = module_with(&output(&[], Some(error)), "");
    check(
        "trip-split",
        &failing,
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it fails: no such bike
    "#]],
    );
}

#[test]
fn a_module_that_does_harm_with_trips_only_is_refused() {
    let traps = giving(&[FIRST], &later("unreachable"));
    check(
        "trip-split",
        &traps,
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 2 by itself, a station's first status, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"status":{"station":{"station_id":"6926.01","street":"Broadway & W 58 St","lat":40.727224,"lon":-74.033759},"at":"2024-07-01T12:00:01Z","bikes":7,"service":{"installed":true,"renting":false,"returning":true},"stock":{"ebikes":3,"free_docks":20,"capac`, it fails: SmartModule err module "trip-split" stopped: wasm trap: wasm `unreachable` instruction executed
    "#]],
    );
    let loops = giving(&[FIRST], &later("(loop $again (br $again))"));
    check(
        "trip-split",
        &loops,
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 2 by itself, a station's first status, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"status":{"station":{"station_id":"6926.01","street":"Broadway & W 58 St","lat":40.727224,"lon":-74.033759},"at":"2024-07-01T12:00:01Z","bikes":7,"service":{"installed":true,"renting":false,"returning":true},"stock":{"ebikes":3,"free_docks":20,"capac`, it fails: SmartModule err module "trip-split" ran longer than 3 s and was stopped
    "#]],
    );
    let grows = giving(&[FIRST], &later("(drop (memory.grow (i32.const 20000)))"));
    check(
        "trip-split",
        &grows,
        expect![[r#"
        error: smartmodule "trip-split" does not give what the sink can take: with sample record 2 by itself, a station's first status, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"status":{"station":{"station_id":"6926.01","street":"Broadway & W 58 St","lat":40.727224,"lon":-74.033759},"at":"2024-07-01T12:00:01Z","bikes":7,"service":{"installed":true,"renting":false,"returning":true},"stock":{"ebikes":3,"free_docks":20,"capac`, it fails: SmartModule err module "trip-split" wanted memory of 1312817152 bytes, more than 1073741824
    "#]],
    );
}

#[test]
fn one_module_under_the_name_of_the_other_is_refused() {
    check(
        "dock-window",
        &testkit::smartmodule("trip-split"),
        expect![[r#"
            error: smartmodule "dock-window" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`; expected: an output of `dock-window`: it lacks `from` or `state`
        "#]],
    );
    check(
        "trip-split",
        &testkit::smartmodule("dock-window"),
        expect![[r#"
            error: smartmodule "trip-split" does not give what the sink can take: with sample record 1 by itself, a live feed's system, `{"source":"gbfs:trial@1-00000000000000a7","seq":1,"system":{"timezone":"America/New_York","language":"en"}}`, it gives `{"offset":1000,"gap":{"expected":0}}`; expected: outputs of `trip-split`: missing field `source` at line 1 column 36
        "#]],
    );
}

#[test]
fn the_projects_own_modules_pass_and_so_does_any_that_the_sink_does_not_read() {
    for (name, wasm) in [
        ("trip-split", testkit::smartmodule("trip-split")),
        ("dock-window", testkit::smartmodule("dock-window")),
        ("somebodys-own", giving(&["hello"], "")),
    ] {
        // It gets so far that it looks for the cluster.
        let said = push(name, &wasm, &[]);
        assert!(
            said.contains("could not connect to Fluvio at 127.0.0.1:1"),
            "{said}"
        );
    }
}

#[test]
fn force_uploads_what_is_refused_and_says_why_it_was() {
    let said = push("trip-split", &giving(&["hello"], ""), &["--force"]);
    assert!(said.contains("with sample record 1 by itself"), "{said}");
    assert!(
        said.contains("could not connect to Fluvio at 127.0.0.1:1"),
        "{said}"
    );
}
