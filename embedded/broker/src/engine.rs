//! Runs `SmartModule`s, which are other people's programs, so that they harm nobody.
//!
//! ```text
//! wasm ─unpack─▶ bytes ─compile─▶ module (kept by content, on disk too) ─start─▶ runner: one store, one chain
//!                                                                     │ per batch and module:
//!                                                   alloc, write in, call, read out, decode
//! ```
//! What a module can do to the program is bounded at each step:
//! - its bytes, each function's bytes and the cores that compile it (one);
//! - the memory and the tables of a chain, the stack, the outputs of one call;
//! - the time of each call, start and `init` included: a clock interrupts it;
//! - where input is written and outputs are read: inside the module's memory, or it is an error;
//! - the lengths in its outputs: checked against the bytes that are there before they are used.
//!
//! Its bytes, texts and errors are those of `fluvio-smartengine`, the engine of the real SPU, and
//! are held to it by tests. That engine is not used: it writes input to wherever a module's `alloc`
//! points, unchecked; it has no deadline; and its wasmtime 34 gets no security patches.
//!
//! Here are no threads of wasm and no components, and of WASI only what a module needs that does
//! not look at its surroundings, see [`wasi`].

mod accepted;
mod cache;
mod clock;
mod code;
mod compiled;
mod config;
mod console;
mod error;
mod input;
mod instance;
mod limits;
mod output;
mod runner;
mod state;
mod trial;
mod wasi;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmtime::{Config, Module};

use self::accepted::Accepted;
use self::cache::{Digest, ModuleCache};
use self::compiled::CompiledModules;

pub(crate) use self::code::unpack;
pub(crate) use self::config::ModuleConfig;
pub(crate) use self::error::{EngineError, Fault};
pub(crate) use self::input::InputHead;
pub(crate) use self::limits::MODULES_MAX;
pub(crate) use self::output::Records;
pub(crate) use self::runner::Runner;

/// Stack of a module; wasmtime's default, and so the real SPU's.
const STACK_BYTES_MAX: usize = 512 << 10;

/// Compiles modules and keeps them; shared by all streams.
#[derive(Debug)]
pub(crate) struct Engine {
    wasm: wasmtime::Engine,
    /// The modules that were used last, compiled. A mutex: it is held for a look-up.
    cache: Mutex<ModuleCache>,
    /// Held while a module is compiled or tried: that takes one core, however many streams want it,
    /// and the one that waited finds the module in the cache. With the files of compiled modules, if
    /// they are kept.
    compiling: Mutex<Option<CompiledModules>>,
    /// Versions of uploaded modules that may be sent along with a request.
    accepted: Accepted,
}

impl Engine {
    /// Starts an engine with its clock, a thread that ends with the engine.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        Self::start_with(None)
    }

    /// Starts an engine that keeps compiled modules in a folder.
    ///
    /// # Errors
    /// If the system gives no thread. If the folder cannot be used, each start compiles.
    pub(crate) fn start_in(folder: &Path) -> io::Result<Self> {
        let compiled = CompiledModules::open(folder)
            .inspect_err(|error| tracing::warn!(?folder, %error, "compiled modules are not kept"));
        Self::start_with(compiled.ok())
    }

    fn start_with(compiled: Option<CompiledModules>) -> io::Result<Self> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .max_wasm_stack(STACK_BYTES_MAX)
            .cache(compiled.as_ref().map(CompiledModules::cache));
        let wasm = wasmtime::Engine::new(&config).expect("the configuration is a constant");
        clock::start(&wasm)?;
        Ok(Self {
            wasm,
            cache: Mutex::default(),
            compiling: Mutex::new(compiled),
            accepted: Accepted::default(),
        })
    }

    /// Compiles a module, or finds it among those that were used last. Takes up to some seconds.
    fn module(&self, wasm: &[u8]) -> Result<Module, EngineError> {
        let digest = Digest::of(wasm);
        if let Some(found) = self.cached(&digest) {
            return Ok(found);
        }
        let mut compiled = self.compile_alone();
        if let Some(found) = self.cached(&digest) {
            return Ok(found);
        }
        let module = self.compile(wasm, compiled.as_mut())?;
        self.keep(digest, wasm, &module);
        Ok(module)
    }

    /// Runs a module over a small sample; it may return errors, but must not do harm.
    ///
    /// # Errors
    /// If it is no `SmartModule`, panics, runs for too long, wants too much memory, or points
    /// outside its memory.
    pub(crate) fn check(&self, name: &str, wasm: &[u8]) -> Result<(), EngineError> {
        let mut compiled = self.compile_alone();
        let digest = Digest::of(wasm);
        let module = match self.cached(&digest) {
            Some(found) => found,
            None => self.compile(wasm, compiled.as_mut())?,
        };
        trial::run(self, name, &module)?;
        self.keep(digest, wasm, &module);
        Ok(())
    }

    /// Lets a stored version of a module be sent along with requests, see [`Accepted`].
    pub(crate) fn accept(&self, name: &str, wasm: &[u8]) {
        self.accepted.add(name, Digest::of(wasm));
    }

    /// Forgets the versions of a module that was deleted.
    pub(crate) fn forget(&self, name: &str) {
        self.accepted.remove(name);
    }

    /// Whether these are the bytes of a stored module, or were until lately.
    pub(crate) fn is_accepted(&self, wasm: &[u8]) -> bool {
        self.accepted.contains(&Digest::of(wasm))
    }

    /// Compiles a module, or takes it from the files.
    fn compile(
        &self,
        wasm: &[u8],
        compiled: Option<&mut CompiledModules>,
    ) -> Result<Module, EngineError> {
        code::check_sizes(wasm)?;
        let module = Module::new(&self.wasm, wasm);
        let module = module.map_err(|error| EngineError::invalid(format!("{error:#}")))?;
        if let Some(Err(error)) = compiled.map(CompiledModules::add_new) {
            tracing::warn!(%error, "a compiled module is not kept");
        }
        Ok(module)
    }

    fn cached(&self, digest: &Digest) -> Option<Module> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(digest)
    }

    fn keep(&self, digest: Digest, wasm: &[u8], module: &Module) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put(digest, wasm.len(), module.clone());
    }

    fn compile_alone(&self) -> MutexGuard<'_, Option<CompiledModules>> {
        self.compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
