//! Extracts of OpenStreetMap, of our own making, and the maps they become.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where something is not as it says"
)]

mod damage;
mod extract;
mod map;
mod size;
mod town;
