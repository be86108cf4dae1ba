//! A real S3 server on a folder.

use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const BUCKET: &str = "tripdata";

/// The server, which everybody may use; it ends when this is dropped.
pub(crate) struct S3Server {
    pub(crate) endpoint: String,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let service = S3ServiceBuilder::new(files).build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let http = auto::Builder::new(TokioExecutor::new());
                    let served = http.serve_connection(TokioIo::new(socket), service).await;
                    // A connection that the client cuts ends in an error.
                    served.ok();
                });
            }
        });
        Self {
            endpoint,
            folder,
            task,
        }
    }

    /// Where an object lies.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// The flags that lead to it.
    pub(crate) fn flags(&self) -> [&str; 4] {
        let endpoint = &self.endpoint;
        [
            "--s3-path-style",
            "--s3-anonymous",
            "--s3-endpoint",
            endpoint,
        ]
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
