//! A page over docks given in the test, without a database and without a port.

use std::time::Duration;

use app::{
    AppConfig, AppState, Clock, Count, Database, Dock, DockRow, Reading, SharedBoard, router,
};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Bytes of an answer a test may hold.
const BODY_MAX: usize = 4 << 20;

/// A server of the page whose docks the test decides.
pub(crate) struct Page {
    pub(crate) board: SharedBoard,
    config: AppConfig,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// A page that waits for its database: so does whoever asks for it.
    pub(crate) fn waiting() -> Self {
        Self {
            board: SharedBoard::new(),
            config: AppConfig::default(),
        }
    }

    /// A page whose database answered, and holds nothing.
    pub(crate) fn empty() -> Self {
        let page = Self::waiting();
        page.board.set_database(Database::Up);
        page
    }

    /// A page with docks at 08:14:05 in New York on Monday 2 March 2020, published just now.
    pub(crate) fn with(docks: Vec<Dock>) -> Self {
        let page = Self::empty();
        page.board.apply(reading(1, docks));
        page
    }

    pub(crate) fn with_config(self, config: AppConfig) -> Self {
        Self { config, ..self }
    }

    pub(crate) fn router(&self) -> axum::Router {
        router(self.state())
    }

    pub(crate) fn state(&self) -> AppState {
        let stop = CancellationToken::new();
        AppState::new(&self.config, self.board.clone(), stop).unwrap()
    }

    /// Asks for `path` with the given headers.
    pub(crate) async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Asks for `path` without its content.
    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.send(Request::head(path).body(Body::empty()).unwrap())
            .await
    }

    /// Sends an empty form.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(Request::post(path).body(Body::empty()).unwrap())
            .await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, BODY_MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    /// Asks for `path` as a reader without script does.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(path, &[]).await
    }
}

impl Answer {
    /// The text of the first element that starts with `opening`, tags left out.
    pub(crate) fn element(&self, opening: &str) -> Option<String> {
        let start = self.text.find(opening)?;
        let name = opening.trim_start_matches('<').split(' ').next()?;
        let rest = &self.text[start..];
        let end = rest.find(&format!("</{name}>"))?;
        Some(without_tags(&rest[..end]))
    }

    /// The opening tags of the items of the list with this id.
    pub(crate) fn items(&self, list: &str) -> Vec<String> {
        let Some(start) = self.text.find(&format!("<ul id=\"{list}\"")) else {
            return Vec::new();
        };
        let rest = &self.text[start..];
        let list = &rest[..rest.find("</ul>").unwrap()];
        list.split("<li ")
            .skip(1)
            .map(|item| item[..item.find('>').unwrap()].to_owned())
            .collect()
    }
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for character in html.chars() {
        match character {
            '<' => is_tag = true,
            '>' => is_tag = false,
            other if !is_tag => text.push(other),
            _ => {}
        }
    }
    text.replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// What the sink published as `version`; one second of the replay clock per version.
pub(crate) fn reading(version: i64, docks: Vec<Dock>) -> Reading {
    let at = "2020-03-02T13:14:04Z"
        .parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap();
    let at = at + Duration::from_secs(u64::try_from(version).unwrap());
    Reading {
        clock: Some(Clock {
            version,
            at,
            age: Duration::ZERO,
        }),
        docks: docks
            .into_iter()
            .map(|dock| DockRow {
                last_seen: None,
                last_reported: None,
                station_id: format!("{}", 3_200 + dock.id),
                dock,
                version,
            })
            .collect(),
        ..Reading::default()
    }
}

/// Docks around 1 Park Avenue, and one in Jersey City.
pub(crate) fn docks() -> Vec<Dock> {
    vec![
        dock(1, "E 32 St & Park Ave", (40.7457, -73.9819), 7),
        dock(2, "E 33 St & 5 Ave", (40.7480, -73.9846), 3),
        dock(3, "E 30 St & Park Ave S", (40.744_45, -73.983_03), 0),
        dock(4, "Newport PATH", (40.7272, -74.0338), 12),
    ]
}

pub(crate) fn count(bikes: i32) -> Count {
    Count {
        bikes,
        ..Count::default()
    }
}

pub(crate) fn dock(id: i32, name: &str, (lat, lon): (f64, f64), bikes: i32) -> Dock {
    Dock {
        id,
        name: name.to_owned(),
        lat,
        lon,
        count: count(bikes),
    }
}
