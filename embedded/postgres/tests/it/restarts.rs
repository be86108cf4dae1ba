//! A server that ends by itself is started again, up to a bound.

use std::time::Duration;

use expect_test::expect;
use sqlx::{Connection, PgConnection};
use testkit::{PATIENCE, block_until, wait_until};

use crate::support::{DataFolder, add_row, guards_of, halt, kill_9};

/// Waits until the server answers again, and adds a row.
async fn add_row_when_back(url: &str) -> i64 {
    wait_until("postgres is back", async || {
        PgConnection::connect(url).await.is_ok()
    })
    .await;
    add_row(url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_comes_back_where_it_was_with_all_rows() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    for rows in 1..=3 {
        assert_eq!(add_row_when_back(postgres.url()).await, rows);
        let killed = folder.postmaster();
        kill_9(killed);
        block_until("another postmaster", || {
            folder.servers().iter().all(|pid| *pid != killed)
        });
    }
    assert_eq!(add_row_when_back(postgres.url()).await, 4);
    assert_eq!(guards_of(std::process::id(), folder.postmaster()).len(), 1);
    postgres.shutdown().await.unwrap();
    assert_eq!(folder.servers(), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_that_do_not_notice_are_gone_before_the_server_comes_back() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    assert_eq!(add_row(postgres.url()).await, 1);
    let postmaster = folder.postmaster();
    let others: Vec<i32> = folder
        .servers()
        .into_iter()
        .filter(|pid| *pid != postmaster)
        .collect();
    assert!(!others.is_empty());
    others.iter().for_each(|pid| halt(*pid));
    kill_9(postmaster);
    block_until("the backends are gone", || {
        folder.servers().iter().all(|pid| !others.contains(pid))
    });
    assert_eq!(add_row_when_back(postgres.url()).await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_again_and_again_is_given_up_with_its_log_named() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    let mut killed = 0;
    let killing = async {
        loop {
            let text = tokio::fs::read_to_string(folder.cluster().join("postmaster.pid")).await;
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
    assert_eq!(folder.servers(), Vec::<i32>::new());
}
