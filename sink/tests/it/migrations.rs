//! A database is brought to the tables of this program, or refused with a reason.

use expect_test::{Expect, expect};
use sink::SinkError;

use crate::support::Database;

fn check(error: &SinkError, expected: Expect) {
    expected.assert_eq(&error.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_changes_nothing() {
    let database = Database::migrated().await;
    sink::migrate(&database.url()).await.unwrap();
    assert_eq!(
        database.value("select count(*) from records_view").await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused() {
    let database = Database::migrated().await;
    database
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'from the future', true, '', 0)",
        )
        .await;
    let error = sink::migrate(&database.url()).await.unwrap_err();
    assert!(
        matches!(error, SinkError::NewerDatabase { version: 9999, .. }),
        "{error}"
    );
    assert!(!error.is_transient());
    let text = error.to_string();
    assert!(
        text.contains("is of a newer bikeshare: it has migration 9999"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_away_is_named_without_its_password() {
    let error = sink::migrate("postgres://rider:secret@127.0.0.1:1/bikes")
        .await
        .unwrap_err();
    check(
        &error,
        expect![[
            r#"could not connect to postgres at 127.0.0.1:1, database "bikes", user "rider""#
        ]],
    );
    assert!(error.is_transient());
    assert!(!error.chain().contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_says_so_and_is_not_tried_again() {
    let database = Database::migrated().await;
    let url = database.url();
    let (start, end) = url.split_once('@').unwrap();
    let (user, _password) = start.rsplit_once(':').unwrap();
    let error = sink::migrate(&format!("{user}:wrong@{end}"))
        .await
        .unwrap_err();
    assert!(!error.is_transient());
    let text = error.chain();
    assert!(
        text.contains("could not connect to postgres at 127.0.0.1:"),
        "{text}"
    );
    assert!(text.contains("password authentication failed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_refused() {
    let error = sink::migrate("mysql://localhost/bikes").await.unwrap_err();
    assert!(matches!(error, SinkError::DatabaseUrl(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_hold_every_text_is_refused_with_what_to_do() {
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let with = format!("encoding '{encoding}' locale 'C' template template0");
        let database = Database::empty_with(&with).await;
        let error = sink::migrate(&database.url()).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("stores texts as {encoding}")),
            "{text}"
        );
        assert!(
            text.contains("encoding 'UTF8' template template0"),
            "{text}"
        );
        let tables = "select count(*) from pg_tables where schemaname = 'public'";
        assert_eq!(database.value(tables).await, "0");
    }
}
