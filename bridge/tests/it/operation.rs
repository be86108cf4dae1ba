//! What those see who run the bridge: metrics, health, and a side that is away at the start.

use std::net::{SocketAddr, TcpListener};

use bridge::{BridgeConfig, BridgeError, Summary};
use expect_test::expect;
use testkit::broker::{FluvioNode, start_at};
use testkit::kafka::cluster;
use testkit::{free_address, within_patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{BridgeOf as _, assert_same_in_fluvio, config};

/// A bridge without end, and where it tells of itself.
struct Running {
    metrics: SocketAddr,
    stop: CancellationToken,
    bridge: JoinHandle<Result<Summary, BridgeError>>,
}

impl Running {
    fn start(fluvio: &FluvioNode, config: BridgeConfig) -> Self {
        let metrics = free_address();
        let stop = CancellationToken::new();
        let config = BridgeConfig {
            once: false,
            metrics: Some(metrics),
            measure_every: std::time::Duration::from_millis(100),
            ..config
        };
        let bridge = bridge::run(fluvio.config(), config, stop.clone());
        Self {
            metrics,
            stop,
            bridge: tokio::spawn(bridge),
        }
    }

    /// Status and body; none while nobody listens.
    async fn get(&self, path: &str) -> Option<(String, String)> {
        let mut socket = TcpStream::connect(self.metrics).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.lines().next()?.to_owned();
        Some((status, body.to_owned()))
    }

    /// Waits until the body is as wanted; gives it.
    async fn wait_for(&self, path: &str, wanted: impl Fn(&str) -> bool) -> String {
        let waiting = async {
            loop {
                match self.get(path).await {
                    Some((_, body)) if wanted(&body) => return body,
                    _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                }
            }
        };
        within_patience(&format!("{path} is as wanted"), waiting).await
    }

    async fn stop(self) -> Summary {
        self.stop.cancel();
        let ended = within_patience("the bridge ends", self.bridge).await;
        ended.unwrap().unwrap()
    }
}

/// The value of a metric, summed over partitions.
fn sum(metrics: &str, name: &str, route: &str) -> i64 {
    let lines = metrics.lines().filter(|line| {
        line.starts_with(&format!("bikeshare_bridge_{name}{{")) && line.contains(route)
    });
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_is_copied_and_what_is_left_until_nothing_is() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", "told"]).await;
    kafka.python(&["write", "told", "3000", "1", "1"]).await;
    let routes = ["kafka:told", "fluvio:told=told-back"];
    let running = Running::start(&fluvio, kafka.config("told", &routes));
    for route in ["kafka:told=told", "fluvio:told=told-back"] {
        let metrics = running
            .wait_for("/metrics", |metrics| {
                sum(metrics, "records_copied_total", route) == 3000
                    && sum(metrics, "source_end_offset", route) == 3000
                    && sum(metrics, "lag_records", route) == 0
            })
            .await;
        assert_eq!(sum(&metrics, "source_next_offset", route), 3000);
        assert_eq!(sum(&metrics, "connected", route), 3);
        assert_eq!(sum(&metrics, "records_deleted_total", route), 0);
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    }
    running
        .wait_for("/healthz", |health| health == "ok\n")
        .await;
    assert_eq!(running.stop().await.copied, 6000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_is_away_at_the_start_is_waited_for() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", "late"]).await;
    kafka.python(&["write", "late", "100", "1", "1"]).await;
    // The way to the brokers, which is not there yet.
    let way = free_address();
    let running = Running::start(&fluvio, config(way.to_string(), "late", &["kafka:late"]));
    let health = running
        .wait_for("/healthz", |health| health.contains("could not"))
        .await;
    let health = health.replace(&way.to_string(), "ADDRESS");
    expect![[r#"
        kafka:late=late: could not ask Kafka for topic "late": ADDRESS/bootstrap: Connect to ipv4#ADDRESS failed: Connection refused
    "#]]
    .assert_eq(&health);

    let broker = kafka.brokers().split(',').next().unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind(way).await.unwrap();
    let opened = tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut kafka = TcpStream::connect(&broker).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut kafka).await });
        }
    });
    running
        .wait_for("/metrics", |metrics| {
            sum(metrics, "records_copied_total", "kafka:late=late") == 100
        })
        .await;
    assert_eq!(running.stop().await.copied, 100);
    opened.abort();
    assert_same_in_fluvio(&fluvio.dump("late").await, &kafka.dump("late").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fluvio_that_is_away_at_the_start_is_waited_for() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    kafka.python(&["create", "early"]).await;
    kafka.python(&["write", "early", "100", "1", "1"]).await;
    let address = free_address();
    let fluvio = FluvioNode::at(address);
    let running = Running::start(&fluvio, kafka.config("early", &["kafka:early"]));
    let health = running
        .wait_for("/healthz", |health| health.contains("could not"))
        .await;
    let health = health.replace(&fluvio.address, "ADDRESS");
    expect![[r#"
        kafka:early=early: could not list Fluvio's SPUs: no Fluvio at ADDRESS: Socket io Connection refused (os error 111), can't connect to ADDRESS: Connection refused (os error 111)
    "#]].assert_eq(&health);

    let folder = tempfile::tempdir().unwrap();
    let _broker = start_at(address, folder.path()).await;
    running
        .wait_for("/healthz", |health| health == "ok\n")
        .await;
    running
        .wait_for("/metrics", |metrics| {
            sum(metrics, "records_copied_total", "kafka:early=early") == 100
        })
        .await;
    assert_eq!(running.stop().await.copied, 100);
    assert_same_in_fluvio(&fluvio.dump("early").await, &kafka.dump("early").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_refused_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = BridgeConfig {
        metrics: Some(address),
        ..config("127.0.0.1:9".to_owned(), "taken", &["kafka:taken"])
    };
    let fluvio = FluvioNode::at(free_address());
    let refused = bridge::run(fluvio.config(), config, CancellationToken::new());
    let error = Box::pin(refused).await.unwrap_err();
    let text = error.chain().replace(&address.to_string(), "ADDRESS");
    expect!["metrics cannot be served at ADDRESS: stop the program that listens there, or choose another address with --metrics: Address already in use (os error 98)"].assert_eq(&text);
}
