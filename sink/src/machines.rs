//! What decides in a sink, without I/O: for `simulation/`, which drives it through faults.

pub use crate::availability::{CommittedOffsets, CommittedPartition, Docks, Step};
pub use crate::batch::{Batch, Decoder};
pub use crate::cursor::Cursor;
pub use crate::cursor_update::CursorUpdate;
pub use crate::group::{Change, Group, Lease, Limits, Member};
pub use crate::last_record::LastRecord;
pub use crate::listening::{Listening, Silence};
pub use crate::log_check::compare;
pub use crate::recent::{Committed, Recent};
pub use crate::session::params;
pub use crate::session_end::{SessionOutcome, session_end};
pub use crate::split::{
    EventRow, KnownStation, LocationRow, RejectRow, SplitChunk, StationRow, StatusRow,
};
pub use crate::stream_key::StreamKey;
pub use crate::window::WindowChunk;
