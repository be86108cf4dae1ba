//! `cargo xtask bench`: rates, as ratios measured in one run.

use anyhow::Result;

use crate::{setup, shell, wasm};

/// Builds what `up` would run, then measures it beside the roofline of this machine, the
/// SmartModules beside the same rules compiled for it, and the bridge beside Kafka's `MirrorMaker`.
///
/// # Errors
/// If something does not build, or a load is not complete: a wrong result has no rate.
pub(crate) fn run() -> Result<()> {
    setup::openssl()?;
    setup::postgres()?;
    wasm::run()?;
    // The whole workspace, as the tests are built: another selection would compile much anew.
    let mut command = shell::cargo(&[
        "bench",
        "--workspace",
        "--bench",
        "modules",
        "--bench",
        "load",
        "--bench",
        "read",
        "--bench",
        "mirror",
    ]);
    command.env("BIKESHARE_KAFKA_JARS", setup::kafka()?);
    command.env("BIKESHARE_PYTHON", setup::python()?);
    shell::run(&mut command)
}
