//! `cluster` and `smartmodule` against a broker: what is declared is made, what differs is refused.

use std::path::PathBuf;
use std::process::{Command, Output};

use embedded_broker::Broker;
use expect_test::{Expect, expect};

use crate::modules;

const TOPIC: &str = "\
apiVersion: fluvio.infinyon.com/v2
kind: Topic
metadata: {name: trips}
spec: {replicas: {computed: {partitions: 6, replicationFactor: 2}}}
";

/// A broker on a free port, with a folder for files.
struct Cluster {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            broker: testkit::broker::start(&folder.path().join("fluvio")).await,
            folder,
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs `bikeshare` on another thread: the broker needs this one.
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command
            .args(arguments)
            .args(["--fluvio", &self.broker.address().to_string()]);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    async fn check(&self, arguments: &[&str], expected: &Expect) {
        let output = self.run(arguments).await;
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        expected.assert_eq(&format!("{stdout}{stderr}exit status {code}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_makes_what_diff_said_and_then_both_find_nothing_to_do() {
    let cluster = Cluster::start().await;
    cluster
        .check(
            &["cluster", "diff"],
            &expect![[r#"
        spu group "main": 1 SPU online, 3 declared: fit for one machine
        topic "trips": create
        smartmodule "trip-split": create
        smartmodule "dock-window": create
        error: the cluster differs from its declaration: `bikeshare cluster apply` makes it so
        exit status 1"#]],
        )
        .await;
    cluster
        .check(
            &["cluster", "apply"],
            &expect![[r#"
            spu group "main": 1 SPU online, 3 declared: fit for one machine
            topic "trips": create
            smartmodule "trip-split": create
            smartmodule "dock-window": create
            exit status 0"#]],
        )
        .await;
    cluster
        .check(
            &["cluster", "diff"],
            &expect![[r#"
        spu group "main": 1 SPU online, 3 declared: fit for one machine
        topic "trips": as declared
        smartmodule "trip-split": as declared
        smartmodule "dock-window": as declared
        exit status 0"#]],
        )
        .await;
    cluster.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_be_done_and_changes_nothing() {
    let cluster = Cluster::start().await;
    for _ in 0..2 {
        cluster
            .check(
                &["cluster", "apply", "--dry-run"],
                &expect![[r#"
                    spu group "main": 1 SPU online, 3 declared: fit for one machine
                    topic "trips": create
                    smartmodule "trip-split": create
                    smartmodule "dock-window": create
                    exit status 0"#]],
            )
            .await;
    }
    cluster.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_declares_what_the_cluster_has() {
    let cluster = Cluster::start().await;
    cluster.run(&["cluster", "apply"]).await;
    let six = cluster.file("six.yaml", TOPIC.replace("trips", "six"));
    cluster.run(&["cluster", "apply", "-f", &six]).await;
    let other = cluster.file("trip-split.wasm", with_note("trip-split"));
    let pushed = cluster.run(&["smartmodule", "push", &other]).await;
    assert!(pushed.status.success(), "{pushed:?}");

    let folder = cluster.folder.path().join("imported");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("cluster.yaml");
    let path = file.to_str().unwrap();
    let imported = cluster.run(&["cluster", "import", path]).await;
    let said = String::from_utf8(imported.stdout).unwrap();
    assert_eq!(said, format!("{path}: 2 topics, 2 smartmodules\n"));
    expect![[r#"
        apiVersion: fluvio.infinyon.com/v1
        kind: SpuGroup
        metadata:
          name: main
        spec:
          replicas: 2
        ---
        apiVersion: fluvio.infinyon.com/v2
        kind: Topic
        metadata:
          name: six
        spec:
          replicas:
            computed:
              partitions: 6
              replicationFactor: 2
        ---
        apiVersion: fluvio.infinyon.com/v2
        kind: Topic
        metadata:
          name: trips
        spec:
          replicas:
            computed:
              partitions: 3
              replicationFactor: 2
          cleanupPolicy:
            segment:
              timeInSeconds: 604800
          storage:
            segmentSize: 268435456
        ---
        apiVersion: fluvio.infinyon.com/v2
        kind: SmartModule
        metadata:
          name: dock-window
        spec:
          wasm:
            source: carried
        ---
        apiVersion: fluvio.infinyon.com/v2
        kind: SmartModule
        metadata:
          name: trip-split
        spec:
          wasm:
            source: trip-split.wasm
    "#]]
    .assert_eq(&std::fs::read_to_string(&file).unwrap());
    let wasm = std::fs::read(folder.join("trip-split.wasm")).unwrap();
    assert_eq!(wasm, with_note("trip-split"));
    cluster
        .check(
            &["cluster", "diff", "-f", path],
            &expect![[r#"
            spu group "main": 1 SPU online, 2 declared: fit for one machine
            topic "six": as declared
            topic "trips": as declared
            smartmodule "dock-window": as declared
            smartmodule "trip-split": as declared
            exit status 0"#]],
        )
        .await;

    let again = cluster.run(&["cluster", "import", path]).await;
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(
        said.contains("is there already: name another file"),
        "{said}"
    );
    cluster.broker.shutdown().await.unwrap();
}

/// A module that says what the carried one says.
fn with_note(name: &str) -> Vec<u8> {
    let mut wasm = testkit::smartmodule(name);
    // A custom section: id 0, its size, the size of its name, the name, one byte.
    wasm.extend([0, 6, 4, b'n', b'o', b't', b'e', 1]);
    wasm
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_other_partitions_is_refused_and_nothing_is_changed() {
    let cluster = Cluster::start().await;
    cluster.run(&["cluster", "apply"]).await;
    let file = cluster.file("six.yaml", TOPIC);
    cluster
        .check(&["cluster", "apply", "-f", &file], &expect![[r#"
            error: topic "trips": differs: it has partitions 3, declared is 6; a topic cannot be changed so: declare what it has, or delete it and its records
            exit status 1"#]])
        .await;
    cluster.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_module_replaces_the_carried_one_until_the_next_apply() {
    let cluster = Cluster::start().await;
    cluster.run(&["cluster", "apply"]).await;
    let other = cluster.file("trip_split.wasm", with_note("trip-split"));
    let pushed = cluster.run(&["smartmodule", "push", &other]).await;
    assert!(pushed.status.success(), "{pushed:?}");
    cluster
        .check(
            &["cluster", "diff"],
            &expect![[r#"
        spu group "main": 1 SPU online, 3 declared: fit for one machine
        topic "trips": as declared
        smartmodule "trip-split": update, its wasm differs
        smartmodule "dock-window": as declared
        error: the cluster differs from its declaration: `bikeshare cluster apply` makes it so
        exit status 1"#]],
        )
        .await;
    cluster.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_cannot_run_is_not_uploaded() {
    let cluster = Cluster::start().await;
    cluster.run(&["cluster", "apply"]).await;
    for (file, content, expected) in [
        (
            "trip-split.wasm",
            b"\0asm\x01\0\0\0".to_vec(),
            expect![[r#"
                error: smartmodule "trip-split" does not run: Failed to instantiate: At least one import is required
                exit status 1"#]],
        ),
        (
            "trip-split.wasm",
            modules::small("(loop $again (br $again)) unreachable"),
            expect![[r#"
                error: smartmodule "trip-split" does not run: with empty values, text, JSON and bytes, which it may refuse, it ran longer than 3 s and was stopped
                exit status 1"#]],
        ),
        (
            "dock-window.wasm",
            modules::small("unreachable"),
            expect![[r#"
                error: smartmodule "dock-window" does not run: with empty values, text, JSON and bytes, which it may refuse, it stopped: wasm trap: wasm `unreachable` instruction executed
                exit status 1"#]],
        ),
    ] {
        let file = cluster.file(file, content);
        cluster
            .check(&["smartmodule", "push", &file], &expected)
            .await;
    }
    cluster
        .check(
            &["cluster", "diff"],
            &expect![[r#"
                spu group "main": 1 SPU online, 3 declared: fit for one machine
                topic "trips": as declared
                smartmodule "trip-split": as declared
                smartmodule "dock-window": as declared
                exit status 0"#]],
        )
        .await;
    cluster.broker.shutdown().await.unwrap();
}
