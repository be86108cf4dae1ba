//! A server over a real Postgres, and clients on real sockets.

use std::net::SocketAddr;

use app::{AppConfig, AppError, Limits, Server};
use embedded_postgres::Postgres;
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::{postgres, within_patience};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The tables the app reads, as `migrations/` makes them.
const TABLES: [&str; 9] = [
    include_str!("../../../migrations/0001_records.sql"),
    include_str!("../../../migrations/0002_stream_cursor.sql"),
    include_str!("../../../migrations/0003_availability.sql"),
    include_str!("../../../migrations/0004_views.sql"),
    include_str!("../../../migrations/0006_dock_status.sql"),
    include_str!("../../../migrations/0007_stream_failure.sql"),
    include_str!("../../../migrations/0010_station_service.sql"),
    include_str!("../../../migrations/0011_station_stock.sql"),
    include_str!("../../../migrations/0013_past.sql"),
];

pub(crate) struct City {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) postgres: Postgres,
    pub(crate) connection: PgConnection,
}

impl City {
    /// A database with two docks at version 1; none where no Postgres is installed.
    pub(crate) async fn start() -> Option<Self> {
        if !postgres::is_installed() {
            return None;
        }
        let folder = postgres::folder();
        let postgres = postgres::start(folder.path().join("postgres")).await;
        let connection = postgres::connect(postgres.url()).await;
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

    pub(crate) async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.connection)
            .await
            .unwrap();
    }

    /// Publishes as the sink does: rows, clock and notification in one transaction.
    pub(crate) async fn publish(&mut self, version: i64, sql: &str) {
        self.run(&format!(
            "begin; {sql};
             update replay_clock set version = {version}, at = at + interval '5 s',
                    published_at = now();
             select pg_notify('availability', '{version}'); commit;"
        ))
        .await;
    }
}

/// An event stream, by line.
pub(crate) async fn listen(address: SocketAddr, path: &str) -> Lines<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(stream).lines()
}

/// The next line that holds `text`.
pub(crate) async fn hear(lines: &mut Lines<BufReader<TcpStream>>, text: &str) -> String {
    let wait = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the line goes on");
            if line.contains(text) {
                return line;
            }
        }
    };
    within_patience(&format!("{text} is heard"), wait).await
}

impl City {
    /// As many more docks, at version 1, each with a name as long as real ones.
    pub(crate) async fn add_docks(&mut self, docks: usize) {
        self.run(&format!(
            "insert into location (station_id, street, latitude, longitude)
             select 'many-' || n, 'E ' || n || ' St & Somebody Else Ave', 40.7 + n * 1e-5, -73.98
               from generate_series(1, {docks}) n;
             insert into availability
             select location_id, 5, false, 1 from location where station_id like 'many-%'"
        ))
        .await;
    }

    /// A server on this database.
    pub(crate) async fn serve(&self, limits: Limits) -> Running {
        Running::start(AppConfig {
            database_url: self.postgres.url().to_owned(),
            limits,
            ..AppConfig::default()
        })
        .await
    }
}

/// A server that answers.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), AppError>>,
}

impl Running {
    pub(crate) async fn start(config: AppConfig) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(AppConfig { listen, ..config }).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        let task = tokio::spawn(server.run(stop.clone()));
        Self {
            address,
            stop,
            task,
        }
    }

    /// A server whose database never answers: enough for what needs no docks.
    pub(crate) async fn without_database(limits: Limits) -> Self {
        Self::start(AppConfig {
            database_url: "postgres://nobody@127.0.0.1:1/none".to_owned(),
            limits,
            ..AppConfig::default()
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = within_patience("the server stops", self.task).await;
        ended.unwrap().unwrap();
    }

    /// A connection from one of the addresses of this machine, which takes in little at a time.
    pub(crate) async fn connect_from(&self, peer: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.bind(SocketAddr::from((peer, 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// The head of the answer to a GET, and the connection, from which nothing else was taken.
    pub(crate) async fn open_from(&self, peer: [u8; 4], path: &str) -> (String, TcpStream) {
        let mut stream = self.connect_from(peer).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        (head(&mut stream).await, stream)
    }
}

/// Reads up to the end of an answer's head; what is there if the connection ends before.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
