//! Small modules in WebAssembly text, which look at what they are given.

/// A module of one kind: what it does with its input, by the functions that are there.
///
/// `$input` is at `(local.get 0)`, `(local.get 1)` bytes long. Outputs are put together with
/// `$byte`, `$number` (4 bytes), `$varint` and `$bytes`, and shown with `$show`. `$keep` keeps bytes
/// for a later call, which finds them at `(i32.const 3145728)`, `$kept` bytes long.
pub(super) fn module(kind: &str, body: &str, extra: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "env" "copy_records" (func $copy (param i32 i32)))
        (memory (export "memory") 80)
        (global $out (mut i32) (i32.const 2097152))
        (global $kept (mut i32) (i32.const 0))
        (func (export "alloc") (param i32) (result i32) (i32.const 65536))
        (func $byte (param i32)
            (i32.store8 (global.get $out) (local.get 0))
            (global.set $out (i32.add (global.get $out) (i32.const 1))))
        (func $number (param i32)
            (call $byte (i32.shr_u (local.get 0) (i32.const 24)))
            (call $byte (i32.shr_u (local.get 0) (i32.const 16)))
            (call $byte (i32.shr_u (local.get 0) (i32.const 8)))
            (call $byte (local.get 0)))
        (func $varint (param i32)
            (local.set 0 (i32.shl (local.get 0) (i32.const 1)))
            (loop $more
                (if (i32.gt_u (local.get 0) (i32.const 127))
                    (then
                        (call $byte (i32.or (i32.const 128) (local.get 0)))
                        (local.set 0 (i32.shr_u (local.get 0) (i32.const 7)))
                        (br $more))))
            (call $byte (local.get 0)))
        (func $bytes (param i32 i32)
            (memory.copy (global.get $out) (local.get 0) (local.get 1))
            (global.set $out (i32.add (global.get $out) (local.get 1))))
        (func $keep (param i32 i32)
            (memory.copy (i32.const 3145728) (local.get 0) (local.get 1))
            (global.set $kept (local.get 1)))
        (func $begin (global.set $out (i32.const 2097152)))
        (func $show
            (call $copy (i32.const 2097152) (i32.sub (global.get $out) (i32.const 2097152))))
        ;; One record whose value is these bytes.
        (func $record (param i32 i32)
            (call $number (i32.const 1))
            (call $byte (i32.const 0)) (call $byte (i32.const 0)) (call $byte (i32.const 0))
            (call $byte (i32.const 0)) (call $byte (i32.const 0))
            (call $varint (local.get 1)) (call $bytes (local.get 0) (local.get 1))
            (call $byte (i32.const 0)))
        (func (export "{kind}") (param i32 i32 i32) (result i32)
            (call $begin)
            {body})
        {extra})"#
    );
    wat::parse_str(text).unwrap()
}

/// What follows the records of an output, for each kind.
fn end_of(kind: &str) -> &'static str {
    if kind == "aggregate" {
        // No error; a part of the input is what is added up.
        "(call $byte (i32.const 0)) (call $number (i32.const 9))
         (call $bytes (local.get 0) (i32.const 9)) (call $show) (i32.const 0)"
    } else {
        "(call $byte (i32.const 0)) (call $show) (i32.const 0)"
    }
}

/// Gives the records that it gets.
pub(in crate::engine) fn identity(kind: &str) -> Vec<u8> {
    // Records are behind the base offset and their length, whose first byte is the highest.
    let length = "(i32.or (i32.shl (i32.load8_u offset=9 (local.get 0)) (i32.const 16))
        (i32.or (i32.shl (i32.load8_u offset=10 (local.get 0)) (i32.const 8))
            (i32.load8_u offset=11 (local.get 0))))";
    let body = format!(
        "(call $bytes (i32.add (local.get 0) (i32.const 12)) {length}) {}",
        end_of(kind)
    );
    module(kind, &body, "")
}

/// Gives its whole input as the value of a record.
pub(super) fn echo(kind: &str) -> Vec<u8> {
    let body = format!(
        "(call $record (local.get 0) (local.get 1)) {}",
        end_of(kind)
    );
    module(kind, &body, "")
}

/// Gives what `function`, which is `init` or `look_back`, was given.
pub(super) fn recalling(function: &str) -> Vec<u8> {
    let extra = format!(
        "(func (export \"{function}\") (param i32 i32 i32) (result i32)
            (call $keep (local.get 0) (local.get 1)) (i32.const 0))"
    );
    let body = format!(
        "(call $record (i32.const 3145728) (global.get $kept)) {}",
        end_of("map")
    );
    module("map", &body, &extra)
}

/// Shows these bytes and returns this code, from this function.
pub(super) fn answering(function: &str, code: i32, output: &[u8]) -> Vec<u8> {
    let data: String = output.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let bytes = output.len();
    let answer = format!("(call $copy (i32.const 4194304) (i32.const {bytes})) (i32.const {code})");
    let data = format!("(data (i32.const 4194304) \"{data}\")");
    if function == "array_map" {
        return module("array_map", &answer, &data);
    }
    let extra =
        format!("{data} (func (export \"{function}\") (param i32 i32 i32) (result i32) {answer})");
    let nothing =
        "(call $number (i32.const 0)) (call $byte (i32.const 0)) (call $show) (i32.const 0)";
    module("array_map", nothing, &extra)
}
