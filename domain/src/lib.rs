//! Stage ⓪ of ④. The vocabulary and rules of bikeshare availability.
//!
//! Everything here is pure: no I/O, no clock, no randomness; it builds for wasm32 and runs in the
//! broker, in the sink and in the browser alike. Not here: reading files (`producer`), SQL (`sink`).
//!
//! | module | what it fixes |
//! |---|---|
//! | [`trip`] | a trip and its two stations |
//! | [`status`] | the bikes at a station, as a live feed counts them, and what the feed says of itself |
//! | [`record`] | what one record on the topic `trips` says, and the bytes of records and outputs |
//! | [`source`] | where records come from, and which of them are taken |
//! | [`split()`] | trip → departure + arrival |
//! | [`window`] | departures per window of event time |
//! | [`availability`] | which bikes are at which dock at a given clock |
//! | [`past`] | which were there at any earlier second, in few bytes |
//! | [`reject`] | what could not be used, and why |
//! | [`position`], [`record_id`] | where a record stands |
//! | [`event_time`] | an instant as a number with its unit |
//! | [`error_chain()`] | an error and its causes in one line |
//! | [`geo`] | distances and blocks |
//! | [`location`] | where a station is, and where it was |
//! | `csv` | Citi Bike's files (feature `csv`) |
//! | `time` | clocks in New York (feature `time`) |
//! | `stations` | names and places of real stations (feature `stations`) |

pub mod availability;
#[cfg(feature = "csv")]
pub mod csv;
pub mod error_chain;
pub mod event_time;
pub mod geo;
pub mod location;
pub mod past;
pub mod position;
pub mod record;
pub mod record_id;
pub mod reject;
pub mod source;
pub mod split;
#[cfg(feature = "stations")]
pub mod stations;
pub mod status;
#[cfg(feature = "time")]
pub mod time;
pub mod trip;
pub mod window;

pub use availability::Availability;
pub use error_chain::error_chain;
pub use event_time::EventTime;
pub use position::Position;
pub use record::{Body, DockEvent, Record, SplitEvent, SplitOutput, WindowOutput};
pub use record_id::{Ordinal, RecordId};
pub use reject::Reject;
pub use source::Sources;
pub use split::{split, split_json};
pub use status::{Inferred, Service, Status, Stock, System};
pub use trip::{BikeKind, Rider, Station, Trip};
pub use window::Windows;
