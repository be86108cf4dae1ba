//! Sources read through what the producer uses of this crate, and files prepared from them.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where its data is not as it says"
)]

mod bucket;
mod moto;
mod prepare;
mod support;
