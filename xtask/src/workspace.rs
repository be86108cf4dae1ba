//! Where things are: the workspace, cargo's target folder, the built assets.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};

/// The profile of all that is built here: optimized where it counts, and soon compiled.
pub(crate) const PROFILE: &str = "quick";

/// Folder of the workspace's `Cargo.toml`.
///
/// `cargo run` says where the package is; it may run a program that was compiled in another clone
/// with the same target folder.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR");
        let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent();
        root.expect("xtask lives in the workspace").to_owned()
    });
    &ROOT
}

/// Cargo's target folder, wherever `CARGO_TARGET_DIR` or a config file put it.
///
/// This program runs from `<target>/quick/xtask`, so its own path tells.
///
/// # Errors
/// If the program was copied out of a target folder.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().context("could not find this program's own path")?;
    let target = program.parent().and_then(Path::parent);
    target
        .map(Path::to_owned)
        .context("xtask does not run from a cargo target folder")
}

/// What `cli` and `app` embed: always inside the workspace, because they name it by path.
pub(crate) fn assets() -> PathBuf {
    root().join("target/assets")
}

/// Writes `content` unless the file holds it already, so that cargo sees no change.
///
/// # Errors
/// If the folder or the file cannot be written.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("could not create {folder:?}"))?;
    std::fs::write(path, content).with_context(|| format!("could not write {path:?}"))
}
