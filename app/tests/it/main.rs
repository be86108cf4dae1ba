//! The page as browsers, and readers without script, get it.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test panics where the page is not as it says"
)]

mod follow;
mod gbfs;
mod live;
mod page;
mod port;
mod search;
mod support;
