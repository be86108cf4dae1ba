//! Compiled modules, by content.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};
use wasmtime::Module;

/// Chosen: a handful, for both modules of the project in their old and new versions.
const MODULES_MAX: usize = 8;
/// Bytes of wasm, all modules together; compiled they take a few times as much.
const WASM_BYTES_MAX: usize = 16 << 20;

/// Identifies a module: nobody can make two modules of one digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(wasm: &[u8]) -> Self {
        Self(Sha256::digest(wasm).into())
    }
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    wasm_bytes: usize,
    module: Module,
}

/// The modules that were used last, the newest at the front.
#[derive(Debug, Default)]
pub(super) struct ModuleCache(VecDeque<Entry>);

impl ModuleCache {
    pub(super) fn get(&mut self, digest: &Digest) -> Option<Module> {
        let index = self.0.iter().position(|entry| entry.digest == *digest)?;
        let entry = self.0.remove(index)?;
        let module = entry.module.clone();
        self.0.push_front(entry);
        Some(module)
    }

    pub(super) fn put(&mut self, digest: Digest, wasm_bytes: usize, module: Module) {
        self.0.retain(|entry| entry.digest != digest);
        self.0.push_front(Entry {
            digest,
            wasm_bytes,
            module,
        });
        while self.0.len() > MODULES_MAX || self.wasm_bytes() > WASM_BYTES_MAX {
            self.0.pop_back();
        }
    }

    fn wasm_bytes(&self) -> usize {
        self.0.iter().map(|entry| entry.wasm_bytes).sum()
    }
}
