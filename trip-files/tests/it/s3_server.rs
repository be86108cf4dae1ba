//! A real S3 server on a folder, whose answers can be made to fail.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const BUCKET: &str = "tripdata";

/// The server sends bodies in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// A cut comes so long after the last piece.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is sent as it is.
    None,
    /// This status is sent instead.
    Status(u16),
    /// So many bytes of the body are sent, then the connection is cut.
    Cut(usize),
    /// So many bytes of the body are sent, then nothing more.
    Stall(usize),
    /// Pauses are made between the pieces of the body.
    Slow(Duration),
}

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The key; empty for a listing.
    pub(crate) key: String,
}

type Faults = dyn FnMut(&Asked) -> Fault + Send;

/// The server; it ends when this is dropped.
pub(crate) struct S3Server {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    asked: Vec<Asked>,
    faults: Box<Faults>,
}

impl S3Server {
    /// Starts a server that everybody may use.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server that may ask for credentials.
    pub(crate) async fn start_with(set_up: impl FnOnce(&mut S3ServiceBuilder)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let mut builder = S3ServiceBuilder::new(files);
        set_up(&mut builder);
        let service = builder.build();
        let state = Arc::new(Mutex::new(State {
            asked: Vec::new(),
            faults: Box::new(|_| Fault::None),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            folder,
            task: tokio::spawn(serve(listener, service, Arc::clone(&state))),
            state,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where an object lies.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// Makes an object.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Decides about each answer from now on; forgets what was asked.
    pub(crate) fn fail(&self, faults: impl FnMut(&Asked) -> Fault + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        state.asked.clear();
        state.faults = Box::new(faults);
    }

    /// The requests for objects, or for parts of them, since the last [`S3Server::fail`].
    pub(crate) fn asked_for(&self, key: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|asked| asked.key == key).count()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service, state: Arc<Mutex<State>>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (service, state) = (service.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let (service, state) = (service.clone(), Arc::clone(&state));
                async move { answer(request, &service, &state).await }
            });
            let http = auto::Builder::new(TokioExecutor::new());
            // A connection that was cut, on purpose or by the client, ends in an error.
            http.serve_connection(TokioIo::new(socket), answer)
                .await
                .ok();
        });
    }
}

type Pieces = StreamBody<BoxStream<'static, std::io::Result<Frame<Bytes>>>>;

async fn answer(
    request: Request<Incoming>,
    service: &S3Service,
    state: &Mutex<State>,
) -> Result<Response<Pieces>, Infallible> {
    let path = request.uri().path().trim_start_matches('/');
    let key = path.strip_prefix(BUCKET).unwrap_or(path);
    let asked = Asked {
        key: key.trim_start_matches('/').replace("%20", " "),
    };
    let fault = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        (state.faults)(&asked)
    };
    if let Fault::Status(status) = fault {
        let response = Response::builder().status(status);
        return Ok(response.body(pieces(Bytes::new(), fault)).unwrap());
    }
    let (head, body) = service
        .call(request.map(s3s::Body::from))
        .await
        .unwrap()
        .into_parts();
    let bytes = BodyExt::collect(body).await.unwrap().to_bytes();
    let mut response = Response::from_parts(head, pieces(bytes.clone(), fault));
    let headers = response.headers_mut();
    headers.insert("content-length", bytes.len().into());
    Ok(response)
}

fn pieces(bytes: Bytes, fault: Fault) -> Pieces {
    let whole = bytes.len();
    let sent = match fault {
        Fault::Cut(bytes) | Fault::Stall(bytes) => bytes.min(whole),
        _ => whole,
    };
    let starts: Vec<_> = (0..sent).step_by(PIECE_BYTES).collect();
    let data = stream::iter(starts).then(move |start| {
        let piece = bytes.slice(start..(start + PIECE_BYTES).min(sent));
        async move {
            if let Fault::Slow(pause) = fault {
                tokio::time::sleep(pause).await;
            }
            Ok(Frame::data(piece))
        }
    });
    StreamBody::new(match fault {
        Fault::Cut(_) if sent < whole => {
            let cut = async {
                // The server drops what it has not sent yet: it must have sent all before this.
                tokio::time::sleep(CUT_AFTER).await;
                Err(std::io::Error::other("cut on purpose"))
            };
            data.chain(stream::once(cut)).boxed()
        }
        Fault::Stall(_) if sent < whole => data.chain(stream::pending()).boxed(),
        _ => data.boxed(),
    })
}
