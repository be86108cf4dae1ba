//! The private Postgres as its user sees it, with the machine's own server binaries.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod closed_folder;
mod lifecycle;
mod refusals;
mod restarts;
mod rights;
mod support;
