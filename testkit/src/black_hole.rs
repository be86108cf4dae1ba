//! A way to a server that can become a black hole: bytes go in, connections stay open, nothing comes
//! out. When it passes again it has forgotten them, as a router that was started again.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The way; connections that are open when it is dropped stay so.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    swallows: Arc<watch::Sender<bool>>,
}

impl BlackHole {
    /// A way to this server, on a port of its own.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallows = Arc::new(watch::Sender::new(false));
        let state = Arc::clone(&swallows);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                // The server may be gone before the test's last client is.
                let Ok(server) = TcpStream::connect(server).await else {
                    continue;
                };
                let (client, server) = (client.into_split(), server.into_split());
                tokio::spawn(forward(client.0, server.1, state.subscribe()));
                tokio::spawn(forward(server.0, client.1, state.subscribe()));
            }
        });
        Self { address, swallows }
    }

    /// What clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nothing comes out any more.
    pub fn swallow(&self) {
        self.swallows.send_replace(true);
    }

    /// Bytes of new connections come out again.
    pub fn pass(&self) {
        self.swallows.send_replace(false);
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut swallows: watch::Receiver<bool>,
) {
    let swallowed = async { drop(swallows.wait_for(|swallows| *swallows).await) };
    tokio::select! {
        _ = tokio::io::copy(&mut from, &mut to) => return,
        () = swallowed => {}
    }
    // Both ends are held open.
    drop(swallows.wait_for(|swallows| !*swallows).await);
}
