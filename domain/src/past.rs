//! What stood at the docks at any earlier second.
//!
//! The past is a row of *periods*. Each has the count of every dock at its start (a keyframe) and
//! each change until its end, so that one period answers for any second in it, and what comes next
//! is found in the bytes that are there already. [`Recorder`] writes them while
//! [`crate::Availability`] settles events in order of time; [`Period`] reads them.
//!
//! Seconds are whole, since 1970, UTC. At a second all is settled that happened at it or before: a
//! change between two seconds is one of the later second.
//!
//! A period's bytes; numbers are LEB128, those marked ± with their sign in the lowest bit:
//!
//! ```text
//! period   = format docks (location-id± count)*docks change*      each id less the one before
//! change   = (seconds since the change before) << 2 | kind, dock, what the kind says
//! dock     = its place in the keyframe; the next free place, and its id±, if it is a new one
//! kind     0: a bike less   1: a bike more   2: bikes± more   3: count
//! count    = flags bikes± [seconds since it was last seen±] [each number of the stock]
//! ```

mod bytes;
mod count;
mod period;
mod recorder;

pub use period::{Change, MalformedPeriod, PackedPeriod, Period};
pub use recorder::{BYTES_MAX, Recorder};

/// Raised whenever a period's bytes change their form or meaning.
const FORMAT: u64 = 1;
