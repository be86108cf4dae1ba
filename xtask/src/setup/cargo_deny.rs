//! cargo-deny, built from crates.io into the target folder, which CI keeps.

use std::path::PathBuf;

use anyhow::Result;

use crate::{shell, workspace};

/// The version that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Makes sure that cargo-deny is there; gives the program's path.
///
/// # Errors
/// If it cannot be downloaded or built.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = workspace::target()?.join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    let mut install = shell::cargo(&["install", "--locked", "--quiet", "--version", VERSION]);
    install.arg("--root").arg(&folder).arg("cargo-deny");
    // Not into our own target folder: what it is made of is used once and would stay.
    install.env_remove("CARGO_TARGET_DIR");
    // It runs for a second; optimized as it asks to be, it takes three times as long to build.
    install
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_LTO", "false");
    shell::run(&mut install)?;
    Ok(program)
}
