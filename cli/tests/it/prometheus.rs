//! A real Prometheus, with our configuration and our rules, that scrapes a running system.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::postgres::Database;
use testkit::{Process, free_address, get, wait_until};
use url::form_urlencoded;

use crate::machine::Machine;
use crate::running::Running;

/// Prometheus looks five times a second, and an alert goes off as soon as its expression is true.
struct Prometheus {
    address: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(targets: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let monitoring = Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring");
        let read = |name: &str| fs::read_to_string(monitoring.join(name)).unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        let config = read("prometheus.yaml");
        let target = config.lines().find(|line| line.contains("- 127.0.0.1:"));
        let indent = target.unwrap().split('-').next().unwrap();
        let targets = targets.iter().map(|target| format!("{indent}- {target}"));
        let targets = targets.collect::<Vec<_>>().join("\n");
        let config = config.replace(target.unwrap(), &targets);
        write("prometheus.yaml", config.replace("15s", "200ms"));
        let rules = read("alerts.yaml");
        let lines = rules.lines();
        let at_once = lines.filter(|line| !line.trim().starts_with("for: "));
        write("alerts.yaml", at_once.collect::<Vec<_>>().join("\n"));
        let address = free_address().to_string();
        let mut prometheus = Command::new("prometheus");
        prometheus
            .current_dir(folder.path())
            .arg("--config.file=prometheus.yaml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self {
            _process: Process::start(&mut prometheus),
            address,
            _folder: folder,
        }
    }

    /// The results of a query; none as long as it does not listen.
    async fn query(&self, query: &str) -> Vec<Value> {
        if tokio::net::TcpStream::connect(&self.address).await.is_err() {
            return Vec::new();
        }
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let path = format!("/api/v1/query?query={query}");
        let response = get(&*self.address, &path).await;
        let json = response.find('{').map(|start| response.split_at(start).1);
        let json: Value = serde_json::from_str(json.unwrap_or("null")).unwrap_or_default();
        let results = json["data"]["result"].as_array();
        results.cloned().unwrap_or_default()
    }

    async fn alerts(&self) -> BTreeSet<String> {
        let firing = self.query("ALERTS{alertstate=\"firing\"}").await;
        let names = firing.iter().map(|alert| &alert["metric"]["alertname"]);
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    async fn wait_for(&self, alert: &str, firing: bool) {
        wait_until(&format!("{alert} is {firing}"), async || {
            self.alerts().await.contains(alert) == firing
        })
        .await;
    }
}

fn audit(database: &Database, metrics: &str) -> Process {
    let mut audit = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    audit
        .args(["audit", "--every", "1", "--database-url", &database.url()])
        .args(["--metrics", metrics])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process::start(&mut audit)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_goes_off_when_its_cause_is_made_and_ends_with_it() {
    if Command::new("prometheus")
        .arg("--version")
        .output()
        .is_err()
    {
        return testkit::skip("prometheus is missing: install Debian's package prometheus");
    }
    let machine = Machine::new();
    let database = Database::empty().await;
    let [roles, auditor] = [free_address().to_string(), free_address().to_string()];
    let running = Running::start_with(
        &machine,
        &["--metrics", &roles, "--database-url", &database.url()],
    );
    let auditing = audit(&database, &auditor);
    let prometheus = Prometheus::start(&[&roles, &auditor]);
    wait_until("both are scraped", async || {
        prometheus.query("up == 1").await.len() == 2
    })
    .await;
    let written = "bikeshare_sink_records_written_total > 0";
    wait_until("rows are counted", async || {
        !prometheus.query(written).await.is_empty()
    })
    .await;
    prometheus.wait_for("BikeshareLawBroken", false).await;

    database
        .execute("insert into frequency (time, partition, amount) values (to_timestamp(0), 0, 7)")
        .await;
    prometheus.wait_for("BikeshareLawBroken", true).await;
    database
        .execute("delete from frequency where time = to_timestamp(0)")
        .await;
    prometheus.wait_for("BikeshareLawBroken", false).await;

    drop(auditing);
    prometheus.wait_for("BikeshareRoleDown", true).await;
    let _auditing = audit(&database, &auditor);
    prometheus.wait_for("BikeshareRoleDown", false).await;

    let admin = Database::empty().await;
    let allow = |allowed: bool| {
        let name = &database.name;
        format!(
            "alter database {name} with allow_connections {allowed};
             select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        )
    };
    admin.execute(&allow(false)).await;
    for firing in [true, false] {
        for alert in ["BikeshareStreamRetrying", "BikesharePageWithoutDatabase"] {
            prometheus.wait_for(alert, firing).await;
        }
        admin.execute(&allow(true)).await;
    }
    assert_eq!(running.interrupt(), Some(0));
}
