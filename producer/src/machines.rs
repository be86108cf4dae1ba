//! What decides in a run, without I/O: for `simulation/`, which drives it through faults.

pub use crate::clock::ReplayClock;
pub use crate::partition::Partitions;
pub use crate::pipeline::{Lanes, LastTicks, Reached, Ticks};
pub use crate::resume::{Held, Seen, TailSearch};
pub use crate::send::{Outgoing, StoredPrefix};
