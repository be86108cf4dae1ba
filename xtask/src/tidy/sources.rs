//! x
use std::path::Path;
pub(super) fn check(_root: &Path) -> anyhow::Result<Vec<String>> {
    Ok(Vec::new())
}
