//! Turns the compiled client into what a browser loads: a script, its wasm, and both
//! compressed once for all who ask.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::workspace;

/// Name the page asks for: `/pkg/app.js`, which loads `/pkg/app_bg.wasm`.
const NAME: &str = "app";
/// Brotli's best: it takes seconds once and saves every visitor bytes.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW_BITS: u32 = 22;

/// Writes `app.js`, `app_bg.wasm` and their `.br` into `site`, unless they are of this input.
///
/// # Errors
/// If the input is not a client built for wasm-bindgen, or a file cannot be written.
pub(crate) fn bundle(input: &Path, site: &Path) -> Result<()> {
    let wasm = std::fs::read(input).with_context(|| format!("could not read {input:?}"))?;
    let stamp_path = workspace::assets().join("client.stamp");
    let stamp = stamp_of(&wasm);
    let finished = site.join(format!("{NAME}_bg.wasm.br")).exists();
    if finished && std::fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp) {
        return Ok(());
    }
    // Written to one side first: wasm-bindgen writes files that did not change as well.
    let scratch = workspace::target()?.join("wasm-bindgen");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)
            .with_context(|| format!("could not empty {scratch:?}"))?;
    }
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(NAME, wasm)
        .out_name(NAME)
        .typescript(false)
        // A fifth of what a rider would load, and only a stack trace would show it.
        .remove_name_section(true)
        .remove_producers_section(true)
        .web(true)?;
    bindgen
        .generate(&scratch)
        .context("wasm-bindgen could not process the client")?;
    compress_into(&scratch, site)?;
    workspace::write_if_changed(&stamp_path, stamp.as_bytes())
}

/// Copies every file of `from`, its folders included, each with a compressed twin.
fn compress_into(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("could not list {from:?}"))? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            compress_into(&path, &target)?;
            continue;
        }
        let content = std::fs::read(&path).with_context(|| format!("could not read {path:?}"))?;
        let mut twin = target.clone().into_os_string();
        twin.push(".br");
        workspace::write_if_changed(&target, &content)?;
        workspace::write_if_changed(Path::new(&twin), &brotli_of(&content)?)?;
    }
    Ok(())
}

/// Compresses as well as brotli can.
///
/// # Errors
/// If it cannot be compressed.
pub(crate) fn brotli_of(content: &[u8]) -> Result<Vec<u8>> {
    let mut small = Vec::new();
    let buffer_bytes = 64 * 1024;
    let mut writer =
        brotli::CompressorWriter::new(&mut small, buffer_bytes, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
    writer.write_all(content).context("could not compress")?;
    drop(writer);
    Ok(small)
}

/// Changes whenever the input or the tool does.
fn stamp_of(wasm: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    wasm.hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    // What the tool is told counts as well: raise it when that changes.
    1.hash(&mut hasher);
    format!("{:016x}\n", hasher.finish())
}
