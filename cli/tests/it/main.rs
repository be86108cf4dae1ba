//! The `bikeshare` program as a whole: real binary, real broker, real Postgres, real browser.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics where something is not as it says, and a skip must be seen"
)]

mod at_hand;
mod bad_input;
mod barriers;
mod basemap;
mod bridge;
mod cluster;
mod debug;
mod deployment;
mod ends;
mod feed;
mod find;
mod help;
mod kafka;
mod kill;
mod language;
mod machine;
mod modules;
mod monitoring;
mod nodes;
mod page;
mod pair;
mod plans;
mod privileges;
mod prometheus;
mod real_files;
mod reload;
mod running;
mod simulate;
mod sinks;
mod sources;
mod stop;
mod tls;
mod trial;
mod watch;
