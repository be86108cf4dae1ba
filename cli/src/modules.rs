//! The SmartModules this program carries inside.

use std::borrow::Cow;

use anyhow::{Context, Result};
use rust_embed::RustEmbed;

/// What `cargo xtask wasm` built; empty in a program built without it.
#[derive(RustEmbed)]
#[folder = "../target/assets/smartmodules"]
#[allow_missing = true]
struct Carried;

/// The wasm of a carried module.
///
/// # Errors
/// If the program was built without it.
pub(crate) fn wasm(name: &str) -> Result<Cow<'static, [u8]>> {
    let file = Carried::get(&format!("{name}.wasm"));
    file.map(|file| file.data).with_context(|| {
        format!(
            "this program was built without the smartmodule \"{name}\": run `cargo xtask wasm`, \
             then build it again"
        )
    })
}
