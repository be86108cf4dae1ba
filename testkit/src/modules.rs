//! Small `SmartModule`s in WebAssembly text: each shows one behaviour of the broker's.
//!
//! They do not look at records: each call, which is one stored batch, gives outputs that were
//! encoded beforehand. What real modules make of records is tested where those live.

use fluvio::{SmartModuleExtraParams, SmartModuleInvocation, SmartModuleInvocationWasm};
use fluvio_protocol::Encoder;
use fluvio_protocol::link::smartmodule::SmartModuleTransformRuntimeError;
use fluvio_protocol::record::Record;
use fluvio_smartmodule::dataplane::smartmodule::{SmartModuleAggregateOutput, SmartModuleOutput};
use fluvio_spu_schema::server::smartmodule::{SmartModuleContextData, SmartModuleKind};

/// Version with which clients of 0.50 and the engine encode.
const VERSION: i16 = 25;
/// Where outputs lie in the module's memory, each in a slot of its own.
const SLOT_BYTES: usize = 1 << 20;

/// Gives the same values for each batch.
pub fn giving(values: &[&str]) -> Vec<u8> {
    compile(
        "array_map",
        &[encode(values, None)],
        "(call $give (i32.const 0))",
    )
}

/// Gives the same values for each batch, and an error after them.
pub fn failing_after(values: &[&str]) -> Vec<u8> {
    let error = SmartModuleTransformRuntimeError {
        hint: "bad record".to_owned(),
        ..Default::default()
    };
    compile(
        "array_map",
        &[encode(values, Some(error))],
        "(call $give (i32.const 0))",
    )
}

/// Gives `first` for the first batch of a stream and `then` for each later one.
pub fn giving_first(first: &[&str], then: &[&str]) -> Vec<u8> {
    let outputs = [encode(first, None), encode(then, None)];
    let body = "(call $give (global.get $calls)) (global.set $calls (i32.const 1))";
    compile("array_map", &outputs, body)
}

/// Lets nothing through.
pub fn filtering_all() -> Vec<u8> {
    compile("filter", &[encode(&[], None)], "(call $give (i32.const 0))")
}

/// Panics with the first 256 records of a topic, and so not with the sample with which it is tried.
pub fn trapping() -> Vec<u8> {
    // The input begins with the batch's offset, of 8 bytes.
    let body = "(if (i32.eqz (i32.load8_u offset=6 (local.get 0))) (then unreachable))
        (call $give (i32.const 0))";
    compile("array_map", &[encode(&[], None)], body)
}

/// Takes parameters and does nothing with them.
pub fn taking_parameters() -> Vec<u8> {
    let init = r#"(func (export "init") (param i32 i32 i32) (result i32) (i32.const 0))"#;
    let output = encode(&["output"], None);
    compile_with(init, "array_map", &[output], "(call $give (i32.const 0))")
}

/// Takes 256 MiB more with each batch, and gives one value.
pub fn leaking() -> Vec<u8> {
    let body = "(drop (memory.grow (i32.const 4096))) (call $give (i32.const 0))";
    compile("array_map", &[encode(&["output"], None)], body)
}

/// Computes for a good part of a second with each batch.
pub fn slow() -> Vec<u8> {
    let body = "(local $left i64) (local.set $left (i64.const 500000000))
        (loop $again
            (local.set $left (i64.sub (local.get $left) (i64.const 1)))
            (br_if $again (i64.ne (local.get $left) (i64.const 0))))
        (call $give (i32.const 0))";
    compile("array_map", &[encode(&["at last"], None)], body)
}

/// Gives the accumulator, which must be four bytes long, for each batch.
pub fn giving_accumulator() -> Vec<u8> {
    let base = SmartModuleOutput::new(vec![Record::new("????")]);
    let output = SmartModuleAggregateOutput::new(base, b"next".to_vec());
    let encoded = output.as_bytes(VERSION).unwrap().to_vec();
    let hole = encoded
        .windows(4)
        .position(|window| window == b"????")
        .unwrap();
    // The accumulator is what the input ends in.
    let body = format!(
        "(i32.store (i32.const {}) (i32.load (i32.sub (i32.add (local.get 0) (local.get 1)) \
         (i32.const 4)))) (call $give (i32.const 0))",
        slot(0) + hole
    );
    compile("aggregate", &[encoded], &body)
}

/// Gives the number, of one digit, of records it was shown when it looked back.
pub fn counting_what_was_shown() -> Vec<u8> {
    let encoded = encode(&["?"], None);
    let hole = encoded.iter().position(|byte| *byte == b'?').unwrap();
    // The input begins with an offset of 8 bytes, a length of 4, and the count, of 4.
    let look_back = format!(
        "(func (export \"look_back\") (param i32 i32 i32) (result i32)
            (i32.store8 (i32.const {}) (i32.add (i32.const 48)
                (i32.load8_u (i32.add (local.get 0) (i32.const 15)))))
            (i32.const 0))",
        slot(0) + hole
    );
    compile_with(
        &look_back,
        "array_map",
        &[encoded],
        "(call $give (i32.const 0))",
    )
}

