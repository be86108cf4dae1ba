//! The broker as its clients see it, and its data folder as its owner sees it.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod chains;
mod child;
mod conformance;
mod fuzz;
mod limits;
mod peers;
mod protocol;
mod python;
mod sandbox;
mod storage;
mod support;
mod throughput;
