//! Rules on Rust sources that clippy has no lint for.
//!
//! `Display` of an error never includes its source, because the chain is printed once, where it is
//! handled. Only `sink` writes SQL, because the delivery guarantee rests on one writer.

use std::path::Path;

use anyhow::Result;

use super::files;

/// Checks every `.rs` file outside `target`.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for (path, text) in files::with_ending(root, "rs")? {
        for (number, line) in (1..).zip(text.lines()) {
            breaches
                .extend(breach_of(&path, line).map(|breach| format!("{path}:{number}: {breach}")));
        }
    }
    Ok(breaches)
}

fn breach_of(path: &str, line: &str) -> Option<&'static str> {
    let in_message = line.contains("#[error(") || line.trim_start().starts_with('"');
    if in_message && line.contains(concat!("{sou", "rce}")) {
        return Some("an error's message repeats its source; #[source] carries it");
    }
    let reads_only = path.starts_with("app/src") || path.starts_with("cli/src");
    if reads_only && writes_sql(line) {
        return Some("only sink writes SQL");
    }
    None
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
    use super::breach_of;

    #[test]
    fn a_message_that_repeats_its_source_is_a_breach() {
        let line = concat!(r#"#[error("could not read: {sou"#, r#"rce}")]"#);
        assert!(breach_of("sink/src/error.rs", line).is_some());
        assert!(breach_of("sink/src/error.rs", r#"#[error("could not read {path}")]"#).is_none());
    }

    #[test]
    fn sql_that_writes_is_a_breach_in_the_app() {
        let line = r#"sqlx::query("insert into records values (1)")"#;
        assert!(breach_of("app/src/query.rs", line).is_some());
        assert!(breach_of("sink/src/write.rs", line).is_none());
    }
}
