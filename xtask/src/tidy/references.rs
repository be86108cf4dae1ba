//! Documents: the files, functions and tests that they name by path exist.

use std::path::Path;

use anyhow::Result;

use super::files;

/// Checks every `.md` file outside `target`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (path, text) in files::with_ending(root, "md")? {
        let missing = missing(&text, |file| std::fs::read_to_string(root.join(file)).ok());
        violations.extend(
            missing
                .map(|(line, name)| format!("{path}:{line}: names {name}, which does not exist")),
        );
    }
    Ok(violations)
}

/// Line and name of what does not exist: `crate/src/file.rs`, `crate/src/file.rs::Type::function`, and
/// names of tests alone, which are in the file named before them.
///
/// `read` gives the text of a file, if there is one. What begins with no folder of the workspace (`src/…`)
/// is not looked for.
fn missing(
    text: &str,
    read: impl Fn(&str) -> Option<String>,
) -> impl Iterator<Item = (usize, &str)> {
    let mut source = None;
    code_spans(text).filter(move |(_, name)| {
        let (file, item) = name.split_once("::").unwrap_or((name, ""));
        if file.ends_with(".rs") && file.contains("/src/") | file.contains("/tests/") {
            source = read(file);
            let item = item.rsplit("::").next().unwrap_or_default();
            return !source
                .as_ref()
                .is_some_and(|source| item.is_empty() || defines(source, item));
        }
        is_test(name) && !source.as_ref().is_some_and(|source| defines(source, name))
    })
}

/// What stands between backticks, with its line.
fn code_spans(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).flat_map(|(number, line)| {
        let spans = line.split('`').skip(1).step_by(2);
        spans.map(move |span| (number, span))
    })
}

/// Tests are named by sentences.
fn is_test(name: &str) -> bool {
    name.matches('_').count() >= 4
        && name
            .chars()
            .all(|letter| letter == '_' || letter.is_ascii_lowercase() || letter.is_ascii_digit())
}

/// Whether a source defines an item of this name, whatever kind it is.
fn defines(source: &str, name: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "trait", "const", "mod", "type"];
    kinds.iter().any(|kind| {
        let definition = format!("{kind} {name}");
        let mut behind = source.split(&definition).skip(1);
        let goes_on = |letter: char| letter == '_' || letter.is_alphanumeric();
        behind.any(|rest| !rest.starts_with(goes_on))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Option<String> {
        (file == "domain/src/csv.rs")
            .then(|| "struct Row; fn a_row_is_cut_into_its_parts() {}".to_owned())
    }

    fn missing_in(text: &str) -> Vec<(usize, &str)> {
        missing(text, read).collect()
    }

    #[test]
    fn what_exists_is_no_violation() {
        let text = "`domain/src/csv.rs`, `domain/src/csv.rs::Row`,\n`a_row_is_cut_into_its_parts`, `src/lib.rs`, `sort_bytes`";
        assert_eq!(missing_in(text), []);
    }

    #[test]
    fn a_file_an_item_or_a_test_that_is_gone_is_named_with_its_line() {
        let text = "`domain/src/tsv.rs`\n`domain/src/csv.rs::Rows`\n`a_row_is_cut_into_its`";
        assert_eq!(
            missing_in(text),
            [
                (1, "domain/src/tsv.rs"),
                (2, "domain/src/csv.rs::Rows"),
                (3, "a_row_is_cut_into_its")
            ]
        );
    }
}
