//! The bridge between a real Kafka of three nodes and the embedded Fluvio.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod groups;
mod kafka;
mod kill;
mod mirror;
#[expect(dead_code, reason = "the broker's own tests use all of them")]
#[path = "../../../embedded/broker/tests/it/modules.rs"]
mod modules;
mod operation;
mod pair;
mod security;
mod smartmodule;
mod support;
