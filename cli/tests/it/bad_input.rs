//! What a user gets wrong, or the machine: a clear message, an exit status, nothing half started.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use expect_test::{Expect, expect};

use crate::machine::Machine;

const HEADER: &str = "tripduration,starttime,stoptime,start station id,start station name,\
    start station latitude,start station longitude,end station id,end station name,\
    end station latitude,end station longitude,bikeid,usertype,birth year,gender";

/// The last line on stderr of a call that must fail, with the machine's own folder left out.
fn failure(machine: &Machine, output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it did not fail:\n{stderr}");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let folder = machine
        .data_dir()
        .parent()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    stderr
        .lines()
        .last()
        .unwrap_or_default()
        .replace(&folder, "FOLDER")
}

/// Runs `up --once` and compares its error; nothing may have been put into the data folder when
/// `nothing_started`.
fn check(machine: &Machine, command: &mut Command, nothing_started: bool, expected: &Expect) {
    let output = command.arg("--once").output().unwrap();
    expected.assert_eq(&failure(machine, &output));
    if nothing_started {
        assert!(
            !machine.data_dir().join("postgres").exists(),
            "postgres was started"
        );
    }
}

#[test]
fn a_source_that_does_not_exist_starts_nothing() {
    let machine = Machine::new();
    let source = machine.data_dir().with_file_name("missing.csv");
    let mut up = machine.up(source.to_str().unwrap());
    check(
        &machine,
        &mut up,
        true,
        &expect![[
            r#"error: could not read --source "FOLDER/missing.csv": caused by No such file or directory (os error 2)"#
        ]],
    );
}

