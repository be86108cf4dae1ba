//! The rules of the domain as laws and as golden scenarios.

mod availability;
mod windows;
