//! Each part has the rights it needs and no more, and what is private is so on a shared machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sqlx::Connection as _;
use testkit::postgres::{self, refusal_of};

use crate::machine::Machine;
use crate::running::Running;

const SOURCE: &str = "simulate:seed=6,trips=300";

async fn check(url: &str, allowed: &[&'static str], refused: &[&'static str]) {
    for &statement in allowed {
        assert_eq!(refusal_of(url, statement).await, None, "{statement}");
    }
    for &statement in refused {
        let code = refusal_of(url, statement).await;
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    }
}

/// An address that a running `up` has written down.
fn written_down(machine: &Machine, name: &str) -> String {
    let text = fs::read_to_string(machine.data_dir().join("running.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table[name].as_str().unwrap().to_owned()
}

fn password_of(url: &str) -> String {
    url::Url::parse(url).unwrap().password().unwrap().to_owned()
}

#[tokio::test]
async fn the_page_may_read_and_the_sink_may_write_and_neither_may_more() {
    let machine = Machine::new();
    let running = Running::start(&machine);
    let reject = "insert into rejected values (-1, 'a.csv', 1, 'why', 'row', 'a.csv#1')";
    let forbidden = [
        "create table mine (n int)",
        "drop table records",
        "alter table records add column n int",
        "insert into _sqlx_migrations select * from _sqlx_migrations",
        "create role mine",
        "select pg_read_file('PG_VERSION')",
        "create database mine",
        "drop table records_before",
    ];
    let page = written_down(&machine, "database_url");
    check(
        &page,
        &[
            "select * from records_view",
            "select * from frequency_view",
            "listen availability",
        ],
        &forbidden,
    )
    .await;
    check(
        &page,
        &[],
        &[
            reject,
            "delete from records",
            "truncate records",
            "select make_month(now())",
            "select drop_month(now())",
        ],
    )
    .await;
    let sink = written_down(&machine, "sink_database_url");
    check(
        &sink,
        &[reject, "truncate rejected", "select make_month(now())"],
        &forbidden,
    )
    .await;
    assert_eq!(running.interrupt(), Some(0));
}

/// The command lines of a process and of all that it has started.
fn command_lines(pid: u32) -> String {
    let mut of_interest = vec![pid.to_string()];
    let mut lines = String::new();
    while let Some(pid) = of_interest.pop() {
        let process = Path::new("/proc").join(pid);
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        lines += &String::from_utf8_lossy(&line).replace('\0', " ");
        lines.push('\n');
        for task in fs::read_dir(process.join("task")).into_iter().flatten() {
            let children = fs::read_to_string(task.unwrap().path().join("children"));
            of_interest.extend(children.unwrap_or_default().split(' ').map(str::to_owned));
        }
        of_interest.retain(|pid| !pid.is_empty());
    }
    lines
}

#[test]
fn no_password_stands_on_a_command_line_or_in_the_log() {
    let machine = Machine::new();
    let mut running = Running::start_with(&machine, &["--log", "debug"]);
    let lines = command_lines(running.id());
    assert!(lines.contains("postgres -D"), "{lines}");
    let owner = fs::read_to_string(machine.data_dir().join("postgres/password")).unwrap();
    let mut secrets = vec![owner];
    for name in ["database_url", "sink_database_url"] {
        secrets.push(password_of(&written_down(&machine, name)));
    }
    let log = running.log_so_far();
    let server = fs::read_to_string(machine.data_dir().join("postgres/server.log")).unwrap();
    for secret in secrets {
        for text in [&lines, &log, &server] {
            assert!(!text.contains(secret.trim()), "{text}");
        }
    }
    assert_eq!(running.interrupt(), Some(0));
}

#[test]
fn a_password_that_others_can_see_is_warned_about_and_one_in_a_file_is_not_shown_by_help() {
    let machine = Machine::new();
    let bikeshare = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command.args(arguments).env_remove("DATABASE_URL");
        let folder = machine.data_dir();
        let output = command.current_dir(folder.parent().unwrap()).output();
        let Output { stdout, stderr, .. } = output.unwrap();
        String::from_utf8([stdout, stderr].concat()).unwrap()
    };
    let url = "postgres://rider:secret@127.0.0.1:1/bikes";
    let said = bikeshare(&["rejected", "--database-url", url]);
    assert!(
        said.contains("every user of this machine can see it"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");

    let folder = machine.data_dir();
    let settings = folder.with_file_name("bikeshare.toml");
    fs::write(&settings, format!("database-url = \"{url}\"\n")).unwrap();
    for command in ["up", "sink", "serve", "rejected"] {
        let help = bikeshare(&[command, "--help"]);
        assert!(help.contains("--database-url"), "{help}");
        assert!(!help.contains("secret"), "{help}");
    }
    let said = bikeshare(&["rejected"]);
    assert!(said.contains("could not connect to postgres"), "{said}");
    assert!(
        !said.contains("secret") && !said.contains("can see it"),
        "{said}"
    );
}

/// All that is in a folder, and itself.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(tree(&path)),
            false => found.push(path),
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_data_folder_is_closed_to_others_also_one_that_was_open() {
    let machine = Machine::new();
    machine.once(SOURCE);
    let data = machine.data_dir();
    let open: Vec<_> = tree(&data)
        .into_iter()
        // Through the data folder itself, the account that runs Postgres passes.
        .filter(|path| mode(path) & if *path == data { 0o067 } else { 0o077 } != 0)
        .collect();
    assert!(open.is_empty(), "{open:?}");

    for folder in [data.clone(), data.join("fluvio"), data.join("postgres")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = machine.up(SOURCE).arg("--once").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert!(
        log.contains("is closed to other users: its mode was 755"),
        "{log}"
    );
    assert_eq!(mode(&data) & 0o067, 0);
    assert_eq!(
        (mode(&data.join("fluvio")), mode(&data.join("postgres"))),
        (0o700, 0o700)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_two_roles_given_by_hand_nobody_but_the_owner_may_make_tables() {
    let machine = Machine::new();
    let postgres = postgres::start(machine.data_dir().with_file_name("other")).await;
    for role in ["bikeshare_reader", "bikeshare_writer"] {
        let create = sqlx::AssertSqlSafe(format!("create role {role}"));
        let mut owner = postgres::connect(postgres.url()).await;
        sqlx::query(create).execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
    }
    let page = postgres.login("page", "bikeshare_reader").await.unwrap();
    let sink = postgres.login("sink", "bikeshare_writer").await.unwrap();
    let in_file = |name: &str, url: &str| {
        let path = machine.data_dir().with_file_name(name);
        fs::write(&path, url).unwrap();
        format!("file:{}", path.display())
    };
    let (page, sink) = (in_file("page", &page), in_file("sink", &sink));
    let owner = in_file("owner", postgres.url());
    let load = || {
        let mut up = machine.up(SOURCE);
        up.args([
            "--once",
            "--database-url",
            &sink,
            "--page-database-url",
            &page,
        ]);
        up
    };
    let early = load().output().unwrap();
    let complaint = String::from_utf8(early.stderr).unwrap();
    assert_eq!(early.status.code(), Some(1), "{complaint}");
    assert!(
        complaint.contains("run `bikeshare migrate` as the user who owns"),
        "{complaint}"
    );

    // Twice: by this program, and by hand as `migrations/roles.sql` says.
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    let migrated = migrate
        .args(["migrate", "--roles", "--database-url", &owner])
        .output();
    assert!(migrated.unwrap().status.success());
    let psql = embedded_postgres::find_binaries().unwrap().join("psql");
    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/roles.sql");
    let mut by_hand = Command::new(psql);
    by_hand.args([
        "--no-psqlrc",
        "--quiet",
        "--set",
        "ON_ERROR_STOP=1",
        "--file",
    ]);
    let by_hand = by_hand.arg(roles).arg(postgres.url()).output().unwrap();
    assert!(by_hand.status.success(), "{by_hand:?}");

    assert_eq!(machine.finish(&mut load())["records"], 600);
    postgres.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_password_may_stand_in_the_files_and_variables_of_libpq() {
    let machine = Machine::new();
    let postgres = postgres::start(machine.data_dir().with_file_name("other")).await;
    sink::migrate(postgres.url()).await.unwrap();
    let password = password_of(postgres.url());
    let url = postgres.url().replace(&format!(":{password}@"), "@");
    let file = machine.data_dir().with_file_name("pgpass");
    fs::write(&file, format!("*:*:*:*:{password}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for (name, value) in [
        ("PGPASSWORD", password.as_str()),
        ("PGPASSFILE", file.to_str().unwrap()),
    ] {
        let mut rejected = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        rejected
            .args(["rejected", "--database-url", &url])
            .env(name, value);
        let output = rejected.output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
    postgres.shutdown().await.unwrap();
}
