//! What `cargo xtask wasm` has built.

use std::path::{Path, PathBuf};

/// Where one of the project's SmartModules lies.
pub fn smartmodule_path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/assets/smartmodules");
    let path = folder.join(name).with_extension("wasm");
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask wasm` first",
        path.display()
    );
    path
}

/// One of the project's SmartModules.
pub fn smartmodule(name: &str) -> Vec<u8> {
    std::fs::read(smartmodule_path(name)).unwrap()
}
