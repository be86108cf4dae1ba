//! Logs go to stderr, so that stdout holds only what was asked for.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// Our own parts' lifecycle; of the libraries only what is wrong. Fluvio's client calls it an error that
/// its watch of the metadata ends, as it does whenever a broker is stopped; who needs that watch says so.
pub(crate) const DEFAULT: &str = "warn,bikeshare=info,trip_files=info,producer=info,sink=info,app=info,\
     bridge=info,embedded_broker=info,embedded_postgres=info,fluvio::sync::controller=off";

/// Starts logging; `levels` is a level, or levels by module.
///
/// # Errors
/// If `levels` cannot be understood.
pub(crate) fn start(levels: &str) -> Result<()> {
    let filter = EnvFilter::builder().parse(levels).with_context(|| {
        format!("--log \"{levels}\" is not a level such as \"info\" or levels such as \"warn,sink=debug\"")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
