//! What `cargo metadata` says of packages, as JSON.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// The text that `cargo metadata` prints with these arguments.
pub(super) fn read(arguments: &[&str]) -> Result<String> {
    let mut cargo = shell::cargo(&["metadata", "--format-version", "1"]);
    shell::read(cargo.args(arguments))
}

pub(super) fn parse(metadata: &str) -> Result<Value> {
    serde_json::from_str(metadata).context("cargo metadata is no JSON")
}

/// The items of a list; none if it is something else.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty if it is something else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
