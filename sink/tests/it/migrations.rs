//! A database is brought to the tables of this program, or refused with a reason.

use expect_test::{Expect, expect};
use sink::SinkError;
use testkit::postgres;

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

/// Takes the tables back to what they were before stations had a history.
const WITHOUT_HISTORY: &str = "
    drop view records_view, location_history_view;
    drop table location_history;
    delete from _sqlx_migrations where version = 9;";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_of_stations_before_they_had_a_history_holds_for_all_their_events() {
    let database = Database::migrated().await;
    database.execute(WITHOUT_HISTORY).await;
    let view = include_str!("../../../migrations/0005_inferred.sql");
    let (_, view) = view.split_once("create or replace view").unwrap();
    database.execute(&format!("create view {view}")).await;
    database
        .execute(
            "insert into location (station_id, street, latitude, longitude) values
                 ('519', 'Pershing Sq N', 40.7518, -73.9777), ('72', 'W 52 St & 11 Av', 40.7672, -73.9939);
             insert into stream_cursor (topic, partition, module, next_offset, owner, generation)
             select 'trips', p, m, 9, 'x', 1
             from generate_series(0, 2) p, unnest('{trip-split,dock-window}'::text[]) m;
             select make_month('2014-03-01'), make_month('2018-07-01');
             insert into records (id, time, location_id, docked) values
                 (0, '2014-03-01T00:00:16Z', 1, false), (3, '2014-03-01T00:16:05Z', 2, true),
                 (2052, '2018-07-03T17:48:39Z', 2, false)",
        )
        .await;
    let events = "select id, time, station_id, street, latitude, longitude, partition
                  from records_view order by id";
    let before = database.lines(events).await;
    sink::migrate(&database.url()).await.unwrap();
    assert_eq!(database.lines(events).await, before);
    let history = "select location_id, partition, since, until, id from location_history_view
                   order by location_id, partition";
    expect![[r#"
        -2048 -infinity infinity 0 1
        -2046 -infinity infinity 1 1
        -2044 -infinity infinity 2 1
        -4096 -infinity infinity 0 2
        -4094 -infinity infinity 1 2
        -4092 -infinity infinity 2 2"#]]
    .assert_eq(&database.lines(history).await.join("\n"));
}

/// A database as it was before a version, with the tables that were there then.
async fn before(version: i64) -> postgres::Database {
    let newest = Database::migrated().await;
    let known = format!("select json_agg(m) from _sqlx_migrations m where version < {version}");
    let known = newest.value(&known).await.replace('\'', "''");
    let database = postgres::Database::empty().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let number = name.split('_').next().unwrap().parse::<i64>();
        if number.is_ok_and(|number| number < version) {
            database
                .execute(&std::fs::read_to_string(&file).unwrap())
                .await;
        }
    }
    database
        .execute(&format!(
            "create table _sqlx_migrations (
                 version bigint primary key, description text not null,
                 installed_on timestamptz not null default now(), success boolean not null,
                 checksum bytea not null, execution_time bigint not null);
             insert into _sqlx_migrations
             select * from json_populate_recordset(null::_sqlx_migrations, '{known}')"
        ))
        .await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_from_before_there_were_months_become_one_partition() {
    const MONTHS: i64 = 15;
    let database = before(MONTHS).await;
    database
        .execute(
            "insert into location (station_id, street, latitude, longitude) values
                 ('519', 'Pershing Sq N', 40.7518, -73.9777);
             insert into records (id, time, location_id, docked, bike_kind) values
                 (0, '2014-03-01T00:00:16Z', 1, false, 'e'), (1, '2014-04-30T23:59:59Z', 1, true, null),
                 (2048, '2217-01-01Z', 1, false, null);
             insert into dock_status (id, time, location_id, bikes) values (4096, '2014-05-31Z', 1, 3)",
        )
        .await;
    let rows = "select id, time, docked, inferred, bike_kind from records_view order by id";
    let before = database.lines(rows).await;
    assert_eq!(before.len(), 3);
    sink::migrate(&database.url()).await.unwrap();
    assert_eq!(database.lines(rows).await, before);
    let partitions = "select name as a, start_at as b, end_at as c, (
            select count(*) from records r where r.tableoid = p.name::regclass) as d
        from records_month p order by start_at";
    expect![[r#"
        records_before -infinity 2014-06-01T00:00:00+00:00 2
        records_after 2100-01-01T00:00:00+00:00 infinity 1"#]]
    .assert_eq(&database.lines(partitions).await.join("\n"));
    let made = "select start_at from make_month('2014-05-31T12:00:00Z')";
    assert_eq!(database.value(made).await, "-infinity");
    let made = "select start_at from make_month('2014-06-01')";
    assert!(database.value(made).await.starts_with("2014-06-01"));
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
        let database = postgres::Database::empty_with(&with).await;
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
