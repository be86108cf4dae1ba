//! Three Kafka nodes, each a JVM of its own, on free ports of the loopback.
//!
//! One cluster serves all tests of a program. It ends with it, however that ends: each JVM has a
//! shell beside it that waits for the end of its input, which is the end of this process.

mod node;
mod properties;
mod records;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::sync::OnceCell;

use self::node::Node;
use crate::{log, python, skip};

pub const NODES: usize = 3;

/// Each node listens in four ways, in this order of its ports.
const PLAIN: usize = 0;
const CONTROLLER: usize = 1;
/// Without TLS, with a login.
const LOGIN: usize = 2;
/// With TLS and a login.
const TLS: usize = 3;
const WAYS: usize = 4;

/// Who may log in, everywhere by `PLAIN` and by `SCRAM-SHA-256`.
pub const USER: &str = "bridge";
pub const PASSWORD: &str = "rides-at-night";

/// What an ordinary client does.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/kafka_client.py");

#[derive(Debug)]
pub struct KafkaCluster {
    jars: PathBuf,
    python: PathBuf,
    folder: TempDir,
    ports: Vec<u16>,
    nodes: Mutex<Vec<Option<Node>>>,
    /// Tests that kill nodes must not meet others.
    pub alone: tokio::sync::RwLock<()>,
}

static CLUSTER: OnceCell<Option<KafkaCluster>> = OnceCell::const_new();

/// The cluster; none, and a [`skip`], where Kafka or Python are missing.
pub async fn cluster() -> Option<&'static KafkaCluster> {
    // Fluvio's client says much of each connection.
    log("info,fluvio=warn");
    let jars = std::env::var_os("BIKESHARE_KAFKA_JARS").map(PathBuf::from);
    let Some(jars) = jars.filter(|jars| jars.exists()) else {
        skip("BIKESHARE_KAFKA_JARS does not name Kafka");
        return None;
    };
    let python = python("kafka-python")?;
    let start = || tokio::task::spawn_blocking(|| KafkaCluster::start(jars, python));
    let start = async || Some(start().await.unwrap());
    CLUSTER.get_or_init(start).await.as_ref()
}

/// A port for each way of each node.
fn free_ports() -> Vec<u16> {
    let listeners: Vec<_> = (0..WAYS * NODES)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    listeners.iter().map(port).collect()
}

impl KafkaCluster {
    fn start(jars: PathBuf, python: PathBuf) -> Self {
        let cluster = Self {
            jars,
            python,
            folder: tempfile::tempdir().unwrap(),
            ports: free_ports(),
            nodes: Mutex::new((0..NODES).map(|_| None).collect()),
            alone: tokio::sync::RwLock::new(()),
        };
        cluster.make_certificate();
        cluster.format();
        (0..NODES).for_each(|node| cluster.start_node(node));
        cluster.wait_until_complete();
        cluster
    }

    /// `HOST:PORT` of each broker, with commas.
    pub fn brokers(&self) -> String {
        self.addresses(PLAIN)
    }

    /// The brokers where a login is asked for.
    pub fn login_brokers(&self) -> String {
        self.addresses(LOGIN)
    }

    /// The brokers that speak TLS and ask for a login.
    pub fn tls_brokers(&self) -> String {
        self.addresses(TLS)
    }

    fn addresses(&self, way: usize) -> String {
        let address = |node| format!("127.0.0.1:{}", self.port(node, way));
        let addresses: Vec<_> = (0..NODES).map(address).collect();
        addresses.join(",")
    }

    fn port(&self, node: usize, way: usize) -> u16 {
        self.ports[WAYS * node + way]
    }

    /// The nodes' certificate, which signs itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Where a JVM finds Kafka's programs.
    pub fn class_path(&self) -> String {
        format!("{}/*", self.jars.display())
    }

    /// Runs the independent client `python/kafka_client.py`; gives what it printed.
    pub async fn python(&self, arguments: &[&str]) -> String {
        let mut command = tokio::process::Command::from(self.client());
        let output = command.args(arguments).kill_on_drop(true).output();
        let output = output.await.unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(CLIENT).arg(self.brokers());
        command
    }
}
