//! The part of WASI (preview 1) that a module gets, for those compiled to `wasm32-wasip1`.
//!
//! It has a clock, random bytes and a console whose text goes to the program's log, up to a bound.
//! It has no arguments, no environment and no files, as on the real SPU; and, other than there, it
//! cannot sleep. Written out here, since `wasmtime-wasi` would bring an async runtime's worth of
//! files and sockets that would then have to be kept shut.

use std::time::{Duration, SystemTime};

use wasmtime::{
    Caller, Extern, FuncType, ImportType, Linker, Memory, Result, Val, ValType, format_err,
};

use super::state::State;

const MODULE: &str = "wasi_snapshot_preview1";

/// Error numbers of preview 1.
const SUCCESS: i32 = 0;
const BAD_FILE: i32 = 8;
const INVALID: i32 = 28;
const NOT_SUPPORTED: i32 = 52;

/// Chosen: more than a line of text is written in.
const PARTS_MAX: u32 = 64;
/// Chosen: enough for the seeds of hash maps.
const RANDOM_BYTES_MAX: u32 = 4096;
/// Of one write.
const LINE_BYTES_MAX: usize = 1024;
const REALTIME: i32 = 0;

/// Gives a module what it imports, if it is of WASI.
pub(super) fn define(linker: &mut Linker<State>, import: &ImportType<'_>) -> Result<()> {
    let Some(kind) = import.ty().func().cloned() else {
        return Ok(());
    };
    if import.module() != MODULE {
        return Ok(());
    }
    match import.name() {
        "fd_write" => linker.func_wrap(MODULE, "fd_write", write)?,
        "random_get" => linker.func_wrap(MODULE, "random_get", random)?,
        "clock_time_get" => linker.func_wrap(MODULE, "clock_time_get", clock)?,
        "proc_exit" => linker.func_wrap(MODULE, "proc_exit", exit)?,
        "sched_yield" => linker.func_wrap(MODULE, "sched_yield", || SUCCESS)?,
        "args_get" => linker.func_wrap(MODULE, "args_get", |_: i32, _: i32| SUCCESS)?,
        "environ_get" => linker.func_wrap(MODULE, "environ_get", |_: i32, _: i32| SUCCESS)?,
        "args_sizes_get" => linker.func_wrap(MODULE, "args_sizes_get", no_sizes)?,
        "environ_sizes_get" => linker.func_wrap(MODULE, "environ_sizes_get", no_sizes)?,
        name => return define_refusal(linker, name, kind),
    };
    Ok(())
}

/// Defines any other function as one that returns an error.
fn define_refusal(linker: &mut Linker<State>, name: &str, kind: FuncType) -> Result<()> {
    // A libc looks for open folders until it gets the error for no such file.
    let is_of_files = name.starts_with("fd_") || name.starts_with("path_");
    let errno = if is_of_files { BAD_FILE } else { NOT_SUPPORTED };
    let gives_errno = kind.results().len() == 1
        && kind
            .result(0)
            .is_some_and(|result| matches!(result, ValType::I32));
    if !gives_errno {
        return Ok(());
    }
    linker.func_new(MODULE, name, kind, move |_, _, results| {
        results[0] = Val::I32(errno);
        Ok(())
    })?;
    Ok(())
}

fn memory(caller: &mut Caller<'_, State>) -> Result<Memory> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(format_err!("the module exports no memory")),
    }
}

fn write(
    mut caller: Caller<'_, State>,
    file: i32,
    parts: u32,
    count: u32,
    written: u32,
) -> Result<i32> {
    if !matches!(file, 1 | 2) {
        return Ok(BAD_FILE);
    }
    if count > PARTS_MAX {
        return Ok(INVALID);
    }
    let memory = memory(&mut caller)?;
    let mut line = Vec::new();
    let mut total = 0_u32;
    for part in 0..count {
        let [at, bytes] = two(&memory, &caller, parts.saturating_add(8 * part))?;
        total = total.saturating_add(bytes);
        let taken = (bytes as usize).min(LINE_BYTES_MAX - line.len());
        let text = memory.data(&caller).get(at as usize..at as usize + taken);
        line.extend_from_slice(text.ok_or_else(|| format_err!("text outside its memory"))?);
    }
    memory.write(&mut caller, written as usize, &total.to_le_bytes())?;
    caller.data_mut().console.print(&line);
    Ok(SUCCESS)
}

/// Two numbers of a module's memory.
fn two(memory: &Memory, caller: &Caller<'_, State>, at: u32) -> Result<[u32; 2]> {
    let mut pair = [0; 8];
    memory.read(caller, at as usize, &mut pair)?;
    let [a, b, c, d, e, f, g, h] = pair;
    Ok([
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ])
}

fn random(mut caller: Caller<'_, State>, at: u32, bytes: u32) -> Result<i32> {
    if bytes > RANDOM_BYTES_MAX {
        return Ok(INVALID);
    }
    let mut random = vec![0; bytes as usize];
    if getrandom::fill(&mut random).is_err() {
        return Ok(NOT_SUPPORTED);
    }
    let memory = memory(&mut caller)?;
    memory.write(&mut caller, at as usize, &random)?;
    Ok(SUCCESS)
}

#[expect(
    clippy::disallowed_methods,
    reason = "modules of the real SPU have the wall clock, too"
)]
fn clock(mut caller: Caller<'_, State>, clock: i32, _precision: i64, at: u32) -> Result<i32> {
    let time = if clock == REALTIME {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?
    } else {
        caller.data().console.running()
    };
    let memory = memory(&mut caller)?;
    memory.write(&mut caller, at as usize, &nanoseconds(time).to_le_bytes())?;
    Ok(SUCCESS)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn exit(code: i32) -> Result<()> {
    Err(format_err!("it exits with code {code}"))
}

/// No arguments, no environment.
fn no_sizes(mut caller: Caller<'_, State>, count: u32, bytes: u32) -> Result<i32> {
    let memory = memory(&mut caller)?;
    memory.write(&mut caller, count as usize, &0_u32.to_le_bytes())?;
    memory.write(&mut caller, bytes as usize, &0_u32.to_le_bytes())?;
    Ok(SUCCESS)
}
