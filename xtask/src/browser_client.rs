//! Turns the compiled client into what a browser loads: a script, its wasm, and both
//! compressed once for all who ask.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use walrus::ModuleConfig;
use wasm_bindgen_cli_support::Bindgen;

use crate::workspace;

mod slim;

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
    process(&wasm, &scratch)?;
    compress_into(&scratch, site)?;
    workspace::write_if_changed(&stamp_path, stamp.as_bytes())
}

/// Writes script and wasm into a folder.
fn process(wasm: &[u8], folder: &Path) -> Result<()> {
    let mut module = ModuleConfig::new()
        // The linker's output is well-formed.
        .strict_validate(false)
        // A fifth of what a rider would load, and only a stack trace would show it.
        .generate_name_section(false)
        .generate_producers_section(false)
        .parse(wasm)
        .context("the client is no wasm")?;
    slim::remove_unused_crate(&mut module)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_module(NAME, module).out_name(NAME);
    bindgen.typescript(false).web(true)?;
    let mut output = bindgen
        .generate_output()
        .context("wasm-bindgen could not process the client")?;
    let script = output.js().to_owned();
    let script = slim::shorten_imports(output.wasm_mut(), &slim::without_comments(&script))?;
    output
        .emit(folder)
        .context("wasm-bindgen could not write the client")?;
    let path = folder.join(NAME).with_extension("js");
    std::fs::write(&path, script).with_context(|| format!("could not write {path:?}"))
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
    2.hash(&mut hasher);
    format!("{:016x}\n", hasher.finish())
}
