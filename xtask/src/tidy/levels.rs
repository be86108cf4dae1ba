//! Nothing that `app` uses is left unoptimized, because up to level 1 a crate takes generic functions
//! from those below it as they were compiled there: with `h2` at level 0, which no page runs, a search
//! took 2 ms longer.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use super::metadata::{self, list, text};
use crate::shell;

/// Checks the levels of a release build.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let host = shell::read(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let metadata = metadata::parse(&metadata::read(&["--filter-platform", &host])?)?;
    Ok(violations(&manifest, &linked_with("app", &metadata)))
}

fn violations(manifest: &str, used: &BTreeSet<&str>) -> Vec<String> {
    let unoptimized = unoptimized(manifest).filter(|package| used.contains(package));
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
fn linked_with<'a>(package: &str, metadata: &'a Value) -> BTreeSet<&'a str> {
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let named = packages
        .iter()
        .filter(|(_, entry)| entry["name"] == package);
    let mut ids: Vec<&str> = named.map(|(id, _)| *id).collect();
    let mut linked = BTreeSet::new();
    while let Some(id) = ids.pop() {
        if is_macro(packages[id]) || !linked.insert(id) {
            continue;
        }
        let dependencies = list(&nodes[id]["deps"]).iter();
        let linked_here = dependencies.filter(|dependency| is_linked(dependency));
        ids.extend(linked_here.map(|dependency| text(&dependency["pkg"])));
    }
    let names = linked.into_iter().map(|id| text(&packages[id]["name"]));
    names.collect()
}

fn by_id(entries: &Value) -> HashMap<&str, &Value> {
    let entries = list(entries).iter();
    entries.map(|entry| (text(&entry["id"]), entry)).collect()
}

fn is_macro(package: &Value) -> bool {
    let mut targets = list(&package["targets"]).iter();
    targets.any(|target| target["kind"][0] == "proc-macro")
}

fn is_linked(dependency: &Value) -> bool {
    let mut kinds = list(&dependency["dep_kinds"]).iter();
    kinds.any(|kind| kind["kind"].is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unoptimized_crate_below_app_is_a_violation() {
        let manifest = "
[profile.release.package]
hyper = { opt-level = 3 }
h2 = { opt-level = 0 }
walrus = { opt-level = 0 }

[profile.bench.package]
syn = { opt-level = 0 }
";
        let used = ["app", "h2", "hyper", "syn"].into();
        assert_eq!(
            violations(manifest, &used),
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
        assert_eq!(linked_with("app", &metadata), ["app", "h2", "hyper"].into());
    }
}
