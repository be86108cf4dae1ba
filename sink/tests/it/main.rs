//! The sink against the embedded broker, the real SmartModules and a private Postgres.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod archive;
mod audit;
mod availability;
mod city;
mod delivery;
mod faults;
mod live_feed;
mod locations;
mod migrations;
mod modules;
mod ownership;
mod pair;
mod past;
mod retention;
mod support;
mod throughput;
