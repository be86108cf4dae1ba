//! Nothing that `app` uses is left unoptimized, because up to level 1 a crate takes generic functions
//! from those below it as they were compiled there: with `h2` at level 0, which no page runs, a search
//! took 2 ms longer.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// Checks the levels of a release build.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let host = shell::read(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let arguments = ["metadata", "--format-version", "1"];
    let mut metadata = shell::cargo(&arguments);
    let metadata = shell::read(metadata.args(["--filter-platform", &host]))?;
    let metadata = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    Ok(breaches(&manifest, &linked_with("app", &metadata)))
}

fn breaches(manifest: &str, used: &BTreeSet<String>) -> Vec<String> {
    let unoptimized = unoptimized(manifest).filter(|package| used.contains(*package));
    unoptimized
        .map(|package| format!("Cargo.toml leaves {package} at level 0: app uses it"))
        .collect()
}

/// Packages at level 0 in a release build.
fn unoptimized(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest
        .lines()
        .skip_while(|line| *line != "[profile.release.package]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    section.filter_map(|line| line.strip_suffix(" = { opt-level = 0 }"))
}

/// The package and all that is linked with it: no macros, nothing for tests or build scripts.
fn linked_with(package: &str, metadata: &Value) -> BTreeSet<String> {
    let by_id = |list: &Value| -> HashMap<String, Value> {
        let list = list.as_array().cloned().unwrap_or_default().into_iter();
        list.map(|entry| (text(&entry["id"]), entry)).collect()
    };
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let mut ids: Vec<&String> = packages
        .iter()
        .filter(|(_, entry)| entry["name"] == package)
        .map(|(id, _)| id)
        .collect();
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Some(id) = ids.pop() {
        if !seen.insert(id) || is_macro(&packages[id]) {
            continue;
        }
        names.insert(text(&packages[id]["name"]));
        for dependency in nodes[id]["deps"].as_array().into_iter().flatten() {
            let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
            let linked = packages.get_key_value(dependency["pkg"].as_str().unwrap_or_default());
            if kinds.any(|kind| kind["kind"].is_null()) {
                ids.extend(linked.map(|(id, _)| id));
            }
        }
    }
    names
}

fn is_macro(package: &Value) -> bool {
    let mut targets = package["targets"].as_array().into_iter().flatten();
    targets.any(|target| target["kind"][0] == "proc-macro")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unoptimized_crate_below_app_is_a_breach() {
        let manifest = "
[profile.release.package]
hyper = { opt-level = 3 }
h2 = { opt-level = 0 }
walrus = { opt-level = 0 }

[profile.bench.package]
syn = { opt-level = 0 }
";
        let used = ["app", "h2", "hyper", "syn"].map(str::to_owned).into();
        assert_eq!(
            breaches(manifest, &used),
            ["Cargo.toml leaves h2 at level 0: app uses it"]
        );
    }

    #[test]
    fn macros_and_what_only_builds_and_tests_use_are_not_linked() {
        let package = |name: &str, kind: &str| json!({"id": name, "name": name, "targets": [{"kind": [kind]}]});
        let dependency =
            |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [
                package("app", "lib"), package("hyper", "lib"), package("h2", "lib"),
                package("derive", "proc-macro"), package("syn", "lib"), package("cc", "lib"),
            ],
            "resolve": {"nodes": [
                {"id": "app", "deps": [dependency("hyper", json!(null)), dependency("derive", json!(null)), dependency("cc", json!("build"))]},
                {"id": "hyper", "deps": [dependency("h2", json!(null))]},
                {"id": "h2", "deps": []},
                {"id": "derive", "deps": [dependency("syn", json!(null))]},
            ]},
        });
        let expected = ["app", "h2", "hyper"].map(str::to_owned);
        assert_eq!(linked_with("app", &metadata), expected.into());
    }
}
