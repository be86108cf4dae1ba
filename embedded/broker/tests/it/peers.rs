//! Whose processes may connect.

#![expect(clippy::print_stdout, reason = "a skipped test must be seen")]

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use embedded_broker::{Broker, BrokerConfig, BrokerError, Peers};
use tempfile::TempDir;
use testkit::skip;

use crate::support::{config, start};

/// A user without rights, on each machine.
const NOBODY: u32 = 65_534;
/// Requests the versions of requests; prints how many bytes of the response's length come back.
const REQUEST: &str = r#"
exec 3<>"/dev/tcp/$0/$1" || exit 0
printf '\0\0\0\x10\0\x12\0\x02\0\0\0\x01\0\0\0\0\0\0\0\0' >&3
timeout 20 head -c 4 <&3 | wc -c"#;

fn bytes_received(address: SocketAddr, user: u32) -> String {
    let mut bash = Command::new("bash");
    bash.args(["-c", REQUEST, &address.ip().to_string()]);
    bash.arg(address.port().to_string()).uid(user).gid(user);
    let output = bash.current_dir("/").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Only root can start a process of another user.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("only root can start a process of another user");
    }
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_another_user_gets_no_answer_unless_anyone_may() {
    if !is_root() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let closed = start(folder.path()).await;
    assert_eq!(bytes_received(closed.address(), NOBODY), "0");
    assert_eq!(bytes_received(closed.address(), 0), "4");

    let folder = TempDir::new().unwrap();
    let open = BrokerConfig {
        peers: Peers::Anyone,
        ..config(folder.path())
    };
    let open = Broker::start(open).await.unwrap();
    assert_eq!(bytes_received(open.address(), NOBODY), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_same_user_is_known_over_ipv6_too() {
    let folder = TempDir::new().unwrap();
    let v6 = BrokerConfig {
        listen: "[::1]:0".parse().unwrap(),
        ..config(folder.path())
    };
    let broker = match Broker::start(v6).await {
        Err(BrokerError::Listen { .. }) => {
            println!("SKIPPED: this machine has no IPv6");
            return;
        }
        started => started.unwrap(),
    };
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(bytes_received(broker.address(), user), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_are_let_in_only_if_it_is_said() {
    let folder = TempDir::new().unwrap();
    let listen = "0.0.0.0:0".parse().unwrap();
    let closed = BrokerConfig {
        listen,
        ..config(folder.path())
    };
    let error = Broker::start(closed.clone()).await.unwrap_err();
    expect_test::expect![[
        "could not listen on 0.0.0.0:0: whoever reaches it could read, write and run modules; \
         listen on 127.0.0.1, or allow it with Peers::Anyone"
    ]]
    .assert_eq(&error.to_string());
    let open = BrokerConfig {
        peers: Peers::Anyone,
        ..closed
    };
    Broker::start(open).await.unwrap().shutdown().await.unwrap();
}
