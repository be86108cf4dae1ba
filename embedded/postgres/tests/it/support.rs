//! A data folder for each test, its server's processes, and rows that are counted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use embedded_postgres::{Postgres, PostgresConfig, PostgresError};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use tempfile::TempDir;
use testkit::postgres::connect;

/// A temporary folder that the server's account may pass through, and a data folder in it.
pub(crate) struct DataFolder {
    pub(crate) temp: TempDir,
    pub(crate) data: PathBuf,
}

impl DataFolder {
    pub(crate) fn new() -> DataFolder {
        let temp = testkit::postgres::folder();
        let data = temp.path().join("data").join("postgres");
        Self { temp, data }
    }

    pub(crate) fn config(&self) -> PostgresConfig {
        PostgresConfig {
            data_dir: self.data.clone(),
            listen: None,
        }
    }

    pub(crate) async fn start(&self) -> Postgres {
        testkit::postgres::start(&self.data).await
    }

    /// The error of a start that must fail.
    pub(crate) async fn refusal(&self) -> PostgresError {
        Postgres::start(self.config()).await.unwrap_err()
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.data.join("cluster")
    }

    pub(crate) fn postmaster(&self) -> i32 {
        let text = std::fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    /// Living processes that work in the cluster folder: the postmaster and its children.
    pub(crate) fn servers(&self) -> Vec<i32> {
        let cluster = self.cluster().canonicalize().unwrap();
        processes()
            .into_keys()
            .filter(|pid| {
                std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == cluster)
            })
            .collect()
    }
}

/// After a failure: no server outlives its test.
impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.cluster().exists() {
            self.servers().into_iter().for_each(kill_9);
        }
    }
}

/// What `/proc/<pid>/stat` says of a process.
pub(crate) struct Process {
    pub(crate) parent: i32,
    pub(crate) group: i32,
}

pub(crate) fn processes() -> BTreeMap<i32, Process> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may hold anything: state, parent, group.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
            let mut number = || fields.next()?.parse().ok();
            Some((
                pid,
                Process {
                    parent: number()?,
                    group: number()?,
                },
            ))
        })
        .collect()
}

pub(crate) fn kill_9(pid: i32) {
    signal(pid, Signal::KILL);
}

pub(crate) fn halt(pid: i32) {
    signal(pid, Signal::STOP);
}

/// Signals a process, which may just have ended by itself.
fn signal(pid: i32, signal: Signal) {
    let sent = kill_process(Pid::from_raw(pid).unwrap(), signal);
    assert!(
        matches!(sent, Ok(()) | Err(rustix::io::Errno::SRCH)),
        "{sent:?}"
    );
}

/// Commits one more row and gives the number of rows now there.
pub(crate) async fn add_row(url: &str) -> i64 {
    let mut connection = connect(url).await;
    for statement in [
        "create table if not exists kept (n int)",
        "insert into kept select count(*) from kept",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let rows = sqlx::query_scalar("select count(*) from kept")
        .fetch_one(&mut connection)
        .await;
    connection.close().await.unwrap();
    rows.unwrap()
}

/// The guards of a postmaster among a process's children.
pub(crate) fn guards_of(parent: u32, postmaster: i32) -> Vec<i32> {
    let is_guard = |pid: i32| {
        let args = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        args.ends_with(&format!("\0bikeshare-postgres-guard\0{postmaster}\0"))
    };
    let children = processes()
        .into_iter()
        .filter(|(_, p)| p.parent.cast_unsigned() == parent);
    children
        .map(|(pid, _)| pid)
        .filter(|pid| is_guard(*pid))
        .collect()
}
