//! `smartmodule watch`: a saved source is built, tested, tried and pushed; what fails leaves the one that runs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use embedded_broker::Broker;
use testkit::{Process, smartmodule, wait_until};

use crate::modules;

/// A module whose source is its wasm, a broker, and a developer who watches.
struct Desk {
    folder: tempfile::TempDir,
    broker: Broker,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        Self {
            broker: testkit::broker::start(&folder.path().join("fluvio")).await,
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn save(&self, wasm: &[u8]) {
        // As editors do: in its place is always the old one or the new.
        std::fs::write(self.path("src/.new"), wasm).unwrap();
        std::fs::rename(self.path("src/.new"), self.path("src/module")).unwrap();
    }

    fn watch(&self, build: &str, test: &str) -> Watch {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command
            .args(["smartmodule", "watch", "trip-split", "--source", "src"])
            .args(["--build", build, "--test", test, "--wasm", "built.wasm"])
            .args(["--fluvio", &self.broker.address().to_string()])
            .current_dir(self.folder.path())
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let lines = BufReader::new(process.stdout.take().unwrap());
        Watch { process, lines }
    }

    /// The version that the cluster has.
    fn version(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command.args(["smartmodule", "list", "--fluvio"]);
        let output = command.arg(self.broker.address().to_string()).output();
        let list = String::from_utf8(output.unwrap().stdout).unwrap();
        let line = list.lines().find(|line| line.starts_with("trip-split "));
        line.map_or("none", |line| line.split_whitespace().nth(3).unwrap())
            .to_owned()
    }
}

struct Watch {
    process: Process,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    /// The lines up to the one with this text, without times.
    fn read_to(&mut self, text: &str) -> String {
        let mut read = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.lines.read_line(&mut line).unwrap(),
                0,
                "{text}: {read}"
            );
            read.push_str(&line);
            if line.contains(text) {
                return read;
            }
        }
    }

    /// Ctrl-C; gives the exit status.
    fn interrupt(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.process.wait().unwrap().code()
    }
}

fn variant(note: u8) -> Vec<u8> {
    let mut wasm = smartmodule("trip-split");
    wasm.extend([0, 6, 4, b'n', b'o', b't', b'e', note]);
    wasm
}

fn version(wasm: &[u8]) -> String {
    let version = partition_client::module_version(wasm);
    partition_client::short_version(&version).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_source_is_pushed_and_one_that_fails_anywhere_leaves_the_one_before() {
    let desk = Desk::new().await;
    desk.save(&variant(1));
    let test = "if [ -e src/fails ]; then echo it does not hold; exit 7; fi";
    let mut watch = desk.watch("cp src/module built.wasm", test);
    let first = watch.read_to("trip-split push");
    for line in [
        "watches src; Ctrl-C ends it",
        "trip-split build ",
        "trip-split test ",
        "sample records, version ",
    ] {
        assert!(first.contains(line), "{first}");
    }
    assert_eq!(desk.version(), version(&variant(1)));

    desk.save(&variant(2));
    watch.read_to("trip-split push");
    assert_eq!(desk.version(), version(&variant(2)));

    desk.save(&modules::small("(i32.const 0)"));
    let refused = watch.read_to("FAILED");
    assert!(refused.contains("trip-split trial"), "{refused}");
    assert!(
        refused.contains("the cluster keeps the version it has"),
        "{refused}"
    );
    std::fs::write(desk.path("src/fails"), "").unwrap();
    let failed = watch.read_to("FAILED");
    assert!(failed.contains("exit status: 7"), "{failed}");
    std::fs::remove_file(desk.path("src/module")).unwrap();
    let unbuilt = watch.read_to("FAILED");
    assert!(unbuilt.contains("trip-split build"), "{unbuilt}");
    assert_eq!(desk.version(), version(&variant(2)));

    std::fs::remove_file(desk.path("src/fails")).unwrap();
    watch.read_to("FAILED");
    desk.save(&variant(3));
    watch.read_to("trip-split push");
    assert_eq!(desk.version(), version(&variant(3)));
    assert_eq!(watch.interrupt(), Some(0));
    desk.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_build_under_way_with_all_it_has_started() {
    let desk = Desk::new().await;
    let watch = desk.watch("sleep 1000 & echo $! >built.wasm; wait", "");
    let started = || std::fs::read_to_string(desk.path("built.wasm")).unwrap_or_default();
    wait_until("the build has started", async || started().ends_with('\n')).await;
    let child = Path::new("/proc").join(started().trim());
    assert!(child.exists());
    assert_eq!(watch.interrupt(), Some(0));
    // What has ended and was not waited for by its new parent is there a little longer.
    wait_until("its child has ended", async || {
        let state = std::fs::read_to_string(child.join("stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    })
    .await;
    desk.broker.shutdown().await.unwrap();
}
