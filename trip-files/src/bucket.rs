//! Trip files in a bucket that speaks S3.

mod connection;
mod object;

use std::io;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use domain::error_chain;

use self::connection::Connection;
use self::object::ObjectReader;
use crate::config::S3Config;
use crate::error::TripFilesError;
use crate::progress::Reading;
use crate::s3_error::{S3Error, classify};
use crate::s3_location::S3Location;
use crate::store::{Entry, FileFormat, Input, Listing, Store, is_hidden};

/// A slower upload is given up (chosen: a bad line's).
const UPLOAD_BYTES_A_SECOND_MIN: u64 = 100_000;

/// More objects below a prefix are an error (chosen: 500 times what Citi Bike's bucket has).
const OBJECTS_MAX: usize = 100_000;

/// The objects below a prefix.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    connection: Connection,
    /// Address of a server that is not Amazon's, else empty.
    endpoint: String,
}

impl Bucket {
    /// Makes a client; sends no request yet.
    pub(crate) async fn new(location: &S3Location, config: &S3Config, reading: &Reading) -> Self {
        Self {
            connection: Connection::new(location, config, reading).await,
            endpoint: config.endpoint.clone().unwrap_or_default(),
        }
    }

    fn location(&self) -> &S3Location {
        &self.connection.location
    }

    /// The part of the keys that is left out of names: up to the prefix's last `/`.
    fn base(&self) -> &str {
        let prefix = &self.location().prefix;
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
        let mut retries = self.connection.retries();
        loop {
            let request = self.connection.client.list_objects_v2();
            let request = request
                .bucket(&self.location().bucket)
                .prefix(&self.location().prefix)
                .set_continuation_token(token.clone());
            let response = tokio::time::timeout(self.connection.silent_after, request.send());
            let error = match response.await {
                Ok(Ok(page)) => return Ok(page),
                Ok(Err(error)) => match classify(&error) {
                    // No object was requested: what is not there is the bucket.
                    S3Error::Gone => S3Error::NoBucket,
                    error => error,
                },
                Err(_) => S3Error::Silent(self.connection.silent_after),
            };
            retries.wait_after("listing", error).await?;
        }
    }

    fn entry(&self, object: &aws_sdk_s3::types::Object) -> Option<Entry> {
        let name = object.key()?.strip_prefix(self.base())?;
        let modified = object.last_modified().map(|at| at.as_nanos());
        FileFormat::of(name).filter(|_| !is_hidden(name))?;
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
        let local = |error: &dyn std::error::Error| S3Error::Other(error_chain(error));
        let bytes = std::fs::metadata(from)
            .map_err(|error| local(&error))?
            .len();
        let within =
            self.connection.silent_after + Duration::from_secs(bytes / UPLOAD_BYTES_A_SECOND_MIN);
        let mut retries = self.connection.retries();
        loop {
            let body = ByteStream::from_path(from).await;
            let request = self.connection.client.put_object();
            let request = request
                .bucket(&self.location().bucket)
                .key(&key)
                .body(body.map_err(|error| local(&error))?);
            let sent = tokio::select! {
                sent = tokio::time::timeout(within, request.send()) => sent,
                () = self.connection.stop.cancelled() => {
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
            retries
                .wait_after(&format!("writing \"{key}\""), error)
                .await?;
        }
    }

    fn error(&self, source: S3Error) -> TripFilesError {
        TripFilesError::Bucket {
            location: self.location().to_string(),
            source,
        }
    }
}

impl Store for Bucket {
    fn list(&self) -> Result<Listing, TripFilesError> {
        let objects = self.connection.runtime.block_on(self.objects());
        let mut objects = objects.map_err(|source| self.error(source))?;
        let whole = self.location().prefix.strip_prefix(self.base());
        match objects.as_slice() {
            [] => Err(self.error(S3Error::Empty)),
            [only] if Some(only.name.as_str()) == whole => Ok(Listing::File(objects.remove(0))),
            _ => Ok(Listing::Files(objects)),
        }
    }

    fn open(&self, entry: &Entry) -> io::Result<Box<dyn Input>> {
        let key = format!("{}{}", self.base(), entry.name);
        Ok(Box::new(ObjectReader::new(
            self.connection.clone(),
            key,
            entry,
        )))
    }

    fn put(&self, name: &str, from: &Path) -> Result<(), TripFilesError> {
        // One request: the object is there when all of it has arrived.
        let put = self.connection.runtime.block_on(self.upload(name, from));
        put.map_err(|source| self.error(source))
    }

    fn identity(&self) -> String {
        format!("{} {}", self.endpoint, self.location())
    }

    fn is_remote(&self) -> bool {
        true
    }
}
