//! What is in the way of a start is named and left as it is.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;

use embedded_postgres::{Postgres, PostgresConfig, PostgresError};

use crate::support::{DataFolder, add_row};

#[tokio::test]
async fn a_folder_in_use_is_refused_and_its_holder_named() {
    let folder = DataFolder::new();
    let postgres = folder.start().await;
    let text = folder.refusal().await.to_string();
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
    let folder = DataFolder::new();
    folder.start().await.shutdown().await.unwrap();
    std::fs::write(folder.cluster().join("PG_VERSION"), "99\n").unwrap();
    let bin = embedded_postgres::find_binaries().unwrap();
    let ours = embedded_postgres::version(&bin).unwrap();
    let text = folder.refusal().await.to_string();
    assert!(text.contains("was made by postgres 99"), "{text}");
    assert!(text.contains(&format!("is postgres {ours}")), "{text}");
    assert!(text.contains("apt-get install postgresql-99"), "{text}");
}

#[tokio::test]
async fn a_folder_with_other_things_in_it_is_refused_and_left_alone() {
    let folder = DataFolder::new();
    std::fs::create_dir_all(&folder.data).unwrap();
    std::fs::write(folder.data.join("letter.txt"), "dear").unwrap();
    let before = folder.data.metadata().unwrap();
    assert!(matches!(
        folder.refusal().await,
        PostgresError::NotOurs { .. }
    ));
    let after = folder.data.metadata().unwrap();
    assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
    assert_eq!(std::fs::read_dir(&folder.data).unwrap().count(), 1);
}

#[tokio::test]
async fn a_lost_password_is_reported_and_not_replaced() {
    let folder = DataFolder::new();
    folder.start().await.shutdown().await.unwrap();
    std::fs::remove_file(folder.data.join("password")).unwrap();
    assert!(matches!(
        folder.refusal().await,
        PostgresError::NoPassword { .. }
    ));
    assert!(!folder.data.join("password").exists());
}

#[tokio::test]
async fn a_failed_start_shows_the_end_of_the_server_log() {
    let folder = DataFolder::new();
    folder.start().await.shutdown().await.unwrap();
    let settings = folder.cluster().join("postgresql.conf");
    std::fs::write(&settings, "bicycle_count = 3\n").unwrap();
    let text = folder.refusal().await.to_string();
    assert!(text.contains("server.log"), "{text}");
    assert!(text.contains("bicycle_count"), "{text}");
    assert!(
        !text.contains("ready to accept connections"),
        "only this start's lines: {text}"
    );
}

#[tokio::test]
async fn a_port_in_use_is_refused_if_asked_for_and_the_folder_stays_usable() {
    let folder = DataFolder::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = || PostgresConfig {
        listen: Some(port),
        ..folder.config()
    };
    let error = Postgres::start(config()).await.unwrap_err();
    assert!(
        matches!(error, PostgresError::PortTaken { port: p } if p == port),
        "{error}"
    );
    assert_eq!(folder.servers(), Vec::<i32>::new());

    drop(taken);
    let postgres = Postgres::start(config()).await.unwrap();
    assert!(
        postgres
            .url()
            .contains(&format!("@127.0.0.1:{port}/bikeshare"))
    );
    postgres.shutdown().await.unwrap();
}
