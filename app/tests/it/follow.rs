//! The whole server over a real Postgres.

use std::time::Duration;

use app::{AppConfig, Server};
use embedded::postgres::{Postgres, PostgresConfig, find_binaries};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// The tables the app reads, as `migrations/` makes them.
const TABLES: [&str; 2] = [
    include_str!("../../../migrations/0001_records.sql"),
    include_str!("../../../migrations/0003_availability.sql"),
];

/// Longer than any wait of the server; past it something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

struct City {
    folder: tempfile::TempDir,
    postgres: Postgres,
    connection: PgConnection,
}

impl City {
    /// A database with two docks at version 1; none where no Postgres is installed.
    async fn start() -> Option<Self> {
        if let Err(error) = find_binaries() {
            assert!(std::env::var_os("CI").is_none(), "{error}");
            eprintln!("skipped: {error}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("postgres");
        let postgres = Postgres::start(PostgresConfig {
            data_dir,
            listen: None,
        })
        .await
        .unwrap();
        let connection = PgConnection::connect(postgres.url()).await.unwrap();
        let mut city = Self {
            folder,
            postgres,
            connection,
        };
        for table in TABLES {
            city.run(table).await;
        }
        city.run(
            "insert into location (station_id, street, latitude, longitude) values
                 ('A', 'E 32 St & Park Ave', 40.7457, -73.9819),
                 ('B', 'E 33 St & 5 Ave', 40.7480, -73.9846);
             insert into availability values (1, 7, false, 1), (2, 0, false, 1);
             insert into replay_clock values (true, '2020-03-02T13:14:05Z', 1, now());",
        )
        .await;
        Some(city)
    }

    async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.connection)
            .await
            .unwrap();
    }

    /// Publishes as the sink does: rows, clock and notification in one transaction.
    async fn publish(&mut self, version: i64, sql: &str) {
        self.run(&format!(
            "begin; {sql};
             update replay_clock set version = {version}, at = at + interval '5 s',
                    published_at = now();
             select pg_notify('availability', '{version}'); commit;"
        ))
        .await;
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn listen(address: std::net::SocketAddr, path: &str) -> Lines<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(stream).lines()
}

/// The next line that holds `text`.
async fn hear(lines: &mut Lines<BufReader<TcpStream>>, text: &str) -> String {
    let wait = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the line goes on");
            if line.contains(text) {
                return line;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("never heard {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_reaches_open_pages_and_a_lost_database_shows_itself() {
    let Some(mut city) = City::start().await else {
        return;
    };
    let config = AppConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: city.postgres.url().to_owned(),
        ..AppConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let running = tokio::spawn(server.run(stop.clone()));

    let page = get(address, "/").await;
    assert!(
        page.contains("data-dock=\"1\" data-bikes=\"7\""),
        "the first page has the docks"
    );

    let mut live = listen(address, "/live?since=1").await;
    hear(&mut live, "\"docks\":[]").await;
    city.publish(
        2,
        "update availability set bikes = 6, version = 2 where location_id = 1",
    )
    .await;
    let delta = hear(&mut live, "\"version\":2").await;
    assert!(delta.contains("\"docks\":[[1,6,false]]"), "{delta}");

    let feed = get(address, "/gbfs/3.0/station_status.json").await;
    assert!(
        feed.contains("\"station_id\":\"A\",\"num_vehicles_available\":6,"),
        "{feed}"
    );

    // A dock that nobody knew comes with its name and place.
    city.publish(
        3,
        "insert into location (station_id, street, latitude, longitude)
             values ('C', 'Newport PATH', 40.7272, -74.0338);
         insert into availability values (3, 2, true, 3)",
    )
    .await;
    let delta = hear(&mut live, "\"version\":3").await;
    assert!(
        delta.contains("[[3,2,true]]") && delta.contains("Newport PATH"),
        "{delta}"
    );

    // The database goes; the page keeps what it has.
    let City {
        folder,
        postgres,
        connection,
    } = city;
    connection.close().await.unwrap();
    postgres.shutdown().await.unwrap();
    hear(&mut live, "\"database\":\"down\"").await;
    let page = get(address, "/").await;
    assert!(page.contains("the database does not answer"));
    assert!(page.contains("data-dock=\"1\" data-bikes=\"6\""));

    stop.cancel();
    tokio::time::timeout(PATIENCE, running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    drop(folder);
}
