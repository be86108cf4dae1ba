//! `cargo xtask simulate`: what decides, driven through faults of a simulated world.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::PROFILE;
use crate::{setup, shell, workspace};

/// Builds and becomes `simulation`.
///
/// # Errors
/// If something is missing that cannot be installed, or the build fails.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<()> {
    // Of the bridge's Kafka client.
    setup::openssl()?;
    let build = ["build", "--profile", PROFILE, "--package", "simulation"];
    shell::run(&mut shell::cargo(&build))?;
    let program = workspace::target()?.join(PROFILE).join("simulation");
    // Replaces this process, so that Ctrl-C and the exit status are its own.
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("could not start {program:?}"))
}
