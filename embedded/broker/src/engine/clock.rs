//! Interrupts a module that computes for too long.

use std::io;
use std::thread;
use std::time::Duration;

use wasmtime::Store;

/// How often the engine's time moves on, and with it the check of deadlines.
const TICK: Duration = Duration::from_millis(100);

/// Longest time of one module with one batch, or with its start.
///
/// Chosen: some hundred times what a large batch takes, and short enough that a stream whose module
/// loops is back on its proven module within five seconds.
pub(super) const CALL_TIME_MAX: Duration = Duration::from_secs(3);

/// Moves the engine's time on until the engine is gone.
pub(super) fn start(wasm: &wasmtime::Engine) -> io::Result<()> {
    let weak = wasm.weak();
    let clock = move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    let name = "smartmodules".to_owned();
    thread::Builder::new().name(name).spawn(clock).map(drop)
}

/// Sets the deadline of a call that begins now.
pub(super) fn set_deadline<T>(store: &mut Store<T>) {
    let ticks = CALL_TIME_MAX.as_millis().div_ceil(TICK.as_millis());
    store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX));
}
