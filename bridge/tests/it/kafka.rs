//! Three Kafka nodes, each a JVM of its own, on free ports of the loopback.
//!
//! The tests of `bridge` and of `cli` and a benchmark share this file. One cluster serves all tests
//! of a binary. It ends with it, however that ends: each JVM has a shell beside it that waits for the
//! end of its input, which is the end of this process.

#![expect(clippy::print_stdout, reason = "a skipped test must be seen")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::OnceCell;

pub(crate) const NODES: usize = 3;

/// Each node listens in four ways, in this order of its ports.
const PLAIN: usize = 0;
const CONTROLLER: usize = 1;
/// Without TLS, with a login.
const LOGIN: usize = 2;
/// With TLS and a login.
const TLS: usize = 3;
const WAYS: usize = 4;

/// Who may log in, everywhere by `PLAIN` and by `SCRAM-SHA-256`.
pub(crate) const USER: &str = "bridge";
pub(crate) const PASSWORD: &str = "rides-at-night";

/// Of the nodes' key, which is made for one run.
const KEY_PASSWORD: &str = "for-one-run";

/// Three JVMs that share two cores with everything else take a while.
const START_MAX: Duration = Duration::from_secs(120);

/// What an ordinary client does.
const CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../bridge/tests/python/kafka_client.py"
);

/// Small, because three of them run beside everything else.
const JVM: [&str; 5] = [
    "-Xms128m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ActiveProcessorCount=1",
];

/// A node's process and the shell's input, which ends it.
struct Node {
    shell: Child,
    _input: ChildStdin,
}

pub(crate) struct KafkaCluster {
    jars: PathBuf,
    folder: TempDir,
    ports: Vec<u16>,
    nodes: Mutex<Vec<Option<Node>>>,
    /// Tests that kill nodes must not meet others.
    pub(crate) alone: tokio::sync::RwLock<()>,
}

static CLUSTER: OnceCell<Option<KafkaCluster>> = OnceCell::const_new();

/// The cluster; none, said so, where Kafka or Python are missing outside CI.
pub(crate) async fn cluster() -> Option<&'static KafkaCluster> {
    // Shown with a test that fails. Fluvio's client says much of each connection.
    let log = tracing_subscriber::fmt()
        .with_test_writer()
        .with_ansi(false);
    log.with_env_filter("info,fluvio=warn").try_init().ok();
    let start = || async { tokio::task::spawn_blocking(start).await.unwrap() };
    let cluster = CLUSTER.get_or_init(start).await.as_ref();
    if cluster.is_none() {
        println!("SKIPPED: BIKESHARE_KAFKA_JARS and BIKESHARE_PYTHON do not name Kafka and Python");
    }
    cluster
}

/// The interpreter that has `PyPI`'s kafka-python; `cargo xtask test` names it.
pub(crate) fn python() -> PathBuf {
    PathBuf::from(std::env::var_os("BIKESHARE_PYTHON").unwrap())
}

