//! `cargo xtask up`: from a clean clone to the map in a browser.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::PROFILE;
use crate::{setup, shell, wasm, workspace};

/// Sets up, builds and becomes `bikeshare up`.
///
/// # Errors
/// If something is missing that cannot be installed, or the build fails.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<()> {
    setup::postgres()?;
    wasm::run(&[])?;
    shell::run(&mut shell::cargo(&[
        "build",
        "--profile",
        PROFILE,
        "--package",
        "cli",
        // The Kafka bridge, which has no part in this.
        "--no-default-features",
    ]))?;
    let program = workspace::target()?.join(PROFILE).join("bikeshare");
    // Replaces this process, so that Ctrl-C and the exit status are bikeshare's own.
    let error = Command::new(&program).arg("up").args(arguments).exec();
    Err(error).with_context(|| format!("could not start {program:?}"))
}
