#![doc = include_str!("../README.md")]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

#[cfg(feature = "archives")]
pub mod archives;
#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "browser")]
pub mod browser;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "broker")]
pub mod modules;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "tls")]
pub mod tls;

mod assets;
mod black_hole;
mod figures;
mod http;
#[cfg(feature = "log")]
mod logs;
mod names;
mod patience;
mod process;
#[cfg(any(feature = "broker", feature = "kafka"))]
mod seen;
mod services;

pub use assets::{smartmodule, smartmodule_path};
pub use black_hole::BlackHole;
pub use figures::{Figure, median, quantile};
pub use http::get;
#[cfg(feature = "log")]
pub use logs::log;
pub use names::{free_address, unique};
pub use patience::{PATIENCE, block_until, wait_until, within_patience};
pub use process::Process;
#[cfg(any(feature = "broker", feature = "kafka"))]
pub use seen::Seen;
pub use services::{axe, python, skip};
