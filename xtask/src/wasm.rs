//! `cargo xtask wasm`: the SmartModules and the page's script, into `target/assets`.
//!
//! One cargo call builds all of them, so that they share their dependencies. What has not
//! changed is not written again, so that a second run makes nothing else rebuild.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::wasm_toolchain::{TARGET, WasmToolchain};
use crate::workspace::PROFILE;
use crate::{browser_client, shell, workspace};

/// Package names of the SmartModules: also their names on the cluster.
pub(crate) const SMART_MODULES: [&str; 2] = ["trip-split", "dock-window"];
/// Settings of the profile for them, from the workspace's root.
const CONFIG: &str = "xtask/wasm.toml";

/// Builds, post-processes and prints sizes: of the modules named, or of all and the page's script.
///
/// # Errors
/// If there is no compiler for wasm32, or something does not compile.
pub(crate) fn run(modules: &[String]) -> Result<()> {
    if modules.is_empty() {
        return run_all();
    }
    let mut arguments = base_arguments();
    for package in modules {
        arguments.extend(["--package", package]);
    }
    shell::run(&mut WasmToolchain::find_or_install()?.cargo(&arguments)?)?;
    copy_modules(modules.iter().map(String::as_str))
}

fn base_arguments() -> Vec<&'static str> {
    vec![
        "build",
        "--lib",
        "--profile",
        PROFILE,
        "--config",
        CONFIG,
        "--target",
        TARGET,
    ]
}

fn run_all() -> Result<()> {
    let mut arguments = base_arguments();
    for package in SMART_MODULES {
        arguments.extend(["--package", package]);
    }
    arguments.extend([
        "--package",
        "app",
        "--no-default-features",
        "--features",
        "app/hydrate",
    ]);
    // A page that does not compile should not hold up those who work on a module.
    arguments.push("--keep-going");
    let outcome = shell::run(&mut WasmToolchain::find_or_install()?.cargo(&arguments)?);

    let copied = copy_modules(SMART_MODULES.into_iter());
    outcome.and(copied)?;
    let built = built()?;
    let site = workspace::assets().join("site/pkg");
    browser_client::bundle(&built.join("app.wasm"), &site)?;
    print_sizes(&site)
}

fn built() -> Result<PathBuf> {
    Ok(workspace::target()?.join(TARGET).join(PROFILE))
}

fn copy_modules<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    let built = built()?;
    let modules = workspace::assets().join("smartmodules");
    names.try_for_each(|name| copy_module(&built, name, &modules))?;
    print_sizes(&modules)
}

/// Copies a module under its cluster name: cargo writes underscores, Fluvio wants dashes.
fn copy_module(built: &Path, name: &str, modules: &Path) -> Result<()> {
    let from = built.join(format!("{}.wasm", name.replace('-', "_")));
    let wasm = std::fs::read(&from).with_context(|| format!("could not read {from:?}"))?;
    workspace::write_if_changed(&modules.join(format!("{name}.wasm")), &wasm)
}

/// One line per file of a folder, with its compressed size where there is one beside it.
fn print_sizes(folder: &Path) -> Result<()> {
    let size = |path: &Path| std::fs::metadata(path).map(|file| file.len()).ok();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {folder:?}"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_none_or(|end| end != "br"))
    {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let raw = size(path).map_or_else(String::new, kilobytes);
        match size(&path.with_file_name(format!("{name}.br"))) {
            Some(small) => println!("{name:<20} {raw:>10}  ({} brotli)", kilobytes(small)),
            None => println!("{name:<20} {raw:>10}"),
        }
    }
    Ok(())
}

/// `181.2 kB`, in thousands of bytes.
fn kilobytes(bytes: u64) -> String {
    format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100)
}
