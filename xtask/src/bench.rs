//! `cargo xtask bench`: rates, as ratios measured in one run.

use anyhow::Result;

use crate::{setup, shell, wasm};

/// Builds what `up` would run, then measures it beside the roofline of this machine, and the
/// SmartModules beside the same rules compiled for it.
///
/// # Errors
/// If something does not build, or a load is not complete: a wrong result has no rate.
pub(crate) fn run() -> Result<()> {
    setup::openssl()?;
    setup::postgres()?;
    wasm::run()?;
    // The whole workspace, as the tests are built: another selection would compile much anew.
    shell::run(&mut shell::cargo(&[
        "bench",
        "--workspace",
        "--bench",
        "modules",
        "--bench",
        "load",
        "--bench",
        "read",
    ]))
}
