//! The private Postgres as its user sees it, with the machine's own server binaries.

mod postgres;
