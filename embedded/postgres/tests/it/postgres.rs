//! The private Postgres: it keeps what was committed and leaves no process behind, however
//! it or we end. These tests need the machine's server binaries.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded_postgres::{LeftOver, Postgres, PostgresConfig, PostgresError, left_over};
use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// Names the data folder to [`hold_a_server_until_killed`].
const HOLD: &str = "BIKESHARE_TEST_HOLD_POSTGRES_IN";
const PATIENCE: Duration = Duration::from_secs(60);

/// A temporary folder that the server's account may pass through, and a data folder in it.
struct Place {
    temp: TempDir,
    data: PathBuf,
}

impl Place {
    fn new() -> Place {
        let temp = tempfile::Builder::new()
            .prefix("bikeshare-pg")
            .tempdir()
            .unwrap();
        std::fs::set_permissions(temp.path(), Permissions::from_mode(0o711)).unwrap();
        let data = temp.path().join("data").join("postgres");
        Place { temp, data }
    }

    fn config(&self) -> PostgresConfig {
        PostgresConfig {
            data_dir: self.data.clone(),
            listen: None,
        }
    }

    async fn start(&self) -> Postgres {
        Postgres::start(self.config()).await.unwrap()
    }

    /// The error of a start that must fail.
    async fn refusal(&self) -> PostgresError {
        Postgres::start(self.config()).await.unwrap_err()
    }

    fn cluster(&self) -> PathBuf {
        self.data.join("cluster")
    }

