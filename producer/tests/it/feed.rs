//! A recorded feed, served over HTTP as an operator would.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use producer::{ProducerConfig, Source};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What the server says when it is asked for the counts.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    /// A file below `testdata/gbfs`.
    File(&'static str),
    /// A text instead of a file.
    Text(String),
    /// 503, to be asked again after so many seconds.
    Busy(u64),
}

/// A question for a file.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Of the answer: 304 if the question named the file's tag.
    pub(crate) status: u16,
    pub(crate) at: Instant,
}

/// A server that gives one play after the other for `station_status.json`, the last one for ever.
pub(crate) struct FeedServer {
    origin: String,
    asked: watch::Receiver<Vec<Asked>>,
    stage: Arc<Stage>,
    task: JoinHandle<()>,
}

struct Stage {
    folder: &'static str,
    origin: String,
    /// Files given instead of those of the folder.
    instead: Mutex<HashMap<&'static str, Play>>,
    plays: Vec<Play>,
    played: Mutex<usize>,
    asked: watch::Sender<Vec<Asked>>,
}

impl FeedServer {
    /// Serves a folder below `testdata/gbfs` with these counts.
    pub(crate) async fn start(folder: &'static str, plays: &[Play]) -> Self {
        Self::start_with(folder, plays, &[]).await
    }

    pub(crate) async fn start_with(
        folder: &'static str,
        plays: &[Play],
        instead: &[(&'static str, Play)],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = watch::channel(Vec::new());
        let stage = Arc::new(Stage {
            folder,
            origin: origin.clone(),
            instead: Mutex::new(instead.iter().cloned().collect()),
            plays: plays.to_vec(),
            played: Mutex::new(0),
            asked: sender,
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&stage));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            origin,
            asked,
            stage,
            task,
        }
    }

    /// Gives another text for a file from now on.
    pub(crate) fn change(&self, file: &'static str, text: String) {
        let mut instead = self.stage.instead.lock().unwrap();
        instead.insert(file, Play::Text(text));
    }

    pub(crate) fn source(&self) -> Source {
        format!("gbfs:{}/gbfs.json", self.origin).parse().unwrap()
    }

    /// Questions for a file so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.borrow();
        asked
            .iter()
            .filter(|asked| asked.path == path)
            .cloned()
            .collect()
    }

    /// Waits until the counts were asked for so many times.
    pub(crate) async fn asked_for_counts(&self, times: usize) {
        self.asked_for(COUNTS, times).await;
    }

    /// Waits until a file was asked for so many times.
    pub(crate) async fn asked_for(&self, path: &str, times: usize) {
        let mut asked = self.asked.clone();
        let enough = |asked: &Vec<Asked>| {
            let questions = asked.iter().filter(|asked| asked.path == path);
            questions.count() >= times
        };
        asked.wait_for(enough).await.unwrap();
    }

    /// Texts with the server's own address made readable.
    pub(crate) fn readable(&self, text: &str) -> String {
        text.replace(&self.origin, "http://feed")
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) const COUNTS: &str = "/station_status.json";

/// Polls without a pause of its own; so many times, or until it is stopped.
pub(crate) fn polls(polls_max: Option<u64>) -> ProducerConfig {
    ProducerConfig {
        poll_min: Duration::from_millis(20),
        polls_max,
        ..ProducerConfig::default()
    }
}

pub(crate) fn recorded(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/gbfs");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

async fn answer(State(stage): State<Arc<Stage>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let tag = request.headers().get(header::IF_NONE_MATCH).cloned();
    let play = stage.play(&path);
    let response = match play {
        Play::Busy(seconds) => {
            let retry = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, retry).into_response()
        }
        Play::File(_) | Play::Text(_) => {
            let text = match play {
                Play::Text(text) => text,
                Play::File(file) => recorded(file),
                Play::Busy(_) => unreachable!(),
            };
            let text = text.replace("ORIGIN", &stage.origin);
            let own_tag = format!("\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
            if tag
                .as_ref()
                .is_some_and(|tag| tag.as_bytes() == own_tag.as_bytes())
            {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                ([(header::ETAG, own_tag)], text).into_response()
            }
        }
    };
    let asked = Asked {
        path,
        status: response.status().as_u16(),
        at: Instant::now(),
    };
    stage.asked.send_modify(|all| all.push(asked));
    response
}

impl Stage {
    fn play(&self, path: &str) -> Play {
        let name = path.trim_start_matches('/');
        if let Some(play) = self.instead.lock().unwrap().get(name) {
            return play.clone();
        }
        if path != COUNTS {
            return Play::Text(recorded(&format!("{}/{name}", self.folder)));
        }
        let mut played = self.played.lock().unwrap();
        let play = self.plays[(*played).min(self.plays.len() - 1)].clone();
        *played += 1;
        play
    }
}
