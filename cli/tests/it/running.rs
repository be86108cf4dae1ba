//! `up` while it runs: it says where it is, stops in good order.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use sqlx::Connection as _;
use testkit::{PATIENCE, block_until};

use crate::machine::Machine;

/// A day of the city in 80 seconds: longer than what is done meanwhile takes on a busy machine.
const SOURCE: &str = "simulate:seed=4,trips=20000,days=1";
const SPEED: &str = "1080";

/// A running `up` and the lines of its log.
pub(crate) struct Running<'a> {
    machine: &'a Machine,
    process: Child,
    log: Receiver<String>,
}

impl<'a> Running<'a> {
    pub(crate) const SOURCE: &'static str = SOURCE;

    pub(crate) fn start(machine: &'a Machine) -> Self {
        Self::start_with(machine, &[])
    }

    pub(crate) fn start_with(machine: &'a Machine, arguments: &[&str]) -> Self {
        let mut up = machine.up(SOURCE);
        let mut process = up.args(["--speed", SPEED]).args(arguments).spawn().unwrap();
        let (sender, log) = channel();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let running = Self {
            machine,
            process,
            log,
        };
        running.wait_for("smartmodule trip-split is loaded");
        running.wait_for("smartmodule dock-window is loaded");
        running
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the log has said since it was last read.
    pub(crate) fn log_so_far(&mut self) -> String {
        self.log.try_iter().collect::<Vec<_>>().join("\n")
    }

    /// Waits until both modules have given something that is stored.
    pub(crate) fn wait_until_rows_are_stored(&self) {
        block_until("rows are stored", || {
            let status = String::from_utf8(call(self.machine, &["status"]).stdout).unwrap();
            !status.contains("records 0 ") && !status.contains("departures 0 ")
        });
    }

    /// Reads the log up to the line with this text.
    pub(crate) fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            if line
                .unwrap_or_else(|_| panic!("the log never says \"{text}\""))
                .contains(text)
            {
                return;
            }
        }
    }

    /// Ctrl-C, as a terminal sends it; gives the exit status.
    pub(crate) fn interrupt(self) -> Option<i32> {
        self.end("-INT").0
    }

    /// SIGTERM, as a service manager sends it; gives the exit status and what the log says then.
    pub(crate) fn terminate(self) -> (Option<i32>, String) {
        self.end("-TERM")
    }

    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self::signal(&self.process, signal);
        let status = self.process.wait().unwrap().code();
        (status, self.log.iter().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // kill -9. After Ctrl-C it has ended, and there is nothing to kill.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Another command on the machine's data folder.
pub(crate) fn call(machine: &Machine, arguments: &[&str]) -> Output {
    command(machine, arguments).output().unwrap()
}

fn command(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command
        .args(arguments)
        .arg("--data-dir")
        .arg(machine.data_dir())
        .env_remove("DATABASE_URL");
    command
}

/// Sends it a signal.
fn signal(process: &Child, signal: &str) {
    let pid = process.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_running_up_is_found_by_its_data_folder_and_leaves_nothing_behind_when_stopped() {
    let machine = Machine::new();
    let running = Running::start(&machine);
    for arguments in [
        &["status"] as &[&str],
        &["rejected"],
        &["smartmodule", "list"],
        &["doctor"],
    ] {
        let output = call(&machine, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let status = String::from_utf8(call(&machine, &["status"]).stdout).unwrap();
    assert!(status.contains("trips/2    dock-window"), "{status}");
    let second = machine.up(SOURCE).output().unwrap();
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("already, its page is http"),
        "{complaint}"
    );
    assert_eq!(running.interrupt(), Some(0));

    let data_dir = machine.data_dir();
    let left: Vec<_> = std::fs::read_dir(&data_dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.contains(&"running.toml".to_owned()), "{left:?}");
    assert!(
        !data_dir.join("postgres/cluster/postmaster.pid").exists(),
        "postgres still runs"
    );
}

#[test]
fn a_watched_status_is_shown_anew_until_it_is_interrupted() {
    let machine = Machine::new();
    let running = Running::start(&machine);
    let mut watch = command(&machine, &["status", "--watch"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let shown = BufReader::new(watch.stdout.take().unwrap());
    let mut looks = shown.lines().map(Result::unwrap);
    let mut look = || -> Vec<String> {
        looks
            .by_ref()
            .take_while(|line| !line.starts_with("seen "))
            .collect()
    };
    for _ in 0..2 {
        let lines = look();
        assert!(lines[0].starts_with("partition  module"), "{lines:?}");
        assert!(lines.last().unwrap().starts_with("records "), "{lines:?}");
    }
    assert_eq!(running.interrupt(), Some(0));
    block_until("it says that nothing runs any more", || {
        look().concat().contains("no `bikeshare up` runs")
    });
    signal(&watch, "-INT");
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_stream_that_stopped_and_an_old_clock_give_status_an_exit_status_of_its_own() {
    let machine = Machine::new();
    let running = Running::start(&machine);
    running.wait_until_rows_are_stored();
    let told = std::fs::read_to_string(machine.data_dir().join("running.toml")).unwrap();
    let told: toml::Table = told.parse().unwrap();
    let url = told["sink_database_url"].as_str().unwrap();
    let mut database = sqlx::PgConnection::connect(url).await.unwrap();
    let failed = sqlx::query(
        "update stream_cursor set failure = 'column \"x\" does not exist'
          where module = 'trip-split' and partition = 1",
    );
    failed.execute(&mut database).await.unwrap();

    let deadline = Instant::now() + PATIENCE;
    loop {
        // No clock is as young as that, but for the moment after a publish.
        let output = call(&machine, &["status", "--stale-after", "0"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{text}");
        let failed = "STOPPED  stream trips/1 trip-split: column \"x\" does not exist\n";
        assert!(text.contains(failed), "{text}");
        if text.contains("STOPPED  clock: nothing was published for ") {
            break;
        }
        assert!(Instant::now() < deadline, "{text}");
    }
    assert_eq!(running.interrupt(), Some(0));
}

#[test]
fn an_up_that_was_killed_is_not_taken_for_one_that_runs() {
    let machine = Machine::new();
    let running = Running::start(&machine);
    let reachable = String::from_utf8(call(&machine, &["doctor"]).stdout).unwrap();
    assert!(reachable.contains("database: reachable"), "{reachable}");
    drop(running);

    let (status, doctor) = (
        call(&machine, &["status"]),
        call(&machine, &["doctor", "--listen", "127.0.0.1:0"]),
    );
    let complaint = String::from_utf8(status.stderr).unwrap();
    assert!(complaint.contains("no `bikeshare up` runs"), "{complaint}");
    let found = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.status.success(), "{found}");
    assert!(
        found.contains("ok       postgres server programs"),
        "{found}"
    );
    // It left where it was reached; the next one writes that anew.
    assert!(machine.data_dir().join("running.toml").exists());
    machine.once(SOURCE);
    assert!(!machine.data_dir().join("running.toml").exists());
}
