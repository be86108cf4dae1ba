//! The `bikeshare` program as a whole: real binary, real broker, real Postgres, real browser.

mod bad_input;
mod browser;
mod cluster;
mod help;
mod kill;
mod machine;
mod modules;
mod page;
mod real_files;
mod running;
mod simulate;
