//! Rules on Rust sources that clippy has no lint for.
//!
//! `Display` of an error never includes its source, because the chain is printed once, where it is
//! handled. Only `sink` writes SQL, because the delivery guarantee rests on one writer. Only the SmartModules' frame has `unsafe`, because what it needs it for is said there.

use std::path::Path;

use anyhow::Result;

use super::files;

const HOME_OF_UNSAFE: &str = "smartmodules/frame";

/// Checks every `.rs` file outside `target`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (path, text) in files::with_ending(root, "rs")? {
        violations.extend(violations_of(&path, &text));
    }
    Ok(violations)
}

fn violations_of(path: &str, text: &str) -> Vec<String> {
    let reads_only = path.starts_with("app/src") || path.starts_with("cli/src");
    let mut violations = Vec::new();
    let mut in_message = false;
    for (number, line) in (1..).zip(text.lines()) {
        in_message |= line.trim_start().starts_with("#[error(");
        if in_message && line.contains("{source}") {
            violations.push(format!(
                "{path}:{number}: the message repeats the source it carries"
            ));
        }
        if line.trim_end().ends_with(")]") {
            in_message = false;
        }
        if !path.starts_with(HOME_OF_UNSAFE) && allows_unsafe(line) {
            violations.push(format!("{path}:{number}: only {HOME_OF_UNSAFE} has unsafe"));
        }
        if reads_only && writes_sql(line) {
            violations.push(format!("{path}:{number}: only sink writes SQL"));
        }
    }
    violations
}

fn allows_unsafe(line: &str) -> bool {
    line.trim_start().starts_with('#') && line.contains("unsafe_code")
}

fn writes_sql(line: &str) -> bool {
    let line = line.trim_start();
    let is_comment = line.starts_with("//");
    let statements = [
        "insert into ",
        "delete from ",
        "truncate ",
        "update availability",
    ];
    !is_comment
        && statements
            .iter()
            .any(|start| line.contains(&format!("\"{start}")))
}

#[cfg(test)]
mod tests {
    use super::violations_of;

    #[test]
    fn a_message_that_repeats_its_source_is_a_violation_over_several_lines_too() {
        let text =
            "    #[error(\n        \"could not read: {source}\"\n    )]\n    Read,\n\"{source}\"";
        assert_eq!(
            violations_of("sink/src/error.rs", text),
            ["sink/src/error.rs:2: the message repeats the source it carries"]
        );
        assert!(violations_of("a.rs", "#[error(\"could not read {path}\")]").is_empty());
    }

    #[test]
    fn sql_that_writes_is_a_violation_in_the_app() {
        let text = r#"sqlx::query("insert into records values (1)")"#;
        assert_eq!(violations_of("app/src/query.rs", text).len(), 1);
        assert!(violations_of("sink/src/write.rs", text).is_empty());
    }

    #[test]
    fn unsafe_code_has_one_home() {
        let text = "    #[expect(unsafe_code, reason = \"fast\")]\n    unsafe {}";
        assert_eq!(
            violations_of("sink/src/write.rs", text),
            ["sink/src/write.rs:1: only smartmodules/frame has unsafe"]
        );
        assert!(violations_of("smartmodules/frame/src/abi.rs", text).is_empty());
    }
}
