//! The bridge between a real Kafka of three nodes and the embedded Fluvio.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod groups;
mod kill;
mod mirror;
mod operation;
mod pair;
mod security;
mod smartmodule;
mod support;
