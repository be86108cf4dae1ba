//! Takes connections: how many, from whom, and when a dead one is noticed.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::limits::Quotas;
use crate::node::Node;
use crate::peer::{Ends, Guard};
use crate::responses::Responses;
use crate::session;
use crate::text::printable;
use crate::wire::Requests;

/// How long to wait after the system could not accept a connection, as when out of files.
const PAUSE: Duration = Duration::from_millis(100);
/// Least time between two warnings about refused connections.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// A machine that is gone is noticed two minutes after it last said something.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(6);

/// What all connections share.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) node: Arc<Node>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) quotas: Quotas,
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Serves each client in a task of its own.
pub(crate) async fn accept(listener: TcpListener, server: Server) {
    let mut refused = Refused::default();
    while let Some(accepted) = server.closing.run_until_cancelled(listener.accept()).await {
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let quota = Arc::clone(&server.quotas.connections);
        match quota.try_acquire_owned() {
            Ok(permit) => {
                let serving = serve(server.clone(), stream, client, permit);
                server.tasks.spawn(serving);
            }
            Err(_) => refused.report(server.quotas.limits.connections_max),
        }
    }
}

/// Connections beyond the limit since the last warning.
#[derive(Debug, Default)]
struct Refused {
    count: u64,
    reported_at: Option<Instant>,
}

impl Refused {
    fn report(&mut self, connections_max: usize) {
        self.count += 1;
        if self
            .reported_at
            .is_none_or(|at| at.elapsed() >= REPORT_EVERY)
        {
            tracing::warn!(
                connections_max,
                refused = self.count,
                "refused connections: as many as may be are open"
            );
            *self = Self {
                count: 0,
                reported_at: Some(Instant::now()),
            };
        }
    }
}

/// Serves one client; whatever happens to it happens to no other.
async fn serve(
    server: Server,
    stream: TcpStream,
    client: SocketAddr,
    _permit: OwnedSemaphorePermit,
) {
    match AssertUnwindSafe(begin(server, stream, client))
        .catch_unwind()
        .await
    {
        Ok(Ok(())) => {}
        Ok(Err(error)) => report(client, &error),
        Err(_) => tracing::error!(%client, "closed the connection of a client: a panic"),
    }
}

async fn begin(server: Server, stream: TcpStream, client: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
    let address = stream.local_addr()?;
    let ends = Ends {
        client,
        broker: address,
    };
    server.guard.check(ends, Instant::now()).await?;
    let (receiving, sending) = stream.into_split();
    let closing = server.closing.child_token();
    let read_within = server.quotas.limits.read_within;
    let responses = Responses::new(sending, read_within, closing.clone());
    let connection = Connection::new(server.node, responses, address, closing, server.tasks);
    session::serve(connection, Requests::new(receiving, server.quotas)).await
}

/// A client that is gone is no news; one that sent what is not understood is.
fn report(client: SocketAddr, error: &io::Error) {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let gone = matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset
    );
    let error = printable(error);
    if gone {
        tracing::debug!(%client, %error, "a client is gone");
    } else {
        tracing::warn!(%client, %error, "closed the connection of a client");
    }
}
