//! One module at work: what it exports, and calls into it.
//!
//! A module is bound by the names of its exports: `memory`; `alloc(bytes) → address`, called for each
//! input; one of [`TRANSFORMS`], and perhaps `init` and `look_back`, each `(address, bytes, version) →
//! count or error`; and the import `copy_records(address, bytes)`, which says where the outputs are.
//! Source: `fluvio-smartengine` 0.50.1, `engine/wasmtime`.

use std::fmt;

use fluvio_protocol::Encoder;
use fluvio_protocol::link::smartmodule::SmartModuleInitRuntimeError;
use fluvio_smartmodule::dataplane::smartmodule::{
    Lookback, SmartModuleExtraParams, SmartModuleInitErrorStatus, SmartModuleInitInput,
    SmartModuleLookbackErrorStatus, SmartModuleTransformErrorStatus,
};
use wasmtime::{
    Caller, Extern, Linker, Memory, Module, Store, Trap, TypedFunc, WasmBacktrace, format_err,
};

use super::clock::{CALL_TIME_MAX, set_deadline};
use super::config::ModuleConfig;
use super::error::{EngineError, Fault, bounded};
use super::input::{Frame, InputHead, Malformed};
use super::limits::LimitError;
use super::output::{Output, accumulator, init_hint, look_back_error};
use super::state::{Span, State};
use super::wasi;

/// Kinds of modules, in the order in which the real SPU looks for them.
const TRANSFORMS: [&str; 4] = ["filter", "map", "filter_map", "array_map"];
const AGGREGATE: &str = "aggregate";
const INIT: &str = "init";
const LOOK_BACK: &str = "look_back";
const COPY_RECORDS: &str = "copy_records";

/// Largest input and largest output of one call. Chosen: what the sink asks for at most.
const BYTES_MAX: usize = 512 << 20;

/// Frames of a panic that are named.
const FRAMES_MAX: usize = 6;

type Entry = TypedFunc<(u32, u32, u32), i32>;

/// A module in the store of its chain.
pub(super) struct Instance {
    name: String,
    version: i16,
    memory: Option<Memory>,
    instance: wasmtime::Instance,
    init: Option<Entry>,
    look_back: Option<Entry>,
    transform: Entry,
    /// Of an aggregate: what it has added up.
    accumulator: Option<Vec<u8>>,
    lookback: Option<Lookback>,
}

// A function of a module cannot be shown.
impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({:?})", self.name)
    }
}

impl Instance {
    /// Starts a module; `init` is not called yet.
    pub(super) fn start(
        store: &mut Store<State>,
        module: &Module,
        config: &ModuleConfig<'_>,
    ) -> Result<Self, EngineError> {
        let name = config.name.to_owned();
        set_deadline(store);
        let linker = linker(store, module).map_err(|error| cannot_start(&name, &error))?;
        let instance = linker
            .instantiate(&mut *store, module)
            .map_err(|error| cannot_start(&name, &error))?;
        let mut entry = |function| entry(store, &instance, function);
        let init = entry(INIT)?;
        let look_back = entry(LOOK_BACK)?;
        let mut transform = None;
        for function in TRANSFORMS {
            if transform.is_none() {
                transform = entry(function)?;
            }
        }
        let simple = transform.is_some();
        let transform = match transform {
            Some(transform) => transform,
            None => entry(AGGREGATE)?
                .ok_or_else(|| EngineError::invalid("No valid smartmodule found"))?,
        };
        Ok(Self {
            name,
            version: config.version,
            memory: instance.get_memory(&mut *store, "memory"),
            instance,
            init,
            look_back,
            transform,
            accumulator: (!simple).then(|| config.accumulator.clone()),
            lookback: config.params.lookback().cloned(),
        })
    }

    /// Hands parameters to a module that wants them.
    pub(super) fn init(
        &self,
        store: &mut Store<State>,
        params: &SmartModuleExtraParams,
    ) -> Result<(), EngineError> {
        let Some(init) = &self.init else {
            return Ok(());
        };
        let params = params.clone();
        let mut input = Vec::new();
        SmartModuleInitInput { params }
            .encode(&mut input, self.version)
            .map_err(|error| EngineError::invalid(error.to_string()))?;
        let code = self.call(store, init, &[&input])?;
        if code >= 0 {
            return Ok(());
        }
        let status = SmartModuleInitErrorStatus::try_from(code);
        match status.unwrap_or(SmartModuleInitErrorStatus::UnknownError) {
            SmartModuleInitErrorStatus::InitError => {
                let hint = init_hint(self.output(store)?).map_err(|error| self.malformed(error))?;
                let error = SmartModuleInitRuntimeError { hint };
                Err(EngineError::returned(error.to_string()))
            }
            status => Err(EngineError::returned(status.to_string())),
        }
    }

