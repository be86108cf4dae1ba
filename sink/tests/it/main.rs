//! The sink against the embedded broker, the real SmartModules and a private Postgres.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod availability;
#[path = "../../../app/tests/it/black_hole.rs"]
mod black_hole;
mod city;
mod delivery;
mod faults;
mod live_feed;
mod locations;
mod migrations;
mod modules;
mod ownership;
mod pair;
#[expect(dead_code, reason = "the broker's own tests use all of them")]
#[path = "../../../embedded/broker/tests/it/modules.rs"]
mod small_modules;
mod support;
mod throughput;