/// Modules that do harm: a name, the wasm, and what is said of it.
pub fn harmful() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let for_ever = "(loop $again (br $again)) unreachable";
    let buffer = "(i32.const 1024)";
    let grow = "(loop $again (drop (memory.grow (i32.const 256))) (br $again)) unreachable";
    let tables = "(loop $again
        (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $again)) unreachable";
    let wild = "(call $copy (i32.const -8) (i32.const 1000000)) (i32.const 1)";
    let recurse = "(call $f (local.get 0) (local.get 1) (local.get 2))";
    // One record whose value is said to have a million of millions of bytes.
    let lie = "(i64.store (i32.const 8) (i64.const 0x01000000))
        (i64.store (i32.const 17) (i64.const 0x408080808080))
        (call $copy (i32.const 8) (i32.const 30)) (i32.const 1)";
    let start = format!("(start $s) (func $s {for_ever})");
    vec![
        ("loop", written(buffer, for_ever, ""), "ran longer than 3 s"),
        (
            "loop in alloc",
            written(for_ever, "(i32.const 0)", ""),
            "ran longer than 3 s",
        ),
        (
            "loop at the start",
            written(buffer, "(i32.const 0)", &start),
            "ran longer than 3 s",
        ),
        ("memory", written(buffer, grow, ""), "wanted memory of"),
        ("tables", written(buffer, tables, ""), "in its tables"),
        (
            "input before memory",
            written("(i32.const -64)", "(i32.const 0)", ""),
            "where its `alloc` points",
        ),
        (
            "input behind memory",
            written("(i32.const 0x7ffffff0)", "(i32.const 0)", ""),
            "where its `alloc` points",
        ),
        (
            "output from outside",
            written(buffer, wild, ""),
            "outside its memory",
        ),
        (
            "recursion",
            written(buffer, recurse, ""),
            "call stack exhausted",
        ),
        ("panic", written(buffer, "unreachable", ""), "`unreachable`"),
        ("lie", written(buffer, lie, ""), "cannot be read"),
        (
            "no exports",
            wat::parse_str(r#"(module (import "env" "copy_records" (func (param i32 i32))))"#)
                .unwrap(),
            "No valid smartmodule",
        ),
    ]
}

/// A module without any help: what `alloc` and `array_map` do is given.
fn written(alloc: &str, array_map: &str, extra: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (import "env" "copy_records" (func $copy (param i32 i32)))
            (memory (export "memory") 1) (table $t 0 funcref)
            (func (export "alloc") (param i32) (result i32) {alloc})
            (func $f (export "array_map") (param i32 i32 i32) (result i32) {array_map})
            {extra})"#
    );
    wat::parse_str(text).unwrap()
}

/// A module sent along with the request.
pub fn ad_hoc(wasm: &[u8]) -> SmartModuleInvocation {
    invocation(SmartModuleInvocationWasm::adhoc_from_bytes(wasm).unwrap())
}

/// A module the cluster has under a name.
pub fn named(name: &str) -> SmartModuleInvocation {
    invocation(SmartModuleInvocationWasm::Predefined(name.to_owned()))
}

fn invocation(wasm: SmartModuleInvocationWasm) -> SmartModuleInvocation {
    SmartModuleInvocation {
        wasm,
        kind: SmartModuleKind::Generic(SmartModuleContextData::None),
        params: SmartModuleExtraParams::default(),
        name: None,
    }
}

fn encode(values: &[&str], error: Option<SmartModuleTransformRuntimeError>) -> Vec<u8> {
    let records = values.iter().map(|value| Record::new(*value)).collect();
    SmartModuleOutput::with_error(records, error)
        .as_bytes(VERSION)
        .unwrap()
        .to_vec()
}

fn compile(function: &str, outputs: &[Vec<u8>], body: &str) -> Vec<u8> {
    compile_with("", function, outputs, body)
}

/// Slots 0 and 1 hold outputs, slot 2 and on the input.
fn compile_with(extra: &str, function: &str, outputs: &[Vec<u8>], body: &str) -> Vec<u8> {
    let mut data = String::new();
    let mut lengths = String::new();
    for (index, output) in outputs.iter().enumerate() {
        assert!(
            output.len() <= SLOT_BYTES,
            "outputs are larger than their slot"
        );
        let bytes: String = output.iter().map(|byte| format!("\\{byte:02x}")).collect();
        data.push_str(&format!("(data (i32.const {}) \"{bytes}\")\n", slot(index)));
        lengths = format!(
            "(if (result i32) (i32.eq (local.get 0) (i32.const {index})) \
             (then (i32.const {})) (else {}))",
            output.len(),
            if lengths.is_empty() {
                "(i32.const 0)"
            } else {
                &lengths
            },
        );
    }
    let text = format!(
        "(module
            (import \"env\" \"copy_records\" (func $copy (param i32 i32)))
            (memory (export \"memory\") 128)
            (global $calls (mut i32) (i32.const 0))
            {data}
            (func $give (param i32)
                (call $copy
                    (i32.add (i32.const {}) (i32.mul (local.get 0) (i32.const {SLOT_BYTES})))
                    {lengths}))
            (func (export \"alloc\") (param i32) (result i32) (i32.const {}))
            (func (export \"{function}\") (param i32 i32 i32) (result i32)
                {body}
                (i32.const 0))
            {extra})",
        slot(0),
        slot(2),
    );
    wat::parse_str(text).unwrap()
}

fn slot(index: usize) -> usize {
    1024 + index * SLOT_BYTES
}
