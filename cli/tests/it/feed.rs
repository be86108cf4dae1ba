//! A recorded live feed, served on loopback.

use std::fs;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Path as UrlPath;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

/// Serves the files of a folder of `testdata/gbfs`, of its counts the first; gives the source to poll, and
/// the task to abort.
pub(crate) async fn serve(folder: &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let source = format!("gbfs:{origin}/gbfs.json");
    let file = move |UrlPath(file): UrlPath<String>| async move {
        let file = file.replace("status.json", "status-1.json");
        let text = fs::read_to_string(testdata().join("gbfs").join(folder).join(file)).unwrap();
        text.replace("ORIGIN", &origin)
    };
    let router = Router::new().route("/{file}", get(file));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (source, serving)
}
