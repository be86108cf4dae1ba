//! Finds the workspace's own text files.

use std::path::Path;

use anyhow::{Context, Result};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 4] = ["target", ".git", "data", "node_modules"];

/// Path (relative to `root`) and text of each file with this ending, sorted by path.
pub(super) fn with_ending(root: &Path, ending: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    collect(root, root, ending, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    root: &Path,
    folder: &Path,
    ending: &str,
    found: &mut Vec<(String, String)>,
) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {folder:?}"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // `domain/data` is ours; only the data folder of `bikeshare up` in the root is not.
        let is_foreign = FOREIGN.contains(&name.as_str()) && (name != "data" || folder == root);
        if path.is_dir() && !is_foreign {
            collect(root, &path, ending, found)?;
        } else if path.extension().is_some_and(|found| found == ending) {
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("could not read {path:?}"))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            found.push((relative.to_string_lossy().into_owned(), text));
        }
    }
    Ok(())
}
