//! The log of a test that fails.

use tracing_subscriber::EnvFilter;

/// Shows the log with a test that fails: what `RUST_LOG` asks for, or `filter`.
pub fn log(filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let log = tracing_subscriber::fmt()
        .with_test_writer()
        .with_ansi(false);
    // All tests of a program but the first find it there.
    log.with_env_filter(filter).try_init().ok();
}
