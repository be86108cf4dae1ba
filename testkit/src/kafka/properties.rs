//! What the nodes are told: their configuration, who may log in, and one certificate.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{CONTROLLER, KafkaCluster, LOGIN, NODES, PASSWORD, PLAIN, TLS, USER};

/// Of the nodes' key, which is made for one run.
const KEY_PASSWORD: &str = "for-one-run";

impl KafkaCluster {
    fn key_store(&self) -> PathBuf {
        self.folder.path().join("key.p12")
    }

    /// One key for all nodes, made by the JDK's own tool.
    pub(super) fn make_certificate(&self) {
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

    /// Writes the configurations and makes the data folders.
    pub(super) fn format(&self) {
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
}
