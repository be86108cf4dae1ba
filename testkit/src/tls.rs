//! Certificates made for a test, and TLS before a server that speaks none.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::unique;

/// Who signs certificates; they lie in a folder that goes with it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// PEM files of a certificate and of its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.folder.path().display())
    }
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named(&unique("authority"));
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder,
        }
    }
}

impl Authority {
    /// PEM file of its own certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signs a certificate for these names; one of the same `file` is replaced, as by a renewal.
    pub fn issue(&self, file: &str, names: &[&str]) -> Identity {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = named(file);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let path = |end: &str| self.folder.path().join(format!("{file}.{end}"));
        let identity = Identity {
            cert: path("pem"),
            key: path("key"),
        };
        std::fs::write(&identity.cert, cert.pem()).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Speaks TLS before a server at 127.0.0.1, with those who have a certificate of `clients`; gives its address.
///
/// It listens on the server's port at 127.0.0.`host`, of one digit, and replaces the server's address in what it
/// says by its own: so clients that are told where to go come back. Files are read anew for each connection. Ends
/// with the runtime.
pub async fn front(server: SocketAddr, host: u8, own: Identity, clients: PathBuf) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), server.port()));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let config = server_config(&own, &clients);
            tokio::spawn(async move {
                // A client that is refused has its own error.
                serve(client, config, server, address).await.ok();
            });
        }
    });
    address
}

fn server_config(own: &Identity, clients: &Path) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(clients).unwrap())
        .unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&own.cert).unwrap()],
            PrivateKeyDer::from_pem_file(&own.key).unwrap(),
        );
    Arc::new(config.unwrap())
}

async fn serve(
    client: TcpStream,
    config: Arc<ServerConfig>,
    server: SocketAddr,
    own: SocketAddr,
) -> std::io::Result<()> {
    let client = TlsAcceptor::from(config).accept(client).await?;
    let server_side = TcpStream::connect(server).await?;
    server_side.set_nodelay(true)?;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server_side.into_split();
    let replaced = (server.ip().to_string(), own.ip().to_string());
    let back = async {
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = from_server.read(&mut chunk).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            replace(
                &mut chunk[..read],
                replaced.0.as_bytes(),
                replaced.1.as_bytes(),
            );
            to_client.write_all(&chunk[..read]).await?;
            to_client.flush().await?;
        }
    };
    tokio::select! {
        forth = tokio::io::copy(&mut from_client, &mut to_server) => forth.map(drop),
        back = back => back,
    }
}

/// Both are of the same length, or all that is behind would move.
fn replace(text: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    for start in 0..text.len().saturating_sub(from.len() - 1) {
        if text[start..].starts_with(from) {
            text[start..start + to.len()].copy_from_slice(to);
        }
    }
}
