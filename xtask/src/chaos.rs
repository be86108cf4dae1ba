//! `cargo xtask chaos`: faults by a plan, and a checker that trusts nobody.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::PROFILE;
use crate::{setup, shell, wasm, workspace};

/// Sets up, builds and becomes `chaos`, with the `bikeshare` that it breaks beside it.
///
/// # Errors
/// If something is missing that cannot be installed, or the build fails.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<()> {
    setup::postgres()?;
    wasm::run(&[])?;
    let build = ["build", "--profile", PROFILE, "--no-default-features"];
    let packages = ["--package", "cli", "--package", "chaos"];
    shell::run(&mut shell::cargo(&[&build[..], &packages].concat()))?;
    let program = workspace::target()?.join(PROFILE).join("chaos");
    // Replaces this process, so that Ctrl-C and the exit status are its own.
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("could not start {program:?}"))
}
