//! `bikeshare bridge`: mirrors topics between Kafka and Fluvio.
//!
//! The Kafka client is C and takes a minute or two to compile, so it is a feature, `kafka`, of this
//! program: `cargo xtask up` leaves it out, every other build has it. The flags are there in both,
//! so that one configuration file serves both.

#[cfg(feature = "kafka")]
mod mirror;

use std::net::SocketAddr;
use std::path::PathBuf;

#[cfg(feature = "kafka")]
use bridge::Side;
use clap::Args;

use crate::addresses::{DataDirFlag, FluvioFlag};

#[cfg(feature = "kafka")]
pub(crate) use mirror::run;

#[cfg(not(feature = "kafka"))]
type Side = String;

/// Mirror topics between Kafka and Fluvio, each record exactly once. Runs until stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare bridge --from kafka --topic trips --kafka broker.example:9092
  bikeshare bridge --topic kafka:Trips_2=trips --topic fluvio:counts --kafka broker.example:9092
  bikeshare bridge --topic kafka:trips --group map,reports --kafka broker.example:9092
  bikeshare bridge --topic fluvio:trips+trip-split=bike-events    departures and arrivals for Kafka
  bikeshare bridge --from kafka --topic trips --kafka-config kafka.conf --metrics 127.0.0.1:9464

kafka.conf, which only the bridge's user can read:
  bootstrap.servers=broker.example:9093
  security.protocol=SASL_SSL
  ssl.ca.location=/etc/ssl/certs/kafka-ca.pem
  sasl.mechanism=SCRAM-SHA-512
  sasl.username=bridge
  sasl.password=…

The same in bikeshare.toml:
  [bridge]
  topic = [\"kafka:Trips_2=trips\", \"fluvio:counts\"]
  kafka-config = \"kafka.conf\"
  metrics = \"127.0.0.1:9464\"

The mirror is created with as many partitions and replicas as its source, or must have them. Each
record goes to the same partition, in the same order, with key, value, time and headers. A bridge
that was killed goes on where it was. In Fluvio the bridge must be the only writer of a mirror;
a Kafka record's headers stand in a topic beside it, NAME-headers.

With --group a consumer can move to the mirror and go on where it was: stop it, wait six seconds or
end the bridge, start it on the other side with the same name. A consumer is only moved ahead, and
in Kafka only while its group has no members.

With fluvio:SOURCE+MODULE=TARGET, Kafka gets what a SmartModule gives for the records instead. It runs
inside Fluvio, must be pushed before, and must need nothing but the record: what it gives keeps
partition and order, has the module's keys, and the time at which it was written to Kafka.")]
pub(crate) struct Arguments {
    /// Where topics come from whose name does not say it: kafka or fluvio.
    #[arg(long, value_name = "SIDE", env = "BIKESHARE_BRIDGE_FROM")]
    from: Option<Side>,
    /// A topic to mirror, SOURCE or SOURCE=TARGET, with kafka: or fluvio: before it, or
    /// fluvio:SOURCE+MODULE=TARGET; may be given several times, or with commas between.
    #[arg(
        long,
        value_name = "TOPIC",
        env = "BIKESHARE_BRIDGE_TOPIC",
        value_delimiter = ',',
        required = true
    )]
    topic: Vec<String>,
    /// Kafka's brokers.
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        env = "BIKESHARE_KAFKA",
        default_value = "127.0.0.1:9092"
    )]
    kafka: String,
    /// Settings of the Kafka client, a line each, NAME=VALUE by librdkafka's names, as for kcat:
    /// TLS, the login, passwords. They win over --kafka.
    #[arg(long, value_name = "FILE", env = "BIKESHARE_KAFKA_CONFIG")]
    kafka_config: Option<PathBuf>,
    /// One such setting, such as `compression.type=zstd`; may be given several times, and wins over
    /// the file. No place for passwords: other users see command lines.
    #[arg(long, value_name = "NAME=VALUE", hide_default_value = true)]
    kafka_property: Vec<String>,
    /// Serve metrics for Prometheus at /metrics there, and at /healthz whether all is connected.
    #[arg(long, value_name = "HOST:PORT", env = "BIKESHARE_BRIDGE_METRICS")]
    metrics: Option<SocketAddr>,
    /// This bridge's name in Kafka. A second bridge of the same name and topics towards Kafka stops
    /// the first.
    #[arg(
        long,
        value_name = "NAME",
        env = "BIKESHARE_BRIDGE_NAME",
        default_value = "bikeshare-bridge"
    )]
    name: String,
    /// A consumer to carry over, a group of Kafka or a consumer of Fluvio: where it is in a topic, it
    /// goes on in the mirror under the same name; may be given several times, or with commas between.
    #[arg(
        long,
        value_name = "NAME",
        env = "BIKESHARE_BRIDGE_GROUP",
        value_delimiter = ','
    )]
    group: Vec<String>,
    /// End when what is there now is mirrored.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// Says how to get a program that can.
#[cfg(not(feature = "kafka"))]
pub(crate) async fn run(_arguments: Arguments) -> anyhow::Result<()> {
    anyhow::bail!(
        "this program was built without the Kafka bridge, as `cargo xtask up` builds it to start \
         sooner: `cargo build --release --package cli` builds it in"
    )
}
