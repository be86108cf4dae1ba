//! Trip files in a bucket that speaks S3.

mod error;
mod object;

use std::io;
use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder as HttpBuilder, tls};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use self::error::S3Error;
use self::error::classify;
use self::object::ObjectReader;
use super::store::{Entry, Input, Listing, Packing, Store, is_hidden};
use crate::clock;
use crate::config::S3Config;
use crate::error::{ProducerError, chain};
use crate::progress::Reading;

/// Where Amazon keeps Citi Bike's files, and what servers that know no regions take.
const REGION: &str = "us-east-1";

/// How long to wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A slower upload is given up (chosen: a bad line's).
const UPLOAD_BYTES_A_SECOND_MIN: u64 = 100_000;

/// More objects below a prefix are an error (chosen: 500 times what Citi Bike's bucket has).
const OBJECTS_MAX: usize = 100_000;

/// `s3://bucket/prefix`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// What keys begin with: a folder, one object's key, or nothing.
    pub prefix: String,
}

impl std::fmt::Display for S3Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// The objects below a prefix.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    client: Client,
    location: S3Location,
    endpoint: String,
    /// How long a server may say nothing.
    silent_after: Duration,
    /// How long to try without getting a byte.
    give_up_after: Duration,
    /// The runtime that the client lives in; this type is used on a thread that may block.
    runtime: Handle,
    stop: CancellationToken,
}

impl Bucket {
    /// Makes a client; asks nothing of the bucket yet.
    pub(crate) async fn new(location: &S3Location, config: &S3Config, reading: &Reading) -> Self {
        Self {
            client: client(config).await,
            location: location.clone(),
            endpoint: config.endpoint.clone().unwrap_or_default(),
            silent_after: config.silent_after,
            give_up_after: config.give_up_after,
            runtime: Handle::current(),
            stop: reading.stop().clone(),
        }
    }

    /// The part of the keys that is left out of names: up to the prefix's last `/`.
    fn base(&self) -> &str {
        let prefix = &self.location.prefix;
        prefix.rfind('/').map_or("", |at| prefix.split_at(at + 1).0)
    }

    async fn objects(&self) -> Result<Vec<Entry>, S3Error> {
        let mut entries = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(token).await?;
            entries.extend(
                page.contents()
                    .iter()
                    .filter_map(|object| self.entry(object)),
            );
            if entries.len() > OBJECTS_MAX {
                return Err(S3Error::TooMany(OBJECTS_MAX));
            }
            match page.next_continuation_token {
                Some(next) if page.is_truncated == Some(true) => token = Some(next),
                _ => break,
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn page(&self, token: Option<String>) -> Result<ListObjectsV2Output, S3Error> {
        let mut tries = Tries::new(self);
        loop {
            let request = self.client.list_objects_v2();
            let request = request
                .bucket(&self.location.bucket)
                .prefix(&self.location.prefix)
                .set_continuation_token(token.clone());
            let asked = tokio::time::timeout(self.silent_after, request.send());
            let error = match asked.await {
                Ok(Ok(page)) => return Ok(page),
                Ok(Err(error)) => match classify(&error) {
                    // No object was asked for: what is not there is the bucket.
                    S3Error::Gone => S3Error::NoBucket,
                    error => error,
                },
                Err(_) => S3Error::Silent(self.silent_after),
            };
            tries.again("listing", error).await?;
        }
    }

    fn entry(&self, object: &aws_sdk_s3::types::Object) -> Option<Entry> {
        let name = object.key()?.strip_prefix(self.base())?;
        let modified = object.last_modified().map(|at| at.as_nanos());
        Packing::of(name).filter(|_| !is_hidden(name))?;
        Some(Entry {
            name: name.to_owned(),
            bytes: u64::try_from(object.size()?).ok()?,
            // Not every server lists tags.
            version: match object.e_tag() {
                Some(tag) => tag.to_owned(),
                None => format!("{}", modified.unwrap_or_default()),
            },
        })
    }

    async fn upload(&self, name: &str, from: &Path) -> Result<(), S3Error> {
        let key = format!("{}{name}", self.base());
        let local = |error: &dyn std::error::Error| S3Error::Other(chain(error));
        let bytes = std::fs::metadata(from)
            .map_err(|error| local(&error))?
            .len();
        let within = self.silent_after + Duration::from_secs(bytes / UPLOAD_BYTES_A_SECOND_MIN);
        let mut tries = Tries::new(self);
        loop {
            let body = ByteStream::from_path(from).await;
            let request = self.client.put_object();
            let request = request
                .bucket(&self.location.bucket)
                .key(&key)
                .body(body.map_err(|error| local(&error))?);
            let sent = tokio::select! {
                sent = tokio::time::timeout(within, request.send()) => sent,
                () = self.stop.cancelled() => {
                    return Err(S3Error::Other("writing was stopped".to_owned()));
                }
            };
            let error = match sent {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => match classify(&error) {
                    // No object has to be there: what is not there is the bucket.
                    S3Error::Gone => S3Error::NoBucket,
                    error => error,
                },
                Err(_) => S3Error::Silent(within),
            };
            tries.again(&format!("writing \"{key}\""), error).await?;
        }
    }

    fn error(&self, source: S3Error) -> ProducerError {
        ProducerError::Bucket {
            location: self.location.to_string(),
            source,
        }
    }
}

impl Store for Bucket {
    fn list(&self) -> Result<Listing, ProducerError> {
        let objects = self.runtime.block_on(self.objects());
        let mut objects = objects.map_err(|source| self.error(source))?;
        let whole = self.location.prefix.strip_prefix(self.base());
        match objects.as_slice() {
            [] => Err(self.error(S3Error::Empty)),
            [only] if Some(only.name.as_str()) == whole => Ok(Listing::File(objects.remove(0))),
            _ => Ok(Listing::Files(objects)),
        }
    }

    fn open(&self, entry: &Entry) -> io::Result<Box<dyn Input>> {
        let key = format!("{}{}", self.base(), entry.name);
        Ok(Box::new(ObjectReader::new(self.clone(), key, entry)))
    }

    fn put(&self, name: &str, from: &Path) -> Result<(), ProducerError> {
        // One request: the object is there when all of it has arrived.
        let put = self.runtime.block_on(self.upload(name, from));
        put.map_err(|source| self.error(source))
    }

    fn identity(&self) -> String {
        format!("{} {}", self.endpoint, self.location)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// Repeats what failed for a reason that may pass, in growing pauses.
struct Tries<'a> {
    bucket: &'a Bucket,
    started: tokio::time::Instant,
    pause: Duration,
}

impl<'a> Tries<'a> {
    fn new(bucket: &'a Bucket) -> Self {
        Self {
            bucket,
            started: clock::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself, if it will not pass or has not for too long, or the run is stopped.
    async fn again(&mut self, what: &str, error: S3Error) -> Result<(), S3Error> {
        let bucket = self.bucket;
        let waited = self.started.elapsed();
        if !error.is_transient() || bucket.stop.is_cancelled() || waited >= bucket.give_up_after {
            return Err(error);
        }
        warn!(
            error = chain(&error),
            "{what} in {}: trying again in {} ms: {}",
            bucket.location,
            self.pause.as_millis(),
            chain(&error),
        );
        tokio::select! {
            () = tokio::time::sleep(self.pause) => {}
            () = bucket.stop.cancelled() => {}
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
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
        // We try again ourselves, from the byte that is missing.
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
