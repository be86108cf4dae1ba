//! Roles as processes of their own, on a broker and a database that outlive them.

use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::PgConnection;
use testkit::broker::FluvioNode;
use testkit::postgres::Database;
use testkit::{Process, wait_until};

const TOPIC: &str = "trips";

/// What is stored of the topic, and whether it is shown: how far the modules' cursors are behind, and the
/// clock.
const STORED: &str = "select next_offset from stream_cursor order by partition, module";
const SHOWN: &str = "select coalesce((select at from replay_clock) =
    (select min(watermark) from stream_cursor where module = 'trip-split'), false)";

/// A broker with the topic and the SmartModules, and a folder for logs.
pub(crate) struct Deployment {
    pub(crate) node: FluvioNode,
    folder: tempfile::TempDir,
}

impl Deployment {
    pub(crate) async fn start() -> Self {
        let node = FluvioNode::start().await;
        node.create(TOPIC, 3).await;
        for module in sink::Module::ALL {
            let wasm = testkit::smartmodule(module.name());
            node.push(module.name(), &wasm).await;
        }
        let folder = tempfile::tempdir().unwrap();
        Self { node, folder }
    }

    /// A new database with all tables.
    pub(crate) async fn database() -> Database {
        let database = Database::empty().await;
        sink::migrate(&database.url()).await.unwrap();
        database
    }

    /// `bikeshare produce`: a simulated city, which takes so many times less time than it lives.
    pub(crate) fn produce(&self, city: &str, speed: &str) -> Process {
        let arguments = ["produce", "--source", city, "--speed", speed];
        self.run(&arguments, &["--fluvio", &self.node.address])
    }

    /// `bikeshare sink`.
    pub(crate) fn sink(&self, database: &Database) -> Process {
        let (fluvio, database) = (&self.node.address, database.url());
        self.run(
            &["sink"],
            &["--fluvio", fluvio, "--database-url", &database],
        )
    }

    /// `bikeshare serve` at this address.
    pub(crate) fn serve(&self, database: &Database, listen: &str) -> Process {
        let database = database.url();
        self.run(
            &["serve", "--listen", listen],
            &["--database-url", &database],
        )
    }

    fn run(&self, arguments: &[&str], addresses: &[&str]) -> Process {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.log", arguments[0]);
        let log = File::create(self.folder.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command
            .args(arguments)
            .args(addresses)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Process::start(&mut command)
    }

    /// Lines of all logs with this text.
    pub(crate) fn logged(&self, text: &str) -> Vec<String> {
        let logs = std::fs::read_dir(self.folder.path()).unwrap();
        let logs = logs.map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap());
        let lines = logs.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|line| line.contains(text)).collect()
    }

    /// Waits until all that is on the topic is stored and shown.
    pub(crate) async fn drained(&self, database: &Database) {
        let ends = sink::log_ends(&self.node.config(), TOPIC).await.unwrap();
        let ends: Vec<_> = ends.values().flat_map(|end| [*end, *end]).collect();
        wait_until("all is stored and shown", async || {
            let stored = database.lines(STORED).await;
            let stored = stored.iter().map(|offset| offset.parse::<i64>().unwrap());
            stored.eq(ends.iter().copied()) && database.value(SHOWN).await == "true"
        })
        .await;
    }

    /// How far each partition is stored, and where its log ends.
    pub(crate) async fn progress(&self, connection: &mut PgConnection) -> Vec<(i64, i64)> {
        let ends = sink::log_ends(&self.node.config(), TOPIC).await.unwrap();
        let stored: Vec<i64> = sqlx::query_scalar(
            "select next_offset from stream_cursor where module = 'trip-split' order by partition",
        )
        .fetch_all(connection)
        .await
        .unwrap();
        stored.into_iter().zip(ends.into_values()).collect()
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(process: &Process, signal: &str) {
    let pid = process.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status();
    assert!(sent.unwrap().success());
}

/// Stops a process in good order.
pub(crate) async fn terminate(mut process: Process) {
    signal(&process, "-TERM");
    wait_until("the process has ended", async || {
        process.try_wait().unwrap().is_some()
    })
    .await;
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