    fn postmaster(&self) -> i32 {
        let text = std::fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    /// Living processes that work in the cluster folder: the postmaster and its children.
    fn servers(&self) -> Vec<i32> {
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
impl Drop for Place {
    fn drop(&mut self) {
        if self.cluster().exists() {
            self.servers().into_iter().for_each(kill_9);
        }
    }
}

/// A process that ends with its test, also if that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What `/proc/<pid>/stat` says of a process.
struct Process {
    parent: i32,
    group: i32,
}

fn processes() -> BTreeMap<i32, Process> {
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

fn kill_9(pid: i32) {
    let sent = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    assert!(
        matches!(sent, Ok(()) | Err(rustix::io::Errno::SRCH)),
        "{sent:?}"
    );
}

fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "not reached: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Commits one more row and gives the number of rows now there.
async fn add_row(url: &str) -> i64 {
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

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_stopped_server_leaves_no_process() {
    let place = Place::new();
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    let postmaster = place.postmaster();
    assert!(place.servers().contains(&postmaster));
    assert_eq!(guards_of(std::process::id(), postmaster).len(), 1);
    postgres.shutdown().await.unwrap();
    assert_eq!(place.servers(), Vec::<i32>::new());
    assert_eq!(guards_of(std::process::id(), postmaster), Vec::<i32>::new());
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_loses_nothing() {
    let place = Place::new();
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    drop(postgres);
    // Backends of an immediate stop end a moment after their postmaster.
    wait_until("no server is left", || place.servers().is_empty());
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_restart_keeps_rows_and_password() {
    let place = Place::new();
    let postgres = place.start().await;
    let password = std::fs::read_to_string(place.data.join("password")).unwrap();
    assert!(postgres.url().contains(&password));
    assert_eq!(add_row(postgres.url()).await, 1);
    postgres.shutdown().await.unwrap();

    let postgres = place.start().await;
    assert!(postgres.url().contains(&password));
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn rows_committed_before_kill_9_of_the_postmaster_are_there_after_it() {
    let place = Place::new();
    let postgres = place.start().await;
    // A session that is open over the kill keeps a backend busy with the shared memory.
    let mut open = connect(postgres.url()).await;
    sqlx::query("begin").execute(&mut open).await.unwrap();
    assert_eq!(add_row(postgres.url()).await, 1);
    kill_9(place.postmaster());
    drop(postgres);

    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
    assert_eq!(place.servers(), Vec::<i32>::new());
}

/// Not a test of its own: the process that other tests kill. It gives its url, then waits.
#[tokio::test]
#[ignore = "started by other tests as a process of its own"]
async fn hold_a_server_until_killed() {
    let Some(data_dir) = std::env::var_os(HOLD) else {
        return;
    };
    let config = PostgresConfig {
        data_dir: data_dir.into(),
        listen: None,
    };
    let postgres = Postgres::start(config).await.unwrap();
    writeln!(std::io::stdout(), "\nurl {}", postgres.url()).unwrap();
    std::future::pending::<()>().await;
}

/// Runs [`hold_a_server_until_killed`] in a process of its own; gives its url too.
fn holder(place: &Place) -> (Killed, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "postgres::hold_a_server_until_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(HOLD, &place.data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let child = Killed(child);
    let url = BufReader::new(stdout)
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("url ").map(str::to_owned))
        .expect("the holder starts a server");
    (child, url)
}

/// The guards of a postmaster among a process's children.
fn guards_of(parent: u32, postmaster: i32) -> Vec<i32> {
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

#[tokio::test]
async fn kill_9_of_our_process_ends_the_server_too() {
    let place = Place::new();
    let (holder, url) = holder(&place);
    assert_eq!(add_row(&url).await, 1);
    drop(holder);
    wait_until("no server is left", || place.servers().is_empty());

    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_orphaned_with_its_guard_killed_is_replaced_by_the_next_start() {
    let place = Place::new();
    let (holder, url) = holder(&place);
    assert_eq!(add_row(&url).await, 1);
    let guards = guards_of(holder.0.id(), place.postmaster());
    assert_eq!(guards.len(), 1);
    kill_9(guards[0]);
    drop(holder);
    let orphan = place.postmaster();
    assert_eq!(add_row(&url).await, 2, "the orphan still serves");

    let postgres = place.start().await;
    assert_ne!(place.postmaster(), orphan);
    assert!(!place.servers().contains(&orphan));
    assert_eq!(add_row(postgres.url()).await, 3);
    postgres.shutdown().await.unwrap();
    assert_eq!(place.servers(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_pid_file_that_names_a_process_of_somebody_else_is_no_obstacle() {
    let place = Place::new();
    let postgres = place.start().await;
    let owner = place.data.metadata().unwrap();
    let pid_file = place.cluster().join("postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    let real = place.postmaster();
    postgres.shutdown().await.unwrap();

    // A process of the same account, because Postgres takes only those for a rival.
    let mut stranger = Command::new("sleep");
    stranger.arg("600").current_dir("/");
    std::os::unix::process::CommandExt::uid(&mut stranger, owner.uid());
    let mut stranger = Killed(stranger.spawn().unwrap());
    std::fs::write(
        &pid_file,
        text.replacen(&real.to_string(), &stranger.0.id().to_string(), 1),
    )
    .unwrap();
    std::os::unix::fs::chown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();

    let postgres = place.start().await;
    assert!(
        stranger.0.try_wait().unwrap().is_none(),
        "the stranger was not touched"
    );
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_in_use_is_refused_and_its_holder_named() {
    let place = Place::new();
    let postgres = place.start().await;
    let text = place.refusal().await.to_string();
    assert!(
        text.contains(&format!("(process {})", std::process::id())),
        "{text}"
    );
    assert_eq!(
        add_row(postgres.url()).await,
        1,
        "the first is not disturbed"
    );
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_of_another_major_version_is_refused_with_both_named() {
    let place = Place::new();
    place.start().await.shutdown().await.unwrap();
    std::fs::write(place.cluster().join("PG_VERSION"), "99\n").unwrap();
    let bin = embedded_postgres::find_binaries().unwrap();
    let ours = embedded_postgres::version(&bin).unwrap();
    let text = place.refusal().await.to_string();
    assert!(text.contains("was made by postgres 99"), "{text}");
    assert!(text.contains(&format!("is postgres {ours}")), "{text}");
    assert!(text.contains("apt-get install postgresql-99"), "{text}");
}

#[tokio::test]
async fn a_folder_with_other_things_in_it_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::create_dir_all(&place.data).unwrap();
    std::fs::write(place.data.join("letter.txt"), "dear").unwrap();
    let before = place.data.metadata().unwrap();
    assert!(matches!(
        place.refusal().await,
        PostgresError::NotOurs { .. }
    ));
    let after = place.data.metadata().unwrap();
    assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
    assert_eq!(std::fs::read_dir(&place.data).unwrap().count(), 1);
}

#[tokio::test]
async fn a_lost_password_is_reported_and_not_replaced() {
    let place = Place::new();
    place.start().await.shutdown().await.unwrap();
    std::fs::remove_file(place.data.join("password")).unwrap();
    assert!(matches!(
        place.refusal().await,
        PostgresError::NoPassword { .. }
    ));
    assert!(!place.data.join("password").exists());
}

#[tokio::test]
async fn a_failed_start_shows_the_end_of_the_server_log() {
    let place = Place::new();
    place.start().await.shutdown().await.unwrap();
    let settings = place.cluster().join("postgresql.conf");
    std::fs::write(&settings, "bicycle_count = 3\n").unwrap();
    let text = place.refusal().await.to_string();
    assert!(text.contains("server.log"), "{text}");
    assert!(text.contains("bicycle_count"), "{text}");
    assert!(
        !text.contains("ready to accept connections"),
        "only this start's lines: {text}"
    );
}

#[tokio::test]
async fn an_interrupted_initdb_is_cleared_away() {
    let place = Place::new();
    place.start().await.shutdown().await.unwrap();
    std::fs::rename(place.cluster(), place.data.join("cluster.partial-1")).unwrap();
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    assert!(!place.data.join("cluster.partial-1").exists());
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_refused_if_asked_for_and_the_folder_stays_usable() {
    let place = Place::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = || PostgresConfig {
        listen: Some(port),
        ..place.config()
    };
    let error = Postgres::start(config()).await.unwrap_err();
    assert!(
        matches!(error, PostgresError::PortTaken { port: p } if p == port),
        "{error}"
    );
    assert_eq!(place.servers(), Vec::<i32>::new());

    drop(taken);
    let postgres = Postgres::start(config()).await.unwrap();
    assert!(
        postgres
            .url()
            .contains(&format!("@127.0.0.1:{port}/bikeshare"))
    );
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_server_is_durable_private_and_unprivileged() {
    let place = Place::new();
    let postgres = place.start().await;
    let mut connection = connect(postgres.url()).await;
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("password_encryption", "scram-sha-256"),
        ("server_encoding", "UTF8"),
        ("shared_buffers", "128MB"),
        ("max_wal_size", "2GB"),
        ("wal_level", "minimal"),
        ("jit", "off"),
        ("data_checksums", "on"),
        ("unix_socket_permissions", "0700"),
    ] {
        assert_eq!(setting(&mut connection, name).await, value, "{name}");
    }
    let trusting: i64 =
        sqlx::query_scalar("select count(*) from pg_hba_file_rules where auth_method <> $1")
            .bind("scram-sha-256")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(trusting, 0);
    connection.close().await.unwrap();

    let server = Path::new("/proc")
        .join(place.postmaster().to_string())
        .metadata()
        .unwrap();
    assert_ne!(server.uid(), 0);
    for (path, mode) in [("", 0o700), ("cluster", 0o700), ("password", 0o600)] {
        let metadata = place.data.join(path).metadata().unwrap();
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o777),
            (server.uid(), mode),
            "{path:?}"
        );
    }
    let group = processes()[&place.postmaster()].group;
    assert_ne!(
        group,
        processes()[&std::process::id().cast_signed()].group,
        "Ctrl-C reaches it"
    );
    assert!(
        !format!("{postgres:?}")
            .contains(&std::fs::read_to_string(place.data.join("password")).unwrap())
    );
    postgres.shutdown().await.unwrap();
}

/// The code of the error that a statement gives; none if it succeeds.
async fn refusal_of(url: &str, statement: &'static str) -> Option<String> {
    let mut connection = connect(url).await;
    let outcome = sqlx::query(statement).execute(&mut connection).await;
    let error = outcome.err()?;
    Some(error.as_database_error()?.code()?.into_owned())
}

#[tokio::test]
async fn a_login_has_the_rights_of_its_group_and_no_more() {
    let place = Place::new();
    let postgres = place.start().await;
    add_row(postgres.url()).await;
    for statement in ["create role readers", "grant select on kept to readers"] {
        assert_eq!(refusal_of(postgres.url(), statement).await, None);
    }
    let first = postgres.login("page", "readers").await.unwrap();
    let url = postgres.login("page", "readers").await.unwrap();
    assert_eq!(refusal_of(&url, "select n from kept").await, None);
    for statement in [
        "insert into kept values (7)",
        "drop table kept",
        "create table mine (n int)",
        "create role mine",
        "select pg_read_file('PG_VERSION')",
    ] {
        let refused = refusal_of(&url, statement).await;
        assert!(
            matches!(refused.as_deref(), Some("42501")),
            "{statement}: {refused:?}"
        );
    }
    // Its password of an earlier run is worth nothing.
    assert!(PgConnection::connect(&first).await.is_err());
    let log = std::fs::read_to_string(postgres.log_path()).unwrap();
    let (_, secret) = url.split_once("page:").unwrap();
    assert!(!log.contains(secret.split('@').next().unwrap()), "{log}");
    postgres.shutdown().await.unwrap();
}

/// Waits until the server answers again, and adds a row.
async fn add_row_when_back(url: &str) -> i64 {
    let begun = Instant::now();
    while PgConnection::connect(url).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "postgres does not come back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    add_row(url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_comes_back_where_it_was_with_all_rows() {
    let place = Place::new();
    let postgres = place.start().await;
    for rows in 1..=3 {
        assert_eq!(add_row_when_back(postgres.url()).await, rows);
        let killed = place.postmaster();
        kill_9(killed);
        wait_until("another postmaster", || {
            place.servers().iter().all(|pid| *pid != killed)
        });
    }
    assert_eq!(add_row_when_back(postgres.url()).await, 4);
    assert_eq!(guards_of(std::process::id(), place.postmaster()).len(), 1);
    postgres.shutdown().await.unwrap();
    assert_eq!(place.servers(), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_that_do_not_notice_are_gone_before_the_server_comes_back() {
    let place = Place::new();
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    let postmaster = place.postmaster();
    let others: Vec<i32> = place
        .servers()
        .into_iter()
        .filter(|pid| *pid != postmaster)
        .collect();
    assert!(!others.is_empty());
    others.iter().for_each(|pid| halt(*pid));
    kill_9(postmaster);
    wait_until("the backends are gone", || {
        place.servers().iter().all(|pid| !others.contains(pid))
    });
    assert_eq!(add_row_when_back(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_again_and_again_is_given_up_with_its_log_named() {
    let place = Place::new();
    let postgres = place.start().await;
    let mut killed = 0;
    let killing = async {
        loop {
            let text = tokio::fs::read_to_string(place.cluster().join("postmaster.pid")).await;
            let pid = text
                .unwrap_or_default()
                .lines()
                .next()
                .map(str::parse::<i32>);
            if let Some(Ok(pid)) = pid.filter(|pid| pid != &Ok(killed)) {
                kill_9(pid);
                killed = pid;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let failure = tokio::select! {
        failure = postgres.failure() => failure,
        () = killing => unreachable!(),
        () = tokio::time::sleep(PATIENCE) => panic!("it is started for ever"),
    };
    let text = failure
        .to_string()
        .replace(postgres.log_path().to_str().unwrap(), "LOG");
    expect![[r#"postgres ended by itself (signal: 9 (SIGKILL)) and is not started again after 5 starts in ten minutes; "LOG" says why"#]].assert_eq(&text);
    postgres.shutdown().await.unwrap();
    assert_eq!(place.servers(), Vec::<i32>::new());
}

fn halt(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
}

#[tokio::test]
async fn a_halted_server_is_killed_when_its_time_to_stop_is_over() {
    let place = Place::new();
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    place.servers().into_iter().for_each(halt);
    let begun = Instant::now();
    let error = postgres.shutdown_within(Duration::from_secs(1)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    expect!["postgres did not stop within 2 s and was killed; it loses nothing by that, and repairs itself at the next start"]
        .assert_eq(&error.unwrap_err().to_string());
    wait_until("no server is left", || place.servers().is_empty());
    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_on_a_page_is_an_error_and_not_another_row() {
    let place = Place::new();
    let postgres = place.start().await;
    for statement in [
        "create table bikes (id text)",
        "insert into bikes values ('21161')",
    ] {
        assert_eq!(refusal_of(postgres.url(), statement).await, None);
    }
    let mut connection = connect(postgres.url()).await;
    let file: String = sqlx::query_scalar("select pg_relation_filepath('bikes')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    postgres.shutdown().await.unwrap();

    let path = place.cluster().join(file);
    let mut page = std::fs::read(&path).unwrap();
    let at = page.windows(5).position(|text| text == b"21161").unwrap();
    page[at] ^= 1;
    std::fs::write(&path, page).unwrap();
    let postgres = place.start().await;
    let damaged = refusal_of(postgres.url(), "select id from bikes").await;
    assert_eq!(damaged.as_deref(), Some("XX001"));
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let place = Place::new();
    let postgres = place.start().await;
    let password = std::fs::read_to_string(place.data.join("password")).unwrap();
    let wrong = postgres.url().replace(&password, "guess");
    let error = PgConnection::connect(&wrong).await.unwrap_err();
    assert_eq!(
        error.as_database_error().and_then(|e| e.code()).as_deref(),
        Some("28P01")
    );
    postgres.shutdown().await.unwrap();
}

/// Removes where a link leads to, and the parent if nothing else is in it.
struct Elsewhere(PathBuf);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
        if let Some(parent) = self
            .0
            .parent()
            .filter(|p| p.read_dir().unwrap().next().is_none())
        {
            std::fs::remove_dir(parent).unwrap();
        }
    }
}

/// As in a container where the project was cloned into `/root`.
#[tokio::test]
async fn root_below_a_closed_folder_gets_a_database_elsewhere_that_is_found_again_while_linked() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root runs the server as somebody else.
    }
    let place = Place::new();
    std::fs::set_permissions(place.temp.path(), Permissions::from_mode(0o700)).unwrap();
    let postgres = place.start().await;
    let elsewhere = Elsewhere(std::fs::read_link(&place.data).unwrap());
    assert!(
        elsewhere.0.starts_with("/var/lib/bikeshare"),
        "{}",
        elsewhere.0.display()
    );
    assert_eq!(add_row(postgres.url()).await, 1);
    postgres.shutdown().await.unwrap();

    let postgres = place.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();

    let left = LeftOver {
        database: elsewhere.0.clone(),
        linked_from: place.data.clone(),
    };
    assert!(!left_over().contains(&left), "it is linked");
    std::fs::remove_file(&place.data).unwrap();
    assert!(left_over().contains(&left));
}

#[tokio::test]
async fn a_database_moved_below_a_closed_folder_is_refused_and_the_folder_named() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root runs the server as somebody else.
    }
    let place = Place::new();
    place.start().await.shutdown().await.unwrap();
    std::fs::set_permissions(place.temp.path(), Permissions::from_mode(0o700)).unwrap();
    let PostgresError::Blocked { folder, .. } = place.refusal().await else {
        panic!()
    };
    assert_eq!(folder, place.temp.path());
}
