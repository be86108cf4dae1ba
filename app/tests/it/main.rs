//! The page as browsers, and readers without script, get it.

mod follow;
mod live;
mod page;
mod port;
mod search;
mod support;
