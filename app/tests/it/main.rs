//! The page as browsers, and readers without script, get it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod follow;
mod gbfs;
mod live;
mod page;
mod port;
mod search;
mod support;
