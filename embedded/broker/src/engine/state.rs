//! What a running chain keeps outside its modules' memories.

use super::console::Console;
use super::limits::Limits;

/// What a running chain keeps outside its memories.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    /// Where the module's output is; set by the module during a call.
    pub(super) copied: Option<Span>,
    pub(super) console: Console,
}

impl State {
    /// `memory_bytes_max` is what all modules of the chain may take together.
    pub(super) fn new(memory_bytes_max: usize) -> Self {
        Self {
            limits: Limits::new(memory_bytes_max),
            copied: None,
            console: Console::default(),
        }
    }
}

/// A range in a module's memory, as the module gives it: nothing is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) at: u32,
    pub(super) bytes: u32,
}
