//! Ctrl-C and SIGTERM: the first asks everything to finish, the second ends at once.
//!
//! Nothing that is waited for may hold up the end: each part of `up` has a deadline ([`within`]),
//! and after [`OVERDUE`] the program ends whatever its tasks do.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;
/// Exit status of a stop that was not one, as of any failure.
const OVERDUE_STATUS: i32 = 1;

/// How long the parts may take to stop, all together. Chosen: container runtimes kill after 10 s.
const STOP_MAX: Duration = Duration::from_secs(10);
/// When the program ends even if a part keeps its thread busy and so cannot be left.
const OVERDUE: Duration = Duration::from_secs(12);

/// When the first signal came.
static SIGNALLED: OnceLock<Instant> = OnceLock::new();

/// What is left for the parts to stop in; none as long as no signal came.
pub(crate) fn left() -> Option<Duration> {
    SIGNALLED
        .get()
        .map(|signalled| STOP_MAX.saturating_sub(signalled.elapsed()))
}

/// Waits for a part to stop, for as long as `patience` and what is [`left`].
///
/// # Errors
/// If it takes longer; it is left then.
pub(crate) async fn within<T>(
    part: &str,
    patience: Duration,
    stopping: impl Future<Output = T>,
) -> Result<T> {
    let patience = left().map_or(patience, |left| left.min(patience));
    match tokio::time::timeout(patience, stopping).await {
        Ok(stopped) => Ok(stopped),
        Err(_) => bail!(
            "{part} did not stop within {:.1} s and was left",
            patience.as_secs_f32()
        ),
    }
}

/// A token that is cancelled by the first signal.
///
/// # Errors
/// If the system refuses the signal handlers.
pub(crate) fn on_signal() -> Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("could not watch for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("could not watch for SIGTERM")?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        eprintln!("stopping; once more to stop at once");
        SIGNALLED.get_or_init(Instant::now);
        std::thread::spawn(end_when_overdue);
        stopped.cancel();
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(stop)
}

/// In a thread, because tasks run only where no other keeps the thread busy.
fn end_when_overdue() {
    std::thread::sleep(OVERDUE);
    eprintln!(
        "error: not everything stopped within {} s: ended without it",
        OVERDUE.as_secs()
    );
    std::process::exit(OVERDUE_STATUS);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
