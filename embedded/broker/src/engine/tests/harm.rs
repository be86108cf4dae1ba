//! Modules that want to do harm: each is refused, with what it did, and costs what it may cost.

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use testkit::smartmodule;

use super::modules::{answering, identity, module};
use crate::engine::code::MODULE_BYTES_MAX;
use crate::engine::{Engine, InputHead, ModuleConfig, Runner};

/// A SmartModule written out in full, for what the usual parts do not allow.
fn wasm(parts: &str) -> Vec<u8> {
    let text =
        format!(r#"(module (import "env" "copy_records" (func $copy (param i32 i32))) {parts})"#);
    wat::parse_str(text).unwrap()
}

/// With memory and a transform that does this; `alloc` does that.
fn with(alloc: &str, body: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(memory (export "memory") 1)
        (func (export "alloc") (param i32) (result i32) {alloc})
        (func $f (export "array_map") (param i32 i32 i32) (result i32) {body})"#
    ))
}

const BUFFER: &str = "(i32.const 1024)";
const FOR_EVER: &str = "(loop $again (br $again)) unreachable";

fn check(wasm: &[u8], expected: &Expect) {
    let started = Instant::now();
    let refused = Engine::start().unwrap().check("bad", wasm).unwrap_err();
    expected.assert_eq(&refused.to_string());
    assert!(started.elapsed() < Duration::from_secs(30), "{refused}");
}

