//! The way to a bucket: a client, how long to wait for it, and retries.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder as HttpBuilder, tls};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use domain::error_chain;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::S3Config;
use crate::progress::Reading;
use crate::s3_error::S3Error;
use crate::s3_location::S3Location;

/// Where Amazon keeps Citi Bike's files, and what servers that know no regions take.
const REGION: &str = "us-east-1";

/// How long to wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries, up to as much again by chance.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What all requests to one bucket share.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) location: S3Location,
    /// How long a server may send nothing.
    pub(super) silent_after: Duration,
    /// How long to retry without getting a byte.
    give_up_after: Duration,
    /// The runtime that the client lives in; the bucket is used on a thread that may block.
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
}

impl Connection {
    /// Makes a client; sends nothing yet.
    pub(super) async fn new(location: &S3Location, config: &S3Config, reading: &Reading) -> Self {
        Self {
            client: client(config).await,
            location: location.clone(),
            silent_after: config.silent_after,
            give_up_after: config.give_up_after,
            runtime: Handle::current(),
            stop: reading.stop().clone(),
        }
    }

    /// The retries of one request.
    pub(super) fn retries(&self) -> Retries<'_> {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(PAUSE_MAX)
            .with_jitter()
            .without_max_times();
        Retries {
            connection: self,
            started: Instant::now(),
            pauses: pauses.build(),
        }
    }
}

/// Retries what failed for a reason that may pass, in growing pauses.
pub(super) struct Retries<'a> {
    connection: &'a Connection,
    started: Instant,
    pauses: ExponentialBackoff,
}

impl Retries<'_> {
    /// Waits before the next try; `what` names the request in the log.
    ///
    /// # Errors
    /// The error itself, if it will not pass or has not for too long, or the run is stopped.
    pub(super) async fn wait_after(&mut self, what: &str, error: S3Error) -> Result<(), S3Error> {
        let connection = self.connection;
        let waited = self.started.elapsed();
        let is_over = connection.stop.is_cancelled() || waited >= connection.give_up_after;
        if is_over || !error.is_transient() {
            return Err(error);
        }
        let pause = self.pauses.next().unwrap_or(PAUSE_MAX);
        warn!(
            error = error_chain(&error),
            "{what} in {}: retrying in {} ms: {}",
            connection.location,
            pause.as_millis(),
            error_chain(&error),
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = connection.stop.cancelled() => {}
        }
        Ok(())
    }
}

async fn client(config: &S3Config) -> Client {
    // The process' one TLS stack is rustls on ring; the client's own choice would add another.
    let http = HttpBuilder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_WITHIN)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        // We retry ourselves, from the byte that is missing.
        .retry_config(RetryConfig::disabled())
        .region(region(config));
    if let Some(endpoint) = &config.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if config.anonymous {
        loader = loader.no_credentials();
    }
    let shared = loader.load().await;
    let builder = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(config.path_style)
        // Other servers than Amazon's know few of its checksums; a cut body is found by its length.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let builder = if config.anonymous {
        builder.allow_no_auth()
    } else {
        builder
    };
    Client::from_conf(builder.build())
}

/// The region as given, or as Amazon's tools find it, or [`REGION`].
fn region(config: &S3Config) -> RegionProviderChain {
    let given = RegionProviderChain::first_try(config.region.clone().map(Region::new));
    // On a machine of Amazon's the last place to look is a service of its own; elsewhere asking it
    // takes seconds. Who needs no credentials, or another server, need not be there.
    let chain = if config.anonymous || config.endpoint.is_some() {
        given.or_else(EnvironmentVariableRegionProvider::new())
    } else {
        given.or_default_provider()
    };
    chain.or_else(Region::new(REGION))
}
