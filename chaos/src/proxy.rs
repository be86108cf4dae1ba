//! A TCP proxy that harms what goes through it.
//!
//! Fluvio's clients ask the controller where the partitions are and dial that. So that they come back to
//! the proxy, it listens on the server's port at another loopback address, and replaces the server's
//! address in what the server says by its own, as the gateways of protocols such as FTP do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::plan::Direction;

/// Bytes that are read at once: what the server says of its address is never cut in two.
const CHUNK: usize = 64 << 10;

/// What the proxy does with all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    Cut,
    Delay(Duration),
    /// This direction is not read.
    Halve(Direction),
}

/// A way to a server; it ends with the runtime.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    /// Listens on the server's port at `127.0.0.{host}`; the server must be at `127.0.0.1`.
    pub(crate) async fn before(server: SocketAddr, host: u8) -> Result<Self> {
        let ip = Ipv4Addr::new(127, 0, 0, host);
        let address = SocketAddr::new(IpAddr::V4(ip), server.port());
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("could not listen on {address}"))?;
        let mode = Arc::new(watch::Sender::new(Mode::Pass));
        let shared = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((role, _)) = listener.accept().await {
                let serving = serve(role, server, address, shared.subscribe());
                tokio::spawn(serving);
            }
        });
        Ok(Self { address, mode })
    }

    /// What the role connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// One connection until either side ends it or it is cut; without a server it ends at once.
async fn serve(role: TcpStream, server: SocketAddr, own: SocketAddr, modes: watch::Receiver<Mode>) {
    let mut cut = modes.clone();
    let forwarded = async {
        let Ok(server_side) = TcpStream::connect(server).await else {
            return;
        };
        role.set_nodelay(true).ok();
        server_side.set_nodelay(true).ok();
        let replaced = (server.ip().to_string(), own.ip().to_string());
        let (from_role, to_role) = role.into_split();
        let (from_server, to_server) = server_side.into_split();
        tokio::select! {
            () = pump(from_role, to_server, Direction::ToServer, modes.clone(), None) => {}
            () = pump(from_server, to_role, Direction::ToRole, modes, Some(replaced)) => {}
        }
    };
    tokio::select! {
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
        () = forwarded => {}
    }
}

/// Forwards one direction until it ends.
async fn pump(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut modes: watch::Receiver<Mode>,
    replaced: Option<(String, String)>,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let is_read = |mode: &Mode| *mode != Mode::Halve(direction);
        let Ok(mode) = modes.wait_for(is_read).await.map(|mode| *mode) else {
            return;
        };
        let readable = tokio::select! {
            readable = from.readable() => readable,
            _ = modes.changed() => continue,
        };
        if readable.is_err() {
            return;
        }
        let bytes = match from.try_read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => &mut chunk[..read],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        if let Some((old, new)) = &replaced {
            replace(bytes, old.as_bytes(), new.as_bytes());
        }
        if let Mode::Delay(by) = mode {
            tokio::time::sleep(by).await;
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// Replaces each `old` by `new`, which is as long.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len(), "the length stands before the address");
    let mut start = 0;
    while let Some(found) = bytes[start..]
        .windows(old.len())
        .position(|part| part == old)
    {
        let at = start + found;
        bytes[at..at + new.len()].copy_from_slice(new);
        start = at + new.len();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A server that says its own address again for each byte it is sent.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while client.read_u8().await.is_ok() {
                        client
                            .write_all(address.ip().to_string().as_bytes())
                            .await
                            .unwrap();
                    }
                });
            }
        });
        address
    }

    async fn ask(client: &mut TcpStream) -> std::io::Result<String> {
        client.write_all(b"?").await?;
        let mut said = vec![0; "127.0.0.9".len()];
        client.read_exact(&mut said).await?;
        Ok(String::from_utf8(said).unwrap())
    }

    #[tokio::test]
    async fn what_a_server_says_of_itself_leads_back_to_the_proxy() {
        let proxy = Proxy::before(server().await, 9).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut client).await.unwrap(), "127.0.0.9");
    }

    #[tokio::test]
    async fn a_cut_ends_connections_and_refuses_new_ones_until_it_is_over() {
        let proxy = Proxy::before(server().await, 9).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        ask(&mut client).await.unwrap();
        proxy.set(Mode::Cut);
        assert!(ask(&mut client).await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(ask(&mut refused).await.is_err());
        proxy.set(Mode::Pass);
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        ask(&mut client).await.unwrap();
    }

    #[tokio::test]
    async fn a_halved_connection_holds_answers_back_and_loses_none() {
        let proxy = Proxy::before(server().await, 9).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        ask(&mut client).await.unwrap();
        proxy.set(Mode::Halve(Direction::ToRole));
        let answer = ask(&mut client);
        tokio::pin!(answer);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut answer).await;
        assert!(early.is_err(), "an answer came through");
        proxy.set(Mode::Pass);
        assert_eq!(answer.await.unwrap(), "127.0.0.9");
    }
}
