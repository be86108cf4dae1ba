//! The producer against a broker: what stands on the topic after runs, stops and failures.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where its data is not as it says"
)]

#[path = "../../../trip-files/tests/it/archives.rs"]
mod archives;
mod bucket;
mod delivery;
mod duplicates;
mod feed;
mod gbfs;
mod life;
mod pacing;
mod prepared;
mod resume;
#[expect(dead_code, reason = "the tests of trip-files use the rest")]
#[path = "../../../trip-files/tests/it/s3_server.rs"]
mod s3_server;
mod support;
mod takeover;
