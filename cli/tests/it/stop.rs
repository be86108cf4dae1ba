//! What `up` does when Postgres dies or hangs, and how long it takes to stop.

use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use testkit::{PATIENCE, block_until};

use crate::machine::Machine;
use crate::running::Running;

const SOURCE: &str = "simulate:seed=8,trips=60000";
const KILLS: usize = 3;
/// The ten seconds that the parts have, and what a busy machine adds.
const STOP_MAX: Duration = Duration::from_secs(14);

fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill").args([name, pid]).status();
    assert!(sent.unwrap().success(), "kill {name} {pid}");
}

/// The id of the postmaster once it is ready and another than `before`.
fn postmaster(machine: &Machine, before: &str, child: &mut Child) -> Option<String> {
    let file = machine.data_dir().join("postgres/cluster/postmaster.pid");
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let pid = text.lines().next().unwrap_or_default();
        if text.contains("ready") && pid != before {
            return Some(pid.to_owned());
        }
        assert!(begun.elapsed() < PATIENCE, "postgres does not come back");
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

#[tokio::test]
async fn a_postgres_killed_during_a_load_comes_back_and_nothing_is_lost() {
    let expected = Machine::undisturbed(SOURCE).await;

    let machine = Machine::new();
    let mut up = machine.up(SOURCE).arg("--once").spawn().unwrap();
    let (mut before, mut kills) = (String::new(), 0);
    // The tables are there as soon as something was announced.
    let announced = machine.data_dir().join("running.toml");
    block_until("it has started", || announced.exists());
    while let Some(pid) = postmaster(&machine, &before, &mut up).filter(|_| kills < KILLS) {
        std::thread::sleep(Duration::from_millis(300));
        signal("-KILL", &pid);
        (before, kills) = (pid, kills + 1);
    }
    let Output { status, stderr, .. } = up.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&stderr);
    println!("{kills} kills hit a running load");
    assert!(status.success(), "{status}\n{log}");
    assert!(log.contains("postgres is back"), "{log}");

    let mut tables = machine.tables().await;
    assert_eq!(tables.digest().await, expected);
    assert_eq!(tables.windows_that_differ().await, 0);
    assert_eq!(tables.docks_that_differ().await, 0);
    tables.close().await;
}

/// Halts every server process: Postgres is there and answers nothing.
fn halt_postgres(machine: &Machine) {
    let cluster = machine
        .data_dir()
        .join("postgres/cluster")
        .canonicalize()
        .unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == cluster) {
            signal("-STOP", entry.file_name().to_str().unwrap());
        }
    }
}

#[tokio::test]
async fn a_postgres_that_hangs_does_not_hold_up_the_stop() {
    let machine = Machine::new();
    let running = Running::start(&machine);
    running.wait_until_rows_are_stored();
    halt_postgres(&machine);
    let begun = Instant::now();
    let (status, log) = running.terminate();
    println!("stopped after {:?}", begun.elapsed());
    assert!(begun.elapsed() < STOP_MAX, "{:?}\n{log}", begun.elapsed());
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("did not stop within"), "{log}");
    assert!(!Path::new(&machine.data_dir()).join("running.toml").exists());

    // Nothing is left of it, and nothing was lost.
    machine.once(Running::SOURCE);
    let mut tables = machine.tables().await;
    assert_eq!(tables.number("select count(*) from records").await, 40_000);
    assert_eq!(tables.windows_that_differ().await, 0);
    tables.close().await;
}
