//! What those who run it see: metrics and health of each role, and alerts that go off for their cause.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::get;

use crate::machine::Machine;
use crate::running::Running;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// A port that nobody has now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// All names that begin as ours do.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("bikeshare_"))
        .collect()
}

fn alerts() -> BTreeSet<String> {
    let rules = read("monitoring/alerts.yaml");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn every_alert_goes_off_for_its_cause_and_ends_with_it() {
    if Command::new("promtool").arg("--version").output().is_err() {
        return testkit::skip("promtool is missing: install Debian's package prometheus");
    }
    for (check, file) in [
        (["check", "config"], "prometheus.yaml"),
        (["test", "rules"], "alerts.test.yaml"),
    ] {
        let mut promtool = Command::new("promtool");
        promtool.current_dir(repository().join("monitoring"));
        let output = promtool.args(check).arg(file).output().unwrap();
        assert!(output.status.success(), "{file}: {output:#?}");
    }
    let tests = read("monitoring/alerts.test.yaml");
    for alert in alerts() {
        let times = tests.matches(&format!("alertname: {alert}\n")).count();
        assert_eq!(times, 2, "{alert} is tested with its cause and without");
    }
}

#[test]
fn every_alert_has_its_page_in_the_runbook_and_every_page_its_alert() {
    let files = fs::read_dir(repository().join("docs/runbook")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<_> = names
        .filter(|name| name != "README.md")
        .map(|name| name.trim_end_matches(".md").to_owned())
        .collect();
    assert_eq!(pages, alerts());
    let index = read("docs/runbook/README.md");
    for page in pages {
        assert!(index.contains(&format!("({page}.md)")), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_show_what_alerts_and_dashboard_ask_for() {
    let machine = Machine::new();
    let address = free_address();
    let running = Running::start_with(&machine, &["--metrics", &address]);
    running.wait_until_rows_are_stored();
    let audit_address = free_address();
    let mut audit = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    let mut audit = audit
        .args([
            "audit",
            "--every",
            "600",
            "--metrics",
            &audit_address,
            "--data-dir",
        ])
        .arg(machine.data_dir())
        .env_remove("DATABASE_URL")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();

    let ready = |address: String| async move {
        testkit::wait_until("it listens", async || {
            tokio::net::TcpStream::connect(&address).await.is_ok()
        })
        .await;
        testkit::wait_until("it is ready", async || {
            get(&*address, "/readyz").await.ends_with("ok\n")
        })
        .await;
    };
    ready(address.clone()).await;
    ready(audit_address.clone()).await;
    assert!(get(&*address, "/healthz").await.ends_with("ok\n"));
    // The bridge's are in its own tests.
    let asked = [read("monitoring/alerts.yaml"), dashboard_queries()].join("\n");
    let asked = metrics_in(&asked)
        .into_iter()
        .filter(|name| !name.starts_with("bikeshare_bridge_"));
    let asked: BTreeSet<_> = asked.collect();
    // Some come with what a role learns while it runs, such as the end of a log.
    testkit::wait_until("everything asked for is shown", async || {
        let shown = get(&*address, "/metrics").await + &get(&*audit_address, "/metrics").await;
        let shown = metrics_in(&shown);
        let missing: Vec<_> = asked.difference(&shown).collect();
        if !missing.is_empty() {
            eprintln!("{missing:?} are not shown yet");
        }
        missing.is_empty()
    })
    .await;
    audit.kill().unwrap();
    audit.wait().unwrap();
    assert_eq!(running.interrupt(), Some(0));
}

fn dashboard_queries() -> String {
    let dashboard: Value = serde_json::from_str(&read("monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    queries.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_of_a_load_finds_nothing_and_ends_with_an_error_once_something_is_wrong() {
    let machine = Machine::new();
    machine.once("simulate:seed=4,trips=3000,days=1");
    let mut tables = machine.tables().await;
    let audit = |url: &str| {
        let mut audit = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        let output = audit
            .args(["audit", "--database-url", url])
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), stdout, stderr)
    };
    let (status, stdout, stderr) = audit(tables.url());
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    assert!(!stdout.contains("BROKEN"), "{stdout}");

    tables
        .execute("delete from records where id = (select max(id) from records)")
        .await;
    let (status, stdout, stderr) = audit(tables.url());
    assert_eq!(status, Some(1));
    let broken: Vec<_> = stdout
        .lines()
        .filter(|line| line.starts_with("BROKEN"))
        .collect();
    assert_eq!(
        broken[0], "BROKEN  pairs         every trip has its departure and its arrival: 1 do not",
        "{stdout}"
    );
    assert!(stderr.contains("of 13 laws are broken"), "{stderr}");
    tables.close().await;
}
