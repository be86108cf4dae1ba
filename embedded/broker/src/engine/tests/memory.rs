//! What a stream takes that is never opened again.

use testkit::smartmodule;

use super::speed::{BATCH_TRIPS, batch};
use crate::engine::{Engine, InputHead, ModuleConfig, Runner};

const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Runs one stream over so many batches; gives its outputs, and the bytes of the module's memory
/// after the first `warm` batches and after all.
fn run(module: &str, warm: usize, batches: usize) -> (usize, usize, usize) {
    let config = ModuleConfig {
        name: module,
        wasm: &smartmodule(module),
        params: Default::default(),
        accumulator: Vec::new(),
        version: 25,
    };
    let mut runner = Runner::start(&Engine::start().unwrap(), &[config], MEMORY_BYTES_MAX).unwrap();
    let mut outputs = 0;
    let mut warm_bytes = 0;
    for (number, base_offset) in (0..batches).zip((0..).step_by(BATCH_TRIPS)) {
        let head = InputHead {
            base_offset,
            first_timestamp: 0,
        };
        let output = runner.process(&head, &batch(number)).unwrap();
        assert_eq!(output.error, None);
        outputs += output.records.len();
        if number == warm {
            warm_bytes = runner.memory_bytes();
        }
    }
    (outputs, warm_bytes, runner.memory_bytes())
}

#[test]
fn a_module_takes_as_much_memory_after_a_thousand_batches_as_after_its_first() {
    // `dock-window` keeps its last 8,192 outputs, some 36 of a batch.
    for (module, warm) in [("trip-split", 10), ("dock-window", 300)] {
        let (outputs, warm_bytes, bytes) = run(module, warm, 1_000);
        assert!(outputs > 0, "{module}");
        assert_eq!(warm_bytes, bytes, "{module}");
    }
}

#[test]
#[ignore = "takes a minute"]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn fifty_million_outputs_come_through_one_stream_in_the_same_memory() {
    let batches = 25_000_000_usize.div_ceil(BATCH_TRIPS);
    let (outputs, warm_bytes, bytes) = run("trip-split", 10, batches);
    println!("{outputs} outputs; memory {warm_bytes} bytes after 10 batches, {bytes} after all");
    assert_eq!(outputs, 2 * batches * BATCH_TRIPS);
    assert_eq!(warm_bytes, bytes);
}
