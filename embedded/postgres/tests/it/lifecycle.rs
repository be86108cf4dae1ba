//! What was committed is kept and no process is left behind, however the server or we end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use expect_test::expect;
use sqlx::Connection;
use testkit::postgres::{connect, refusal_of};
use testkit::{Process, block_until};

use crate::support::{DataFolder, add_row, guards_of, halt, kill_9};

/// Names the data folder to [`hold_a_server_until_killed`].
const HOLD: &str = "BIKESHARE_TEST_HOLD_POSTGRES_IN";

#[tokio::test]
async fn a_stopped_server_leaves_no_process() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    let postmaster = folder.postmaster();
    assert!(folder.servers().contains(&postmaster));
    assert_eq!(guards_of(std::process::id(), postmaster).len(), 1);
    postgres.shutdown().await.unwrap();
    assert_eq!(folder.servers(), Vec::<i32>::new());
    assert_eq!(guards_of(std::process::id(), postmaster), Vec::<i32>::new());
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_loses_nothing() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    drop(postgres);
    // Backends of an immediate stop end a moment after their postmaster.
    block_until("no server is left", || folder.servers().is_empty());
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_restart_keeps_rows_and_password() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    let password = std::fs::read_to_string(folder.data.join("password")).unwrap();
    assert!(postgres.url().contains(&password));
    assert_eq!(add_row(postgres.url()).await, 1);
    postgres.shutdown().await.unwrap();

    let postgres = folder.start().await;
    assert!(postgres.url().contains(&password));
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn rows_committed_before_kill_9_of_the_postmaster_are_there_after_it() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    // A session that is open over the kill keeps a backend busy with the shared memory.
    let mut open = connect(postgres.url()).await;
    sqlx::query("begin").execute(&mut open).await.unwrap();
    assert_eq!(add_row(postgres.url()).await, 1);
    kill_9(folder.postmaster());
    drop(postgres);

    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
    assert_eq!(folder.servers(), Vec::<i32>::new());
}

/// Not a test of its own: the process that other tests kill. It gives its url, then waits.
#[tokio::test]
#[ignore = "started by other tests as a process of its own"]
async fn hold_a_server_until_killed() {
    let Some(data_dir) = std::env::var_os(HOLD) else {
        return;
    };
    let postgres = testkit::postgres::start(data_dir).await;
    writeln!(std::io::stdout(), "\nurl {}", postgres.url()).unwrap();
    std::future::pending::<()>().await;
}

/// Runs [`hold_a_server_until_killed`] in a process of its own; gives its url too.
fn holder(folder: &DataFolder) -> (Process, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "lifecycle::hold_a_server_until_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(HOLD, &folder.data)
        .stdout(Stdio::piped());
    let mut child = Process::start(&mut command);
    let stdout = child.stdout.take().unwrap();
    let url = BufReader::new(stdout)
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("url ").map(str::to_owned))
        .expect("the holder starts a server");
    (child, url)
}

#[tokio::test]
async fn kill_9_of_our_process_ends_the_server_too() {
    let folder = DataFolder::new();
    let (holder, url) = holder(&folder);
    assert_eq!(add_row(&url).await, 1);
    drop(holder);
    block_until("no server is left", || folder.servers().is_empty());

    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_orphaned_with_its_guard_killed_is_replaced_by_the_next_start() {
    let folder = DataFolder::new();
    let (holder, url) = holder(&folder);
    assert_eq!(add_row(&url).await, 1);
    let guards = guards_of(holder.id(), folder.postmaster());
    assert_eq!(guards.len(), 1);
    kill_9(guards[0]);
    drop(holder);
    let orphan = folder.postmaster();
    assert_eq!(add_row(&url).await, 2, "the orphan still serves");

    let postgres = folder.start().await;
    assert_ne!(folder.postmaster(), orphan);
    assert!(!folder.servers().contains(&orphan));
    assert_eq!(add_row(postgres.url()).await, 3);
    postgres.shutdown().await.unwrap();
    assert_eq!(folder.servers(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_pid_file_that_names_a_process_of_somebody_else_is_no_obstacle() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    let owner = folder.data.metadata().unwrap();
    let pid_file = folder.cluster().join("postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    let real = folder.postmaster();
    postgres.shutdown().await.unwrap();

    // A process of the same account, because Postgres takes only those for a rival.
    let mut stranger = Command::new("sleep");
    stranger.arg("600").current_dir("/");
    std::os::unix::process::CommandExt::uid(&mut stranger, owner.uid());
    let mut stranger = Process::start(&mut stranger);
    std::fs::write(
        &pid_file,
        text.replacen(&real.to_string(), &stranger.id().to_string(), 1),
    )
    .unwrap();
    std::os::unix::fs::chown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();

    let postgres = folder.start().await;
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "the stranger was not touched"
    );
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_is_cleared_away() {
    let folder = DataFolder::new();
    folder.start().await.shutdown().await.unwrap();
    std::fs::rename(folder.cluster(), folder.data.join("cluster.partial-1")).unwrap();
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    assert!(!folder.data.join("cluster.partial-1").exists());
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_halted_server_is_killed_when_its_time_to_stop_is_over() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    folder.servers().into_iter().for_each(halt);
    let begun = Instant::now();
    let error = postgres.shutdown_within(Duration::from_secs(1)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    expect!["postgres did not stop within 2 s and was killed; it loses nothing by that, and repairs itself at the next start"]
        .assert_eq(&error.unwrap_err().to_string());
    block_until("no server is left", || folder.servers().is_empty());
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_on_a_page_is_an_error_and_not_another_row() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
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

    let path = folder.cluster().join(file);
    let mut page = std::fs::read(&path).unwrap();
    let at = page.windows(5).position(|text| text == b"21161").unwrap();
    page[at] ^= 1;
    std::fs::write(&path, page).unwrap();
    let postgres = folder.start().await;
    let damaged = refusal_of(postgres.url(), "select id from bikes").await;
    assert_eq!(damaged.as_deref(), Some("XX001"));
    postgres.shutdown().await.unwrap();
}
