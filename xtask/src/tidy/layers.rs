//! Crates lie in layers: `domain` and `basemap`, the readers of files, the adapters. Each depends on lower ones only,
//! because then each can be read, tested and replaced alone; and each technology has one home, because
//! then its quirks have one too.

use std::path::Path;

use anyhow::Result;

use super::metadata::{self, list, text};

/// Crates that read files of others and know no neighbour that takes what is in them; adapters use them.
const SOURCES: [&str; 2] = ["trip-files", "osm"];
/// Crates with a neighbour outside; only `cli`, `xtask` and tests wire them together.
const ADAPTERS: [&str; 8] = [
    "producer",
    "trip-split",
    "dock-window",
    "sink",
    "app",
    "bridge",
    "embedded-broker",
    "embedded-postgres",
];
/// Start of a dependency's name, and the only crate that may have it.
const HOMES: [(&str, &str); 6] = [
    ("chrono-tz", "domain"),
    ("aws-", "trip-files"),
    ("parquet", "trip-files"),
    ("osmpbf", "osm"),
    ("rdkafka", "bridge"),
    ("leptos", "app"),
];

/// What tests share; nothing that runs for a user may need it.
const TESTKIT: &str = "testkit";

/// An edge of the dependency graph: package, dependency, whether it is for tests only.
type Edge = (String, String, bool);

/// Checks all edges between packages.
pub(super) fn check(_root: &Path) -> Result<Vec<String>> {
    let metadata = metadata::read(&["--no-deps", "--offline"])?;
    Ok(violations(&edges(&metadata)?))
}

fn edges(metadata: &str) -> Result<Vec<Edge>> {
    let metadata = metadata::parse(metadata)?;
    let mut edges = Vec::new();
    for package in list(&metadata["packages"]) {
        for dependency in list(&package["dependencies"]) {
            let names = (text(&package["name"]), text(&dependency["name"]));
            let for_tests = dependency["kind"] == "dev";
            edges.push((names.0.to_owned(), names.1.to_owned(), for_tests));
        }
    }
    Ok(edges)
}

fn violations(edges: &[Edge]) -> Vec<String> {
    let mut violations = Vec::new();
    for (package, dependency, _) in edges.iter().filter(|(_, _, for_tests)| !for_tests) {
        if let (Some(own), Some(other)) = (layer(package), layer(dependency))
            && own <= other
        {
            violations.push(format!(
                "{package} depends on {dependency}: it may know lower layers only"
            ));
        }
        if dependency == TESTKIT {
            violations.push(format!(
                "{package} depends on testkit: only tests and benchmarks do"
            ));
        }
        for (start, home) in HOMES {
            if dependency.starts_with(start) && package != home && package != TESTKIT {
                violations.push(format!(
                    "{package} depends on {dependency}: only {home} does"
                ));
            }
        }
    }
    violations
}

/// How high a crate lies; none of those that wire others together or serve all of them.
fn layer(package: &str) -> Option<u32> {
    match package {
        "domain" | "basemap" => Some(0),
        _ if SOURCES.contains(&package) => Some(1),
        _ if ADAPTERS.contains(&package) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(package: &str, dependency: &str, for_tests: bool) -> Edge {
        (package.to_owned(), dependency.to_owned(), for_tests)
    }

    #[test]
    fn an_adapter_that_depends_on_another_is_a_violation_but_not_in_its_tests() {
        assert_eq!(
            violations(&[
                edge("sink", "embedded-broker", false),
                edge("sink", "app", true)
            ]),
            ["sink depends on embedded-broker: it may know lower layers only"]
        );
        assert_eq!(
            violations(&[
                edge("producer", "trip-files", false),
                edge("trip-files", "producer", false)
            ]),
            ["trip-files depends on producer: it may know lower layers only"]
        );
        assert!(
            violations(&[edge("cli", "sink", false), edge("sink", "domain", false)]).is_empty()
        );
    }

    #[test]
    fn what_is_for_tests_is_a_violation_elsewhere() {
        assert_eq!(
            violations(&[edge("cli", "testkit", false), edge("app", "testkit", true)]),
            ["cli depends on testkit: only tests and benchmarks do"]
        );
    }

    #[test]
    fn a_technology_away_from_home_is_a_violation() {
        assert_eq!(
            violations(&[
                edge("sink", "aws-sdk-s3", false),
                edge("trip-files", "aws-sdk-s3", false)
            ]),
            ["sink depends on aws-sdk-s3: only trip-files does"]
        );
    }

    #[test]
    fn edges_are_read_from_cargo_metadata() {
        let metadata = r#"{"packages":[{"name":"a","dependencies":[{"name":"b","kind":null},{"name":"c","kind":"dev"}]}]}"#;
        assert_eq!(
            edges(metadata).unwrap(),
            [edge("a", "b", false), edge("a", "c", true)]
        );
    }
}