fn start() -> Option<KafkaCluster> {
    let jars = std::env::var_os("BIKESHARE_KAFKA_JARS").map(PathBuf::from);
    let has_python = std::env::var_os("BIKESHARE_PYTHON").is_some();
    let Some(jars) = jars.filter(|jars| jars.exists() && has_python) else {
        let in_ci = std::env::var_os("CI").is_some();
        assert!(
            !in_ci,
            "BIKESHARE_KAFKA_JARS or BIKESHARE_PYTHON is missing"
        );
        return None;
    };
    let cluster = KafkaCluster {
        jars,
        folder: tempfile::tempdir().unwrap(),
        ports: free_ports(),
        nodes: Mutex::new((0..NODES).map(|_| None).collect()),
        alone: tokio::sync::RwLock::new(()),
    };
    cluster.make_certificate();
    cluster.format();
    (0..NODES).for_each(|node| cluster.start_node(node));
    cluster.wait_until_complete();
    Some(cluster)
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
    pub(crate) fn brokers(&self) -> String {
        self.addresses(PLAIN)
    }

    /// The brokers where a login is asked for.
    pub(crate) fn login_brokers(&self) -> String {
        self.addresses(LOGIN)
    }

    /// The brokers that speak TLS and ask for a login.
    pub(crate) fn tls_brokers(&self) -> String {
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
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn key_store(&self) -> PathBuf {
        self.folder.path().join("key.p12")
    }

    /// One key for all nodes, made by the JDK's own tool.
    fn make_certificate(&self) {
        let keytool = |arguments: &[&str]| {
            let mut command = Command::new("keytool");
            command
                .args(arguments)
                .args(["-alias", "node", "-keystore"]);
            command.arg(self.key_store());
            command.args(["-storepass", KEY_PASSWORD, "-storetype", "PKCS12"]);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let name = ["-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1"];
        let key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1"];
        keytool(&[&key[..], &name[..], &["-validity", "2"]].concat());
        let file = self.certificate();
        keytool(&["-exportcert", "-rfc", "-file", file.to_str().unwrap()]);
    }

    /// kill -9.
    pub(crate) fn kill_node(&self, node: usize) {
        let mut killed = self.nodes.lock().unwrap()[node].take().unwrap();
        drop(killed._input);
        killed.shell.wait().unwrap();
    }

    pub(crate) fn start_node(&self, node: usize) {
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
    pub(crate) fn wait_until_complete(&self) {
        let deadline = Instant::now() + START_MAX;
        loop {
            let mut command = Command::new(python());
            command.arg(CLIENT).arg(self.brokers()).arg("nodes");
            // It fails as long as no node answers.
            let found = command.output().unwrap().stdout;
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

    /// Writes the configurations and makes the data folders.
    fn format(&self) {
        let formatting: Vec<_> = (0..NODES)
            .map(|node| {
                std::fs::write(self.path(node), self.properties(node)).unwrap();
                let mut command = Command::new("java");
                command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp"]);
                command
                    .arg(self.class_path())
                    .arg("kafka.tools.StorageTool");
                command.args(["format", "-t", "5L6g3nShT-eMCtK--X86sw"]);
                command
                    .arg("--add-scram")
                    .arg(format!("SCRAM-SHA-256=[name={USER},password={PASSWORD}]"));
                command.arg("-c").arg(self.path(node)).stdout(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        for mut format in formatting {
            assert!(format.wait().unwrap().success());
        }
    }

    fn properties(&self, node: usize) -> String {
        let id = node + 1;
        let voters: Vec<_> = (0..NODES)
            .map(|node| format!("{}@127.0.0.1:{}", node + 1, self.port(node, CONTROLLER)))
            .collect();
        let listeners = |ways: &[(&str, usize)]| {
            let listener = |&(name, way): &(&str, usize)| {
                format!("{name}://127.0.0.1:{}", self.port(node, way))
            };
            let listeners: Vec<_> = ways.iter().map(listener).collect();
            listeners.join(",")
        };
        let clients = [("PLAINTEXT", PLAIN), ("LOGIN", LOGIN), ("TLS", TLS)];
        let plain_login = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let scram_login = "org.apache.kafka.common.security.scram.ScramLoginModule";
        let login = |listener: &str| {
            format!(
                "listener.name.{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n\
                 listener.name.{listener}.plain.sasl.jaas.config={plain_login} required \
                 user_{USER}=\"{PASSWORD}\";\n\
                 listener.name.{listener}.scram-sha-256.sasl.jaas.config={scram_login} required;\n"
            )
        };
        format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             controller.quorum.voters={voters}\n\
             listeners={advertised},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={advertised}\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAINTEXT\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,\
             LOGIN:SASL_PLAINTEXT,TLS:SASL_SSL\n\
             {login}{tls_login}\
             ssl.keystore.location={key_store}\n\
             ssl.keystore.password={KEY_PASSWORD}\n\
             ssl.keystore.type=PKCS12\n\
             log.dirs={data}\n\
             num.partitions=3\n\
             default.replication.factor=2\n\
             min.insync.replicas=2\n\
             offsets.topic.replication.factor=2\n\
             offsets.topic.num.partitions=3\n\
             transaction.state.log.replication.factor=2\n\
             transaction.state.log.min.isr=2\n\
             transaction.state.log.num.partitions=3\n\
             share.coordinator.state.topic.replication.factor=2\n\
             share.coordinator.state.topic.min.isr=2\n\
             group.initial.rebalance.delay.ms=0\n\
             auto.create.topics.enable=false\n\
             log.cleaner.dedupe.buffer.size=16777216\n\
             num.network.threads=2\n\
             num.io.threads=2\n",
            voters = voters.join(","),
            advertised = listeners(&clients),
            controller = self.port(node, CONTROLLER),
            login = login("login"),
            tls_login = login("tls"),
            key_store = self.key_store().display(),
            data = self.folder.path().join(format!("data-{id}")).display(),
        )
    }

    fn path(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("{}.properties", node + 1))
    }

    pub(crate) fn class_path(&self) -> String {
        format!("{}/*", self.jars.display())
    }

    /// Runs the independent client of `tests/python`; gives what it printed.
    pub(crate) async fn python(&self, arguments: &[&str]) -> String {
        let mut command = tokio::process::Command::new(python());
        command.arg(CLIENT).arg(self.brokers()).args(arguments);
        let output = command.kill_on_drop(true).output().await.unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl std::fmt::Debug for KafkaCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.brokers())
    }
}