    /// How far the module looks back, if it does.
    pub(super) fn lookback(&self) -> Option<&Lookback> {
        self.look_back.as_ref().and(self.lookback.as_ref())
    }

    /// Shows earlier records to a module that looks back.
    pub(super) fn look_back(
        &self,
        store: &mut Store<State>,
        records: &[u8],
    ) -> Result<(), EngineError> {
        let Some(look_back) = &self.look_back else {
            return Ok(());
        };
        let frame = self.frame(&InputHead::default(), records)?;
        let code = self.call(store, look_back, &[&frame.before, records, &frame.after])?;
        if code >= 0 {
            return Ok(());
        }
        let status = SmartModuleLookbackErrorStatus::try_from(code);
        match status.unwrap_or(SmartModuleLookbackErrorStatus::UnknownError) {
            SmartModuleLookbackErrorStatus::PropagatedError => {
                let error = look_back_error(self.output(store)?);
                let error = error.map_err(|error| self.malformed(error))?;
                Err(EngineError::returned(error.to_string()))
            }
            status => Err(EngineError::returned(status.to_string())),
        }
    }

    /// Runs the module over a batch; its outputs stay in its memory until it is called again.
    pub(super) fn transform(
        &mut self,
        store: &mut Store<State>,
        head: &InputHead,
        records: &[u8],
    ) -> Result<(), EngineError> {
        let frame = self.frame(head, records)?;
        let accumulated = self.accumulator.as_deref().unwrap_or_default();
        let length = i32::try_from(accumulated.len()).unwrap_or(i32::MAX);
        let length = length.to_be_bytes();
        let parts: [&[u8]; 5] = [&frame.before, records, &frame.after, &length, accumulated];
        let parts = if self.accumulator.is_some() {
            &parts[..]
        } else {
            &parts[..3]
        };
        let code = self.call(store, &self.transform, parts)?;
        if code < 0 {
            let status = SmartModuleTransformErrorStatus::try_from(code);
            let status = status.unwrap_or(SmartModuleTransformErrorStatus::UnknownError);
            return Err(EngineError::returned(status.to_string()));
        }
        if self.accumulator.is_some() {
            let (_, rest) = self.parse(store)?;
            let next = accumulator(rest, self.version).map_err(|error| self.malformed(error))?;
            self.accumulator = Some(next);
        }
        Ok(())
    }

    /// What the last call of [`Instance::transform`] gave.
    pub(super) fn transformed<'s>(
        &self,
        store: &'s Store<State>,
    ) -> Result<Output<'s>, EngineError> {
        self.parse(store).map(|(output, _)| output)
    }

    fn parse<'s>(&self, store: &'s Store<State>) -> Result<(Output<'s>, &'s [u8]), EngineError> {
        Output::parse(self.output(store)?, self.version).map_err(|error| self.malformed(error))
    }

    fn frame(&self, head: &InputHead, records: &[u8]) -> Result<Frame, EngineError> {
        Frame::new(head, records, self.version)
            .map_err(|error| EngineError::invalid(error.to_string()))
    }

    /// Copies the parts, one after the other, to where the module wants them, and calls it.
    fn call(
        &self,
        store: &mut Store<State>,
        entry: &Entry,
        parts: &[&[u8]],
    ) -> Result<i32, EngineError> {
        store.data_mut().copied = None;
        set_deadline(store);
        let memory = self.memory.as_ref();
        let memory = memory.ok_or_else(|| EngineError::invalid("Missing memory"))?;
        let bytes = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(bytes).ok().filter(|_| bytes <= BYTES_MAX);
        let max = BYTES_MAX;
        let length = length.ok_or_else(|| self.fault(Fault::InputTooLarge { bytes, max }))?;
        let at = self.alloc(store, length)?;
        let mut address = at as usize;
        for part in parts {
            memory
                .write(&mut *store, address, part)
                .map_err(|_| self.fault(Fault::Input { at, bytes }))?;
            address += part.len();
        }
        let version = i32::from(self.version).cast_unsigned();
        let called = entry.call(&mut *store, (at, length, version));
        called.map_err(|error| self.stopped(&error))
    }

    fn alloc(&self, store: &mut Store<State>, bytes: u32) -> Result<u32, EngineError> {
        let alloc = self.instance.get_func(&mut *store, "alloc");
        let alloc = alloc.ok_or_else(|| EngineError::invalid("missing alloc"))?;
        let alloc = alloc.typed::<u32, u32>(&*store);
        let alloc = alloc.map_err(|error| EngineError::invalid(error.to_string()))?;
        let at = alloc.call(store, bytes);
        at.map_err(|error| self.stopped(&error))
    }

    /// The bytes the module points to; none if it does not.
    fn output<'s>(&self, store: &'s Store<State>) -> Result<&'s [u8], EngineError> {
        let (Some(memory), Some(Span { at, bytes })) = (&self.memory, store.data().copied) else {
            return Ok(&[]);
        };
        let max = BYTES_MAX;
        let bytes_long = bytes as usize;
        let from = memory.data(store).get(at as usize..);
        let output = from.and_then(|from| from.get(..bytes_long));
        match output {
            None => Err(self.fault(Fault::Output { at, bytes })),
            Some(_) if bytes_long > max => Err(self.fault(Fault::OutputTooLarge {
                bytes: bytes_long,
                max,
            })),
            Some(output) => Ok(output),
        }
    }

    fn malformed(&self, Malformed(reason): Malformed) -> EngineError {
        self.fault(Fault::Malformed(reason))
    }

    fn fault(&self, fault: Fault) -> EngineError {
        let module = self.name.clone();
        EngineError::Fault { module, fault }
    }

    fn stopped(&self, error: &wasmtime::Error) -> EngineError {
        stopped(&self.name, error)
    }
}

