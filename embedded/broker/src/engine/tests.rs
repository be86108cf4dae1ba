//! Held to the engine of the real SPU, and to what a module must not be able to do.

mod against_spu;
mod harm;
mod memory;
pub(super) mod modules;
mod speed;
