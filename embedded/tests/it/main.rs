//! The broker as its clients see it, the data folder as its owner sees it, and the Postgres.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod chains;
mod child;
mod conformance;
mod fuzz;
mod limits;
mod modules;
mod peers;
mod postgres;
mod protocol;
mod python;
mod sandbox;
mod storage;
mod support;
mod throughput;
