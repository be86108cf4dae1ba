//! Documents: what they link to exists, and the README shows the command before one must scroll.

use std::path::Path;

use anyhow::Result;

use super::files;

/// The README's first command stands on this line or above.
const COMMAND_LINE_MAX: usize = 20;

/// Checks every `.md` file outside `target`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (path, text) in files::with_ending(root, "md")? {
        let folder = root
            .join(&path)
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        for (number, link) in relative_links(&text) {
            if !folder.join(&link).exists() {
                violations.push(format!(
                    "{path}:{number}: links to {link}, which does not exist"
                ));
            }
        }
        if path == "README.md" && !command_is_early(&text) {
            violations.push(format!(
                "README.md: no `cargo xtask up` by line {COMMAND_LINE_MAX}"
            ));
        }
    }
    Ok(violations)
}

fn command_is_early(readme: &str) -> bool {
    readme
        .lines()
        .take(COMMAND_LINE_MAX)
        .any(|line| line.contains("cargo xtask up"))
}

/// Line and path of each `](path)` that is no address and no anchor; code blocks left out.
fn relative_links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.contains("::") {
                links.push((number, target.to_owned()));
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_links_are_found_but_not_addresses_anchors_or_code() {
        let text = "see [a](docs/a.md#top), [b](https://b.example) and [c](#here)\n```\n[d](d.md)\n```\n[`X`](crate::X)";
        assert_eq!(relative_links(text), [(1, "docs/a.md".to_owned())]);
    }

    #[test]
    fn the_readme_shows_its_command_early() {
        assert!(command_is_early("# Bikes\n\n    cargo xtask up\n"));
        assert!(!command_is_early(&format!(
            "{}cargo xtask up",
            "\n".repeat(20)
        )));
    }
}
