//! What decides in a bridge, without I/O: for `simulation/`, which drives it through faults.

pub use crate::batch::{Decoded, decode, encode};
pub use crate::progress::{BatchId, Progress};
pub use crate::record::{Header, Record};
pub use crate::resume::{
    Contiguous, NextOffset, check_alone, check_same_log, last_copied, next_offset,
};
pub use crate::stamp::Origin;
