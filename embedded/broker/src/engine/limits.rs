//! What the modules of one chain may take, all together.

use wasmtime::ResourceLimiter;

/// Modules of one chain. Chosen: more than anybody has put in one.
pub(crate) const MODULES_MAX: usize = 16;
/// Entries of all tables of a chain, of 8 or 16 bytes each. Chosen: a hundred times what the
/// project's modules have.
const TABLE_ENTRIES_MAX: usize = 100_000;
/// Memories and tables of one module. Chosen: compilers make one of each.
const OF_EACH_MAX: usize = 4;

/// Why a module does not get more; becomes an [`super::EngineError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitError {
    #[error("memory of {requested} bytes, more than {max}")]
    Memory { requested: usize, max: usize },
    #[error("tables of {requested} entries, more than {max}")]
    Table { requested: usize, max: usize },
}

/// Memory and tables of all modules of one chain.
#[derive(Debug)]
pub(super) struct Limits {
    memory_bytes_max: usize,
    memory_bytes: usize,
    /// Before what is being granted, which may fail yet.
    memory_bytes_before: usize,
    table_entries: usize,
}

impl Limits {
    pub(super) fn new(memory_bytes_max: usize) -> Self {
        Self {
            memory_bytes_max,
            memory_bytes: 0,
            memory_bytes_before: 0,
            table_entries: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let others = self.memory_bytes.saturating_sub(current);
        let requested = others.saturating_add(desired);
        let max = self.memory_bytes_max;
        if requested > max || maximum.is_some_and(|maximum| desired > maximum) {
            return Err(LimitError::Memory { requested, max }.into());
        }
        self.memory_bytes_before = self.memory_bytes;
        self.memory_bytes = requested;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes_before;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let requested = self
            .table_entries
            .saturating_add(desired.saturating_sub(current));
        let max = TABLE_ENTRIES_MAX;
        if requested > max {
            return Err(LimitError::Table { requested, max }.into());
        }
        self.table_entries = requested;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MODULES_MAX
    }

    fn tables(&self) -> usize {
        MODULES_MAX * OF_EACH_MAX
    }

    fn memories(&self) -> usize {
        MODULES_MAX * OF_EACH_MAX
    }
}
