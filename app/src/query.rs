//! The SQL of the page: selects only, `sink` does the writing.

pub(crate) mod departures;
pub(crate) mod docks;
pub(crate) mod past;
pub(crate) mod streams;
pub(crate) mod windows;
