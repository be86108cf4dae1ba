//! A chain of modules at work: each takes what the one before it gives.

use fluvio_smartmodule::dataplane::smartmodule::Lookback;
use wasmtime::Store;

use super::Engine;
use super::config::ModuleConfig;
use super::error::EngineError;
use super::input::InputHead;
use super::instance::Instance;
use super::output::Output;
use super::state::State;

/// Modules with their memory.
///
/// It must not be used any more once it has given an error: modules may have been stopped anywhere.
#[derive(Debug)]
pub(crate) struct Runner {
    store: Store<State>,
    instances: Vec<Instance>,
    /// Records on their way from one module to the next.
    between: Vec<u8>,
}

impl Runner {
    /// Compiles and starts modules, at least one and at most [`super::MODULES_MAX`], which may take
    /// `memory_bytes_max` all together.
    ///
    /// # Errors
    /// If one of them cannot be started.
    pub(crate) fn start(
        engine: &Engine,
        modules: &[ModuleConfig<'_>],
        memory_bytes_max: usize,
    ) -> Result<Self, EngineError> {
        let mut runner = Self::new(engine, memory_bytes_max);
        for config in modules {
            let module = engine.module(config.wasm)?;
            runner.add(&module, config)?;
        }
        Ok(runner)
    }

    pub(super) fn new(engine: &Engine, memory_bytes_max: usize) -> Self {
        let mut store = Store::new(&engine.wasm, State::new(memory_bytes_max));
        store.limiter(|state| &mut state.limits);
        Self {
            store,
            instances: Vec::new(),
            between: Vec::new(),
        }
    }

    /// Starts one more module.
    pub(super) fn add(
        &mut self,
        module: &wasmtime::Module,
        config: &ModuleConfig<'_>,
    ) -> Result<(), EngineError> {
        let instance = Instance::start(&mut self.store, module, config)?;
        instance.init(&mut self.store, &config.params)?;
        self.instances.push(instance);
        Ok(())
    }

    /// What all modules take.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().limits.memory_bytes()
    }

    /// Shows earlier records to those modules that look back; `read` gives them in wire form.
    pub(crate) fn look_back(
        &mut self,
        mut read: impl FnMut(&Lookback) -> Result<Vec<u8>, EngineError>,
    ) -> Result<(), EngineError> {
        for instance in &self.instances {
            if let Some(lookback) = instance.lookback() {
                instance.look_back(&mut self.store, &read(lookback)?)?;
            }
        }
        Ok(())
    }

    /// Runs one batch through all modules, or up to the first that returns an error.
    ///
    /// # Errors
    /// If a module panics or does what it must not do.
    pub(crate) fn process(
        &mut self,
        head: &InputHead,
        records: &[u8],
    ) -> Result<Output<'_>, EngineError> {
        let last = self.instances.len() - 1;
        for (index, instance) in self.instances.iter_mut().enumerate() {
            let records = if index == 0 { records } else { &self.between };
            instance.transform(&mut self.store, head, records)?;
            if index == last {
                break;
            }
            let output = instance.transformed(&self.store)?;
            if output.error.is_some() {
                return self.instances[index].transformed(&self.store);
            }
            self.between.clear();
            encode(&output, &mut self.between);
        }
        self.instances[last].transformed(&self.store)
    }
}

/// A count and the records, as the next module is given them.
fn encode(output: &Output<'_>, into: &mut Vec<u8>) {
    let count = i32::try_from(output.records.len()).unwrap_or(i32::MAX);
    into.extend_from_slice(&count.to_be_bytes());
    for record in output.records {
        record.encode(0, into);
    }
}
