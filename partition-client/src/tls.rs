//! TLS to Fluvio: its client's own connections, and those to the SPUs.
//!
//! Fluvio's own connector asks for a client's certificate even where the server does not, and brings a second
//! provider of TLS. This one has the certificate where one is given, and reads all files anew for each
//! connection, so that renewed ones need no restart.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use fluvio::config::{TlsConfig, TlsPaths, TlsPolicy};
use fluvio::{Fluvio, FluvioAdmin, FluvioClusterConfig};
use fluvio_future::net::tcp_stream::stream;
use fluvio_future::net::{
    BoxReadConnection, BoxWriteConnection, ConnectionFd, DefaultDomainConnector, DomainConnector,
    TcpDomainConnector,
};
use futures_rustls::TlsConnector;
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::pem::PemObject as _;
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use futures_util::AsyncReadExt as _;

/// What a client needs to know of a cluster that speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities that sign the servers' certificates.
    pub ca: PathBuf,
    /// PEM files of this client's certificate chain and of its key, for servers that ask for them.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The controller's name in its certificate. An SPU's is `NAME.domain`, as in Fluvio.
    pub domain: String,
}

impl Tls {
    /// As a cluster's configuration holds it.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub fn policy(self) -> Result<TlsPolicy> {
        let (cert, key) = self.client.unwrap_or_default();
        let paths = TlsPaths {
            domain: self.domain,
            ca_cert: self.ca,
            cert,
            key,
        };
        // Better now than with the first connection.
        server_name(&paths.domain)?;
        client_config(&paths)?;
        Ok(TlsPolicy::Verified(TlsConfig::Files(paths)))
    }
}

/// Connects to a cluster.
///
/// # Errors
/// If there is no Fluvio at its address, or one that is not trusted or does not trust this client.
pub async fn connect(config: &FluvioClusterConfig) -> Result<Fluvio> {
    Fluvio::connect_with_connector(connector(config)?, config).await
}

/// [`connect`] for topics and SmartModules.
///
/// # Errors
/// As [`connect`].
pub async fn connect_admin(config: &FluvioClusterConfig) -> Result<FluvioAdmin> {
    Ok(connect(config).await?.admin().await)
}

/// What connections to a cluster are made with.
pub(crate) fn connector(config: &FluvioClusterConfig) -> Result<DomainConnector> {
    match &config.tls {
        TlsPolicy::Disabled => Ok(Box::new(DefaultDomainConnector::new())),
        TlsPolicy::Verified(TlsConfig::Files(paths)) => Ok(Box::new(Connector(paths.clone()))),
        _ => bail!("TLS to Fluvio is by files, and verified"),
    }
}

#[derive(Clone)]
struct Connector(TlsPaths);

#[async_trait]
impl TcpDomainConnector for Connector {
    async fn connect(
        &self,
        address: &str,
    ) -> io::Result<(BoxWriteConnection, BoxReadConnection, ConnectionFd)> {
        let config = client_config(&self.0).map_err(other)?;
        let name = server_name(&self.0.domain).map_err(other)?;
        let stream = stream(address).await?;
        let fd = stream.as_raw_fd();
        let connector = TlsConnector::from(Arc::new(config));
        let connected = connector.connect(name, stream).await;
        let connected = connected.with_context(|| {
            format!(
                "no TLS with {address}, whose name should be {} and whose authority {:?}",
                self.0.domain, self.0.ca_cert
            )
        });
        let (read, write) = connected.map_err(other)?.split();
        Ok((Box::new(write), Box::new(read), fd))
    }

    fn new_domain(&self, domain: String) -> DomainConnector {
        let paths = self.0.clone();
        Box::new(Self(TlsPaths { domain, ..paths }))
    }

    fn domain(&self) -> &str {
        &self.0.domain
    }

    fn clone_box(&self) -> DomainConnector {
        Box::new(self.clone())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.0.domain)
    }
}

/// The error with its causes as one text: Fluvio's client shows no causes of an I/O error.
fn other(error: anyhow::Error) -> io::Error {
    io::Error::other(format!("{error:#}"))
}

fn server_name(domain: &str) -> Result<ServerName<'static>> {
    let name = ServerName::try_from(domain.to_owned());
    name.with_context(|| format!("{domain:?} is no name that a certificate can have"))
}

fn client_config(paths: &TlsPaths) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&paths.ca_cert)? {
        let added = roots.add(certificate);
        added.with_context(|| format!("{:?} has a certificate that is none", paths.ca_cert))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    if paths.cert.as_os_str().is_empty() {
        return Ok(config.with_no_client_auth());
    }
    let key = PrivateKeyDer::from_pem_file(&paths.key);
    let key =
        key.with_context(|| format!("could not read a private key in PEM from {:?}", paths.key))?;
    let config = config.with_client_auth_cert(certificates(&paths.cert)?, key);
    config.with_context(|| {
        format!(
            "the key {:?} is not of the certificate {:?}",
            paths.key, paths.cert
        )
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found =
        read.with_context(|| format!("could not read certificates in PEM from {path:?}"))?;
    ensure!(!found.is_empty(), "{path:?} has no certificate in PEM");
    Ok(found)
}