#[test]
fn a_file_that_is_not_csv_is_refused_by_name() {
    let machine = Machine::new();
    let source = machine.data_dir().with_file_name("photo.csv");
    fs::write(&source, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    check(
        &machine,
        &mut machine.up(source.to_str().unwrap()),
        false,
        &expect![[
            r#"error: could not send FOLDER/photo.csv: caused by file "photo.csv" is refused: caused by it is not a text file"#
        ]],
    );
}

#[test]
fn a_file_with_unknown_columns_is_refused_with_what_is_unknown() {
    let machine = Machine::new();
    let source = machine.data_dir().with_file_name("recipes.csv");
    fs::write(&source, "dish,minutes\nsoup,30\n").unwrap();
    check(
        &machine,
        &mut machine.up(source.to_str().unwrap()),
        false,
        &expect![[
            r#"error: could not send FOLDER/recipes.csv: caused by file "recipes.csv" is refused: caused by its columns are unknown: caused by not a trip file: the first row is "dish,minutes""#
        ]],
    );
}

#[test]
fn a_taken_port_starts_nothing_and_says_how_to_choose_another() {
    let machine = Machine::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut up = machine.up("simulate:trips=10");
    let output = up.args(["--listen", &address, "--once"]).output().unwrap();
    let text = failure(&machine, &output).replace(&address, "ADDRESS");
    expect!["error: the page cannot listen on ADDRESS: stop the program that does, or choose another address with --listen (port 0 takes any free one): caused by Address already in use (os error 98)"].assert_eq(&text);
    assert!(!machine.data_dir().exists());
}

#[test]
fn a_postgres_that_is_down_is_an_error_without_its_password() {
    let machine = Machine::new();
    let closed = testkit::free_address();
    let mut up = machine.up("simulate:trips=10");
    up.env(
        "DATABASE_URL",
        format!("postgres://rider:secret@{closed}/bikes"),
    );
    let output = up.arg("--once").output().unwrap();
    let text = failure(&machine, &output).replace(&closed.port().to_string(), "PORT");
    expect![[r#"error: could not use the database: check that --database-url is right: caused by could not connect to postgres at 127.0.0.1:PORT, database "bikes", user "rider": caused by error communicating with database: Connection refused (os error 111)"#]].assert_eq(&text);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_refuses_the_login_is_an_error_without_its_password() {
    let machine = Machine::new();
    let postgres = testkit::postgres::start(machine.data_dir().with_file_name("other")).await;
    let (_, place) = postgres.url().split_once('@').unwrap();
    let port = place.split([':', '/']).nth(1).unwrap().to_owned();
    let mut up = machine.up("simulate:trips=10");
    up.args([
        "--once",
        "--database-url",
        &format!("postgres://rider:secret@{place}"),
    ]);
    let output = tokio::task::spawn_blocking(move || up.output().unwrap())
        .await
        .unwrap();
    postgres.shutdown().await.unwrap();
    expect![[r#"error: could not use the database: check that --database-url is right: caused by could not connect to postgres at 127.0.0.1:PORT, database "bikeshare", user "rider": caused by error returned from database: password authentication failed for user "rider" at line 334"#]].assert_eq(&failure(&machine, &output).replace(&port, "PORT"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
}

#[test]
fn a_fluvio_that_is_not_there_is_an_error_with_its_address() {
    let machine = Machine::new();
    let closed = testkit::free_address();
    let mut up = machine.up("simulate:trips=10");
    let output = up
        .args(["--once", "--fluvio", &closed.to_string()])
        .output()
        .unwrap();
    let text = failure(&machine, &output).replace(&closed.to_string(), "ADDRESS");
    expect!["error: could not connect to Fluvio at ADDRESS: check that it runs and that --fluvio is right: caused by Socket io Connection refused (os error 111), can't connect to ADDRESS: caused by Connection refused (os error 111)"].assert_eq(&text);
}

#[test]
fn a_data_folder_of_a_newer_version_is_refused_and_left_alone() {
    let machine = Machine::new();
    fs::create_dir(machine.data_dir()).unwrap();
    fs::write(machine.data_dir().join("version"), "99\n").unwrap();
    check(
        &machine,
        &mut machine.up("simulate:trips=10"),
        true,
        &expect![[
            r#"error: data folder "FOLDER/data" is of version 99, this bikeshare knows up to 1: use the newer bikeshare, or another folder with --data-dir"#
        ]],
    );
}

#[test]
fn a_wrong_flag_value_is_a_usage_error() {
    let machine = Machine::new();
    let output = machine.up("simulate:sead=3").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("unknown parameter \"sead\""), "{stderr}");
}

#[tokio::test]
async fn bad_rows_and_a_file_given_twice_are_counted_and_kept_and_the_rest_goes_on() {
    let machine = Machine::new();
    let folder = machine.data_dir().with_file_name("trips");
    fs::create_dir(&folder).unwrap();
    let place = "72,1 Ave & E 2 St,40.72,-73.98";
    let good = |minute: u32| {
        format!(
            "300,2020-03-01 08:{minute:02}:00,2020-03-01 08:{:02}:00,{place},{place},7,Subscriber,1990,1",
            minute + 5
        )
    };
    let rows = [
        HEADER.to_owned(),
        good(0),
        "300,2020-03-01 08:01".to_owned(),
        good(2).replace("40.72,-73.98,7", "0,0,7"),
        "300,2020-03-08 02:30:00,2020-03-08 03:30:00,".to_owned()
            + place
            + ","
            + place
            + ",7,Subscriber,1990,1",
        good(4),
    ];
    fs::write(folder.join("a.csv"), rows.join("\n") + "\n").unwrap();
    fs::write(folder.join("b.csv"), rows.join("\n") + "\n").unwrap();
    let mut summary = machine.once(folder.to_str().unwrap());
    summary.as_object_mut().unwrap().remove("wall_s");
    expect![[r#"{"already_produced":0,"departures":2,"locations":1,"produced":2,"records":4,"rejected":3,"rows_read":5,"windows":2}"#]].assert_eq(&summary.to_string());

    let mut tables = machine.tables().await;
    expect![[r#"
        a.csv:3: row has 2 fields, the header has 15
        a.csv:4: start station latitude "0" is zero: the station's place is not known
        a.csv:5: starttime "2020-03-08 02:30:00" does not exist in America/New_York: the clocks went forward"#]].assert_eq(&tables.rejects().await.join("\n"));
    tables.close().await;
}
