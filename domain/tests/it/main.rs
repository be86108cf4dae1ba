//! The rules of the domain as laws and as golden scenarios.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where its data is not as it says"
)]

mod availability;
mod past;
mod takeover;
mod windows;
