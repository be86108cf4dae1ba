//! What the browser asks the server for.

pub(crate) mod search;
pub(crate) mod suggest;