fn entry(
    store: &mut Store<State>,
    instance: &wasmtime::Instance,
    function: &str,
) -> Result<Option<Entry>, EngineError> {
    let found = instance.get_func(&mut *store, function);
    let typed = found.map(|function| function.typed(&*store));
    typed
        .transpose()
        .map_err(|error| EngineError::invalid(format!("function `{function}`: {error}")))
}

fn linker(store: &Store<State>, module: &Module) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(store.engine());
    linker.allow_shadowing(true);
    let mut imports = module.imports();
    let copy = imports
        .find(|import| import.name() == COPY_RECORDS)
        .ok_or_else(|| format_err!("At least one import is required"))?;
    linker.func_wrap(copy.module(), COPY_RECORDS, copy_records)?;
    for import in module.imports() {
        wasi::define(&mut linker, &import)?;
    }
    Ok(linker)
}

/// Keeps where the output is: its bytes are read after the call.
fn copy_records(mut caller: Caller<'_, State>, at: u32, bytes: u32) -> wasmtime::Result<()> {
    match caller.get_export("memory") {
        Some(Extern::Memory(_)) => {}
        _ => return Err(format_err!("failed to find host memory")),
    }
    caller.data_mut().copied = Some(Span { at, bytes });
    Ok(())
}

/// A module that is stopped while it starts is at fault; any other is none.
fn cannot_start(name: &str, error: &wasmtime::Error) -> EngineError {
    if error.is::<Trap>() || error.is::<LimitError>() {
        return stopped(name, error);
    }
    EngineError::invalid(format!("Failed to instantiate: {error}"))
}

fn stopped(name: &str, error: &wasmtime::Error) -> EngineError {
    let fault = match error.downcast_ref() {
        Some(LimitError::Memory { requested, max }) => Fault::Memory {
            requested: *requested,
            max: *max,
        },
        Some(LimitError::Table { requested, max }) => Fault::Table {
            requested: *requested,
            max: *max,
        },
        None if error.downcast_ref() == Some(&Trap::Interrupt) => Fault::Time(CALL_TIME_MAX),
        None => Fault::Trap(bounded(&trap_text(error))),
    };
    EngineError::Fault {
        module: name.to_owned(),
        fault,
    }
}

/// What happened, and in which functions: for the author of the module.
fn trap_text(error: &wasmtime::Error) -> String {
    let mut text = error.root_cause().to_string();
    let trace = error.downcast_ref::<WasmBacktrace>();
    let frames = trace.map_or(&[][..], WasmBacktrace::frames);
    let names = frames.iter().filter_map(|frame| frame.func_name());
    for (name, joint) in names
        .take(FRAMES_MAX)
        .zip([" in "].into_iter().chain(std::iter::repeat(" < ")))
    {
        text.push_str(joint);
        text.extend(name.escape_debug());
    }
    text
}