#[test]
fn a_module_that_goes_on_for_ever_is_stopped() {
    let time = expect![[r#"module "bad" ran longer than 3 s and was stopped"#]];
    let parts = format!(
        r#"(memory (export "memory") 1)
        (func (export "alloc") (param i32) (result i32) {BUFFER})
        (func (export "array_map") (param i32 i32 i32) (result i32) (i32.const 0))"#
    );
    let in_export = |export: &str| {
        wasm(&format!(
            r#"{parts} (func (export "{export}") (param i32 i32 i32) (result i32) {FOR_EVER})"#
        ))
    };
    let loops = [
        with(BUFFER, FOR_EVER),
        with(FOR_EVER, "(i32.const 0)"),
        in_export("init"),
        in_export("look_back"),
        wasm(&format!("{parts} (start $start) (func $start {FOR_EVER})")),
        // Not in a loop, but deep in calls: 2^40 of them.
        wasm(&format!(
            "{parts} (start $start) (func $start (call $f (i32.const 40)))
             (func $f (param i32) (if (local.get 0) (then
                (call $f (i32.sub (local.get 0) (i32.const 1)))
                (call $f (i32.sub (local.get 0) (i32.const 1))))))"
        )),
    ];
    std::thread::scope(|scope| {
        for wasm in &loops {
            scope.spawn(|| check(wasm, &time));
        }
    });
}

#[test]
fn memory_and_tables_are_bounded() {
    let more_memory = "(loop $again (drop (memory.grow (i32.const 256))) (br $again)) unreachable";
    check(
        &with(BUFFER, more_memory),
        &expect![[r#"module "bad" wanted memory of 268500992 bytes, more than 268435456"#]],
    );
    check(
        &wasm(r#"(memory (export "memory") 65536)"#),
        &expect![[r#"module "bad" wanted memory of 4294967296 bytes, more than 268435456"#]],
    );
    let grow = "(loop $again
        (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $again)) unreachable";
    let table = format!(
        r#"(memory (export "memory") 1) (table $t 0 funcref)
        (func (export "alloc") (param i32) (result i32) {BUFFER})
        (func (export "array_map") (param i32 i32 i32) (result i32) {grow})"#
    );
    check(
        &wasm(&table),
        &expect![[r#"module "bad" wanted 110000 entries in its tables, more than 100000"#]],
    );
    check(
        &wasm("(table 4000000 funcref)"),
        &expect![[r#"module "bad" wanted 4000000 entries in its tables, more than 100000"#]],
    );
    check(
        &wat::parse_str(
            r#"(module (import "env" "copy_records" (func (param i32 i32)))
                (memory (export "memory") 1 65536 shared))"#,
        )
        .unwrap(),
        &expect![
            "failed to parse WebAssembly module: threads must be enabled for shared memories (at offset 0x29)"
        ],
    );
}

#[test]
fn input_goes_nowhere_but_into_the_modules_memory() {
    // The input of no records is 24 bytes long.
    for (place, expected) in [
        (
            "-1",
            expect![[
                r#"module "bad" has no room for 24 bytes of input at 4294967295, where its `alloc` points"#
            ]],
        ),
        (
            "-65536",
            expect![[
                r#"module "bad" has no room for 24 bytes of input at 4294901760, where its `alloc` points"#
            ]],
        ),
        (
            "0x7fffffff",
            expect![[
                r#"module "bad" has no room for 24 bytes of input at 2147483647, where its `alloc` points"#
            ]],
        ),
        (
            "65536",
            expect![[
                r#"module "bad" has no room for 24 bytes of input at 65536, where its `alloc` points"#
            ]],
        ),
        (
            "65513",
            expect![[
                r#"module "bad" has no room for 24 bytes of input at 65513, where its `alloc` points"#
            ]],
        ),
    ] {
        check(
            &with(&format!("(i32.const {place})"), "(i32.const 0)"),
            &expected,
        );
    }
}

#[test]
fn output_comes_from_nowhere_but_the_modules_memory() {
    for (span, expected) in [
        (
            "(i32.const 65535) (i32.const 2)",
            expect![[r#"module "bad" points to 2 bytes of output at 65535, outside its memory"#]],
        ),
        (
            "(i32.const 0) (i32.const -1)",
            expect![[
                r#"module "bad" points to 4294967295 bytes of output at 0, outside its memory"#
            ]],
        ),
        (
            "(i32.const -8) (i32.const 16)",
            expect![[
                r#"module "bad" points to 16 bytes of output at 4294967288, outside its memory"#
            ]],
        ),
    ] {
        check(
            &with(BUFFER, &format!("(call $copy {span}) (i32.const 0)")),
            &expected,
        );
    }
}

#[test]
fn lengths_in_outputs_are_not_believed() {
    let record = |value_length: &[u8]| {
        let mut output = vec![0, 0, 0, 1, 0, 0, 0, 0, 0];
        output.extend_from_slice(value_length);
        output.extend_from_slice(b"value\0\0");
        output
    };
    for (output, expected) in [
        // A million of millions of bytes, which the SPU's decoder asks the system for.
        (
            record(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x40]),
            expect![[r#"module "bad" gave output that cannot be read: it ends too early"#]],
        ),
        (
            record(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            expect![[r#"module "bad" gave output that cannot be read: it ends too early"#]],
        ),
        (
            record(&[0xff; 12]),
            expect![[
                r#"module "bad" gave output that cannot be read: a number is longer than 64 bits"#
            ]],
        ),
        (
            record(&[0x01]),
            expect![[r#"module "bad" gave output that cannot be read: it ends too early"#]],
        ),
        (
            vec![0x7f, 0xff, 0xff, 0xff, 0],
            expect![[r#"module "bad" gave output that cannot be read: it ends too early"#]],
        ),
        (
            vec![],
            expect![[r#"module "bad" gave output that cannot be read: it ends too early"#]],
        ),
        (
            vec![0, 0, 0, 0, 7],
            expect![[r#"module "bad" gave output that cannot be read: a flag is neither 0 nor 1"#]],
        ),
    ] {
        check(&answering("array_map", 1, &output), &expected);
    }
}

#[test]
fn a_module_that_panics_is_told_where() {
    check(
        &with(BUFFER, "unreachable"),
        &expect![[
            r#"module "bad" stopped: wasm trap: wasm `unreachable` instruction executed in f"#
        ]],
    );
    check(
        &with(
            BUFFER,
            "(call $f (local.get 0) (local.get 1) (local.get 2))",
        ),
        &expect![[
            r#"module "bad" stopped: wasm trap: call stack exhausted in f < f < f < f < f < f"#
        ]],
    );
}

#[test]
fn what_is_no_smartmodule_is_refused() {
    for (wasm, expected) in [
        (
            b"no wasm".to_vec(),
            expect![
                "failed to parse WebAssembly module: magic header not detected: bad magic number - expected=[ 0x0, 0x61, 0x73, 0x6d, ] actual=[ 0x6e, 0x6f, 0x20, 0x77, ] (at offset 0x0)"
            ],
        ),
        (
            b"\0asm\x01\0\0\0".to_vec(),
            expect!["Failed to instantiate: At least one import is required"],
        ),
        (wasm(""), expect!["No valid smartmodule found"]),
        (
            wasm(r#"(func (export "map") (param i32 i32 i32) (result i32) (i32.const 0))"#),
            expect!["Missing memory"],
        ),
        (
            wasm(
                r#"(memory (export "memory") 1) (func (export "map") (param i32 i32 i32) (result i32) (i32.const 0))"#,
            ),
            expect!["missing alloc"],
        ),
        (
            wasm(r#"(func (export "map") (result i32) (i32.const 0))"#),
            expect!["function `map`: type mismatch with parameters"],
        ),
        (
            vec![0; MODULE_BYTES_MAX + 1],
            expect!["the module has 8388609 bytes, more than 8388608: build it in release"],
        ),
        (
            with(BUFFER, &"nop\n".repeat(300_000)),
            expect!["the module has a function of 300002 bytes, more than 65536: split it"],
        ),
    ] {
        check(&wasm, &expected);
    }
}

#[test]
fn modules_that_only_refuse_the_sample_are_accepted() {
    let engine = Engine::start().unwrap();
    for wasm in [
        answering("init", -2, &[0, 1, b'x']),
        answering("look_back", -1, &[]),
        answering("array_map", -11, &[]),
        identity("filter"),
        identity("aggregate"),
        smartmodule("trip-split"),
        smartmodule("dock-window"),
    ] {
        engine.check("good", &wasm).unwrap();
    }
}

/// What a program compiled to `wasm32-wasip1` asks for before its first record.
#[test]
fn a_module_of_wasi_runs_and_sees_nothing_of_its_surroundings() {
    let text = r#"(module
        (import "env" "copy_records" (func $copy (param i32 i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $environment (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get"
            (func $folder (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $sleep (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\05\00\00\00")
        (data (i32.const 16) "hello")
        (func $must (param i32) (if (local.get 0) (then unreachable)))
        (func (export "alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "map") (param i32 i32 i32) (result i32)
            (call $must (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (call $must (i32.ne (i32.load (i32.const 8)) (i32.const 5)))
            (call $must (call $environment (i32.const 32) (i32.const 36)))
            (call $must (i32.or (i32.load (i32.const 32)) (i32.load (i32.const 36))))
            (call $must (i32.ne (i32.const 8) (call $folder (i32.const 3) (i32.const 64))))
            (call $must (i32.ne (i32.const 8) (call $open (i32.const 3) (i32.const 0)
                (i32.const 16) (i32.const 5) (i32.const 0) (i64.const 0) (i64.const 0)
                (i32.const 0) (i32.const 64))))
            (call $must (i32.ne (i32.const 52)
                (call $sleep (i32.const 64) (i32.const 64) (i32.const 1) (i32.const 64))))
            (call $must (call $random (i32.const 64) (i32.const 32)))
            (call $must (i64.eqz (i64.load (i32.const 64))))
            (call $must (call $clock (i32.const 0) (i64.const 1) (i32.const 96)))
            (call $must (i64.eqz (i64.load (i32.const 96))))
            (call $copy (i32.const 512) (i32.const 5))
            (i32.const 0)))"#;
    let wasm = wat::parse_str(text).unwrap();
    Engine::start().unwrap().check("wasi", &wasm).unwrap();

    let exit = text.replace(
        "(call $copy (i32.const 512) (i32.const 5))",
        "(call $exit (i32.const 7))",
    );
    let exit = wat::parse_str(exit).unwrap();
    check(
        &exit,
        &expect![[r#"module "bad" stopped: it exits with code 7"#]],
    );
    let outside = text.replace(
        "(i32.const 1) (i32.const 8)))",
        "(i32.const 1) (i32.const -2)))",
    );
    let outside = wat::parse_str(outside).unwrap();
    check(
        &outside,
        &expect![[r#"module "bad" stopped: out of bounds memory access"#]],
    );
}

#[test]
fn the_modules_of_a_chain_share_its_memory() {
    let engine = Engine::start().unwrap();
    // 5 MiB each.
    let wasm = identity("map");
    let chain = |modules: usize, max: usize| {
        let config = || ModuleConfig {
            name: "module",
            wasm: &wasm,
            params: Default::default(),
            accumulator: Vec::new(),
            version: 25,
        };
        let configs: Vec<_> = (0..modules).map(|_| config()).collect();
        Runner::start(&engine, &configs, max).map(drop)
    };
    chain(2, 10 << 20).unwrap();
    let refused = chain(3, 10 << 20).unwrap_err();
    expect![[r#"module "module" wanted memory of 15728640 bytes, more than 10485760"#]]
        .assert_eq(&refused.to_string());
}

/// After a chain has been stopped its memory is free, and a new one of the same module works.
#[test]
fn a_module_that_was_stopped_can_be_started_again() {
    let engine = Engine::start().unwrap();
    let wasm = module(
        "map",
        "(if (i32.gt_u (local.get 1) (i32.const 100)) (then unreachable))
         (call $number (i32.const 0)) (call $byte (i32.const 0)) (call $show) (i32.const 0)",
        "",
    );
    for _ in 0..3 {
        let config = ModuleConfig {
            name: "module",
            wasm: &wasm,
            params: Default::default(),
            accumulator: Vec::new(),
            version: 25,
        };
        let mut runner = Runner::start(&engine, &[config], 10 << 20).unwrap();
        let head = InputHead::default();
        runner.process(&head, &[0; 4]).unwrap();
        runner.process(&head, &[0; 200]).unwrap_err();
    }
}
