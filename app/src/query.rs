//! The SQL of the page: selects only, `sink` does the writing.

pub mod docks;
pub mod streams;
