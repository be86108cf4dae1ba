//! A live feed: a GBFS system is polled, and what changes at its stations goes to the topic.
//!
//! ```text
//!  gbfs.json ─▶ station_information ─┐
//!               vehicle_types ───────┤
//!               station_status ──────┴─▶ [`changes`] ─▶ statuses, rejects, a tick ─▶ queue ─▶ topic
//!                     └◀─ after its ttl, or later after a failure ─┘
//! ```
//!
//! Event time is the feed's own `last_updated`; one that has not come yet is refused. A feed cannot be
//! read again, so each run has a number of its own, counts every station anew without an event, and
//! takes the feed over from older runs (see [`owner`]). Not here: delivery (see [`crate::send`]).

mod changes;
mod client;
mod error;
mod feed;
mod owner;
mod poll;
mod raw;
mod stock;
mod types_file;
mod url;
mod v2;
mod v3;
mod vehicles;

pub use self::error::FeedError;
pub(crate) use self::poll::run;
pub use self::url::{FeedUrl, FeedUrlError};
