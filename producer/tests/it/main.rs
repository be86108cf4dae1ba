//! The producer against a broker: what stands on the topic after runs, stops and failures.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where its data is not as it says"
)]

mod bucket;
mod delivery;
mod duplicates;
mod feed;
mod gbfs;
mod kinds;
mod life;
mod pacing;
mod prepared;
mod resume;
mod support;
mod takeover;
