//! The order in which trips flow is told in three places: the workspace's members, the first
//! line of each crate's doc, the README's table of crates. They must agree, because a listing of
//! folders sorts by letter and tells nothing.

use std::path::Path;

use anyhow::{Context, Result};

const STAGES: &str = "⓪①②③④";
/// How far into a crate's doc its stage sentence may stand: after a heading.
const SENTENCE_LINES_MAX: usize = 6;

/// Checks comments of members, stage sentences, their topics and the README's table.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let read = |path: &str| {
        std::fs::read_to_string(root.join(path)).with_context(|| format!("could not read {path}"))
    };
    let members = members(&read("Cargo.toml")?);
    let cluster = read("fluvio-cluster.yaml")?;
    let mut violations = order_violations(&members);
    for (member, stage) in &members {
        if let Some(stage) = stage {
            violations.extend(sentence_violations(
                member,
                *stage,
                &crate_doc(root, member)?,
                &cluster,
            ));
        }
    }
    match read("README.md") {
        Ok(readme) => violations.extend(readme_violations(&members, &readme)),
        Err(_) => violations.push("README.md: is missing".to_owned()),
    }
    Ok(violations)
}

/// Name and stage of each member: `"sink",  # ③ module outputs → Postgres`.
fn members(manifest: &str) -> Vec<(String, Option<char>)> {
    let lines = manifest
        .lines()
        .skip_while(|line| !line.starts_with("members"))
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with(']'));
    lines
        .filter_map(|line| {
            let name = line.split('"').nth(1)?;
            let comment = line.split_once('#')?.1.trim();
            Some((
                name.to_owned(),
                comment.chars().next().filter(|c| STAGES.contains(*c)),
            ))
        })
        .collect()
}

fn order_violations(members: &[(String, Option<char>)]) -> Vec<String> {
    let stages: Vec<char> = members.iter().filter_map(|(_, stage)| *stage).collect();
    // By their place in the list: Unicode has the circled zero after the other digits.
    if stages.is_sorted_by_key(|stage| STAGES.find(*stage)) && !stages.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "Cargo.toml: members are not in flow order: {stages:?}"
    )]
}

/// The first lines of a crate's doc; it may be included from its README.
fn crate_doc(root: &Path, member: &str) -> Result<Vec<String>> {
    let folder = root.join(member);
    let library = std::fs::read_to_string(folder.join("src/lib.rs"))
        .with_context(|| format!("could not read {member}/src/lib.rs"))?;
    let included = library.contains("include_str!(\"../README.md\")");
    let text = if included {
        std::fs::read_to_string(folder.join("README.md"))
            .with_context(|| format!("could not read {member}/README.md"))?
    } else {
        let doc = library.lines().filter_map(|line| line.strip_prefix("//!"));
        doc.collect::<Vec<_>>().join("\n")
    };
    Ok(text
        .lines()
        .take(SENTENCE_LINES_MAX)
        .map(|line| line.trim().to_owned())
        .collect())
}

fn sentence_violations(member: &str, stage: char, doc: &[String], cluster: &str) -> Vec<String> {
    let expected = format!("tage {stage} of ④");
    let Some(sentence) = doc.iter().find(|line| line.contains(&expected)) else {
        return vec![format!(
            "{member}: its doc does not begin with \"Stage {stage} of ④\""
        )];
    };
    let topics = sentence
        .split("topic `")
        .skip(1)
        .filter_map(|rest| rest.split('`').next());
    topics
        .filter(|topic| !cluster.contains(&format!("name: {topic}")))
        .map(|topic| format!("{member}: topic `{topic}` is not in fluvio-cluster.yaml"))
        .collect()
}

/// The README must name the staged members in the same order.
fn readme_violations(members: &[(String, Option<char>)], readme: &str) -> Vec<String> {
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    let mut last = 0;
    let mut violations = Vec::new();
    for (member, _) in members.iter().filter(|(_, stage)| stage.is_some()) {
        let name = member.rsplit('/').next().unwrap_or(member);
        match rows.iter().position(|row| {
            row.contains(&format!("`{member}")) || row.contains(&format!("`{name}"))
        }) {
            Some(row) if row >= last => last = row,
            Some(_) => violations.push(format!("README.md: {member} is not in flow order")),
            None => violations.push(format!(
                "README.md: no row for {member} in the table of crates"
            )),
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_with_their_stages() {
        let manifest = "members = [\n  \"domain\",  # ⓪ words\n  \"cli\",  # the binary\n]\n";
        assert_eq!(
            members(manifest),
            [("domain".into(), Some('⓪')), ("cli".into(), None)]
        );
    }

    #[test]
    fn the_vocabulary_comes_before_the_first_stage() {
        let members = [
            ("domain".to_owned(), Some('⓪')),
            ("producer".to_owned(), Some('①')),
        ];
        assert!(order_violations(&members).is_empty());
    }

    #[test]
    fn members_out_of_order_are_a_violation() {
        let members = [
            ("sink".to_owned(), Some('③')),
            ("producer".to_owned(), Some('①')),
        ];
        assert_eq!(order_violations(&members).len(), 1);
    }

    #[test]
    fn a_topic_that_is_not_declared_is_a_violation() {
        let doc = ["Stage ② of ④. Reads topic `tripz`.".to_owned()];
        assert_eq!(
            sentence_violations("m", '②', &doc, "name: trips"),
            ["m: topic `tripz` is not in fluvio-cluster.yaml"]
        );
        assert_eq!(sentence_violations("m", '③', &doc, "").len(), 1);
    }

    #[test]
    fn a_crate_missing_from_the_readme_is_a_violation() {
        let members = [
            ("producer".to_owned(), Some('①')),
            ("sink".to_owned(), Some('③')),
        ];
        let readme = "| `sink/` | x |\n| `producer/` | y |\n";
        assert_eq!(
            readme_violations(&members, readme),
            ["README.md: sink is not in flow order"]
        );
        assert_eq!(readme_violations(&members, "").len(), 2);
    }
}
