//! What the browser asks the server for.

pub mod search;
