//! The nodes' processes.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::{KafkaCluster, NODES};
use crate::PATIENCE;

/// Small, because three of them run beside everything else.
const JVM: [&str; 5] = [
    "-Xms128m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ActiveProcessorCount=1",
];

/// A node's process and the shell's input, which ends it.
#[derive(Debug)]
pub(super) struct Node {
    shell: Child,
    _input: ChildStdin,
}

impl KafkaCluster {
    /// kill -9.
    pub fn kill_node(&self, node: usize) {
        let mut killed = self.nodes.lock().unwrap()[node].take().unwrap();
        drop(killed._input);
        killed.shell.wait().unwrap();
    }

    /// Starts a node, or starts it again with what it had.
    pub fn start_node(&self, node: usize) {
        // The shell kills its JVM when its own input ends.
        let script = "\"$@\" </dev/null & jvm=$!; read -r _; kill -9 $jvm; wait $jvm 2>/dev/null";
        let log = std::fs::File::create(self.path(node).with_extension("log")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", "java"]).args(JVM);
        command.arg("-cp").arg(self.class_path());
        command.arg("kafka.Kafka").arg(self.path(node));
        let shell = command
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut shell = shell.spawn().unwrap();
        let input = shell.stdin.take().unwrap();
        let node_process = Node {
            shell,
            _input: input,
        };
        self.nodes.lock().unwrap()[node] = Some(node_process);
    }

    /// Waits until every node is known to every other.
    pub fn wait_until_complete(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // It fails as long as no node answers.
            let found = self.client().arg("nodes").output().unwrap().stdout;
            if found.trim_ascii() == NODES.to_string().as_bytes() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "Kafka does not start: {}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn logs(&self) -> String {
        let log = |node| std::fs::read_to_string(self.path(node).with_extension("log"));
        (0..NODES).filter_map(|node| log(node).ok()).collect()
    }

    /// A node's configuration; its log lies beside it.
    pub(super) fn path(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("{}.properties", node + 1))
    }
}
