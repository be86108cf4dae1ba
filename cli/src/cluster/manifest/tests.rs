use expect_test::{Expect, expect};

use super::*;

const TOPIC: &str = "\
apiVersion: fluvio.infinyon.com/v2
kind: Topic
metadata: {name: trips}
spec: {replicas: {computed: {partitions: 3, replicationFactor: 2}}}
";

fn check(text: &str, expected: &Expect) {
    let parsed = match Manifest::parse(text, Path::new("folder")) {
        Ok(manifest) => format!("{manifest:#?}\n"),
        Err(error) => format!("{error:#}"),
    };
    expected.assert_eq(&parsed);
}

#[test]
fn the_carried_file_declares_three_partitions_two_replicas_and_both_modules() {
    let manifest = Manifest::carried().unwrap();
    expect![[r#"
        Manifest {
            spu_groups: [
                SpuGroup {
                    name: "main",
                    replicas: 3,
                },
            ],
            topics: [
                Topic {
                    name: "trips",
                    partitions: 3,
                    replication_factor: 2,
                    retention: TopicRetention {
                        seconds: Some(
                            604800,
                        ),
                        segment_bytes: Some(
                            268435456,
                        ),
                        partition_bytes: None,
                    },
                },
            ],
            smart_modules: [
                SmartModule {
                    name: "trip-split",
                    source: Carried,
                },
                SmartModule {
                    name: "dock-window",
                    source: Carried,
                },
            ],
        }
    "#]]
    .assert_debug_eq(&manifest);
    assert_eq!(manifest.topics[0].name, crate::cluster::TOPIC);
}

#[test]
fn a_modules_path_is_relative_to_the_file() {
    let text = "\
apiVersion: fluvio.infinyon.com/v2
kind: SmartModule
metadata: {name: mine}
spec: {wasm: {source: mine.wasm}}
";
    let manifest = Manifest::parse(text, Path::new("folder")).unwrap();
    assert_eq!(
        manifest.smart_modules[0].source,
        WasmSource::File("folder/mine.wasm".into())
    );
}

#[test]
fn an_unknown_kind_is_an_error_that_names_the_document() {
    check(
        &TOPIC.replace("Topic", "Tpoic"),
        &expect![[
            r#"document 1 (Tpoic "trips"): kind: unknown kind "Tpoic", expected SpuGroup, Topic or SmartModule"#
        ]],
    );
}

#[test]
fn an_unknown_field_is_an_error_with_its_place() {
    check(
        &TOPIC.replace("partitions", "partition"),
        &expect![[
            r#"document 1 (Topic "trips"): spec.replicas.computed: unknown field `partition`, expected `partitions` or `replicationFactor` at line 4 column 30"#
        ]],
    );
    check(
        &format!("---\n{TOPIC}---\n{}", TOPIC.replace("spec", "spek")),
        &expect![[
            r#"document 2 (Topic "trips"): unknown field `spek`, expected one of `apiVersion`, `kind`, `metadata`, `spec` at line 10 column 1"#
        ]],
    );
}

#[test]
fn a_wrong_version_or_value_is_an_error_that_says_what_is_right() {
    check(
        &TOPIC.replace("/v2", "/v1"),
        &expect![[
            r#"document 1 (Topic "trips"): apiVersion: a Topic is of "fluvio.infinyon.com/v2", not "fluvio.infinyon.com/v1""#
        ]],
    );
    check(
        &TOPIC.replace("partitions: 3", "partitions: 0"),
        &expect![[
            r#"document 1 (Topic "trips"): spec.replicas.computed.partitions: must be 1 to 1024"#
        ]],
    );
    check(
        &TOPIC.replace("partitions: 3", "partitions: many"),
        &expect![[
            r#"document 1 (Topic "trips"): spec.replicas.computed.partitions: invalid type: string "many", expected u32 at line 4 column 42"#
        ]],
    );
    check(
        &TOPIC.replace("name: trips", "name: Trips"),
        &expect![[
            r#"document 1 (Topic "Trips"): metadata.name: only a-z, 0-9 and inner "-" are allowed"#
        ]],
    );
    check("just text", &expect!["document 1: kind is missing"]);
}

#[test]
fn an_object_declared_twice_is_an_error() {
    check(
        &format!("{TOPIC}---\n{TOPIC}"),
        &expect![[r#"document 2 (Topic "trips") is declared twice"#]],
    );
}

#[test]
fn more_replicas_than_spus_is_an_error() {
    let group = "\
apiVersion: fluvio.infinyon.com/v1
kind: SpuGroup
metadata: {name: main}
spec: {replicas: 1}
";
    check(
        &format!("{group}---\n{TOPIC}"),
        &expect![[
            r#"Topic "trips": replicationFactor 2 needs as many SPUs, the SpuGroups have 1"#
        ]],
    );
}

#[test]
fn what_is_written_is_read_as_the_same() {
    for text in [DEFAULT, TOPIC, ""] {
        let manifest = Manifest::parse(text, Path::new("")).unwrap();
        let written = manifest.to_yaml().unwrap();
        let read = Manifest::parse(&written, Path::new("")).unwrap();
        assert_eq!(read, manifest, "{written}");
    }
}
