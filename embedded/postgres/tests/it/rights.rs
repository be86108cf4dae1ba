//! How the server is set up, and what its logins may do.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sqlx::{Connection, PgConnection};
use testkit::postgres::{connect, refusal_of};

use crate::support::{DataFolder, add_row, processes};

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_server_is_durable_private_and_unprivileged() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
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
        .join(folder.postmaster().to_string())
        .metadata()
        .unwrap();
    assert_ne!(server.uid(), 0);
    for (path, mode) in [("", 0o700), ("cluster", 0o700), ("password", 0o600)] {
        let metadata = folder.data.join(path).metadata().unwrap();
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o777),
            (server.uid(), mode),
            "{path:?}"
        );
    }
    let group = processes()[&folder.postmaster()].group;
    assert_ne!(
        group,
        processes()[&std::process::id().cast_signed()].group,
        "Ctrl-C reaches it"
    );
    assert!(
        !format!("{postgres:?}")
            .contains(&std::fs::read_to_string(folder.data.join("password")).unwrap())
    );
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_login_has_the_rights_of_its_group_and_no_more() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
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

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    let password = std::fs::read_to_string(folder.data.join("password")).unwrap();
    let wrong = postgres.url().replace(&password, "guess");
    let error = PgConnection::connect(&wrong).await.unwrap_err();
    assert_eq!(
        error.as_database_error().and_then(|e| e.code()).as_deref(),
        Some("28P01")
    );
    postgres.shutdown().await.unwrap();
}
