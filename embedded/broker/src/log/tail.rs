//! Distinguishes a write that was cut short from acknowledged batches that have gone bad.
//!
//! A process that is killed while it appends leaves a prefix of what it wrote: whole batches, then
//! the beginning of one. Such a tail was never acknowledged and may be cut off. Anything else behind
//! the last good batch is damage, above all
//! - when any whole batch follows, and
//! - when the last batch has all its bytes but not its checksum.
//!
//! A power cut can leave less: a shorter log than what was acknowledged, or bytes (zeros, say) that nobody
//! wrote. A log that is synced loses nothing that was acknowledged, and what is wrong behind its recovery
//! point was torn by the cut. Of one that is not, the first looks like a shorter log, which only the leader
//! epoch of the next batches shows; the second counts as damage.

use std::io;
use std::path::{Path, PathBuf};

use super::check::{BatchStart, SCAN_STEP_BYTES, Window};
use super::storage::{LogFile, Storage};
use crate::batch::{BatchHead, HEAD_BYTES};

/// How many torn tails of one segment are kept. Chosen: enough to look into what keeps crashing.
const TORN_MAX: u32 = 8;

/// Whether what a file holds from `start` on can be the beginning of a write that was cut short.
pub(super) fn is_torn(file: &dyn LogFile, start: &BatchStart) -> io::Result<bool> {
    let mut window = Window::new(file, SCAN_STEP_BYTES)?;
    let rest = window.file_bytes() - start.position;
    let front = window.at(start.position, HEAD_BYTES)?;
    let offset = start.offset.to_be_bytes();
    let begins = front.iter().zip(offset).all(|(found, due)| *found == due);
    if !begins {
        return Ok(false);
    }
    if front.len() < HEAD_BYTES {
        return Ok(true);
    }
    let Some(head) = BatchHead::parse(front) else {
        return Ok(false);
    };
    if head.bytes as u64 <= rest || any_batch_behind(&mut window, start)? {
        return Ok(false);
    }
    // All bytes of a batch whose length has gone bad.
    let rest = usize::try_from(rest).map_err(io::Error::other)?;
    Ok(!head.is_intact(window.at(start.position, rest)?))
}

/// Whether a whole batch begins anywhere behind the position where the next one should.
fn any_batch_behind(window: &mut Window<'_>, start: &BatchStart) -> io::Result<bool> {
    let end = window.file_bytes();
    // A record takes a byte at least, so a later batch cannot have a later offset than this.
    let offset_max = start.offset.saturating_add_unsigned(end);
    for position in start.position + 1..end.saturating_sub(HEAD_BYTES as u64 - 1) {
        let Some(head) = BatchHead::parse(window.at(position, HEAD_BYTES)?) else {
            continue;
        };
        let follows = head.base_offset > start.offset && head.base_offset <= offset_max;
        let fits = head.bytes as u64 <= end - position;
        if follows && fits && head.is_intact(window.at(position, head.bytes)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves what a segment holds from a position on into a file of its own beside it.
///
/// When there are [`TORN_MAX`] of them, the last one is overwritten.
pub(super) fn set_aside(
    storage: &dyn Storage,
    file: &dyn LogFile,
    segment: &Path,
    position: u64,
) -> io::Result<PathBuf> {
    let path_of = |number: u32| segment.with_extension(format!("torn-{number}"));
    let taken = segment
        .parent()
        .map_or(Ok(Vec::new()), |it| storage.list(it))?;
    let free = (1..TORN_MAX).find(|number| !taken.contains(&path_of(*number)));
    let path = path_of(free.unwrap_or(TORN_MAX));
    let mut window = Window::new(file, SCAN_STEP_BYTES)?;
    let rest = usize::try_from(window.file_bytes() - position).map_err(io::Error::other)?;
    storage.replace(&path, window.at(position, rest)?)?;
    file.set_bytes(position)?;
    Ok(path)
}
