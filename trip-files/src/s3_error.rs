//! What can be wrong with a bucket, and whether to retry.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use domain::error_chain;

/// Why a bucket or an object cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// There is no such bucket.
    #[error("the bucket does not exist: check its name and --s3-endpoint")]
    NoBucket,
    /// The bucket lies elsewhere.
    #[error("the bucket is in another region: say --s3-region {0}")]
    Region(String),
    /// The credentials do not suffice.
    #[error(
        "no permission ({0}): for a public bucket say --s3-anonymous, else check the credentials"
    )]
    Denied(String),
    /// There are no credentials.
    #[error(
        "no credentials found: for a public bucket say --s3-anonymous, else set AWS_ACCESS_KEY_ID \
         and AWS_SECRET_ACCESS_KEY or AWS_PROFILE: {0}"
    )]
    NoCredentials(String),
    /// No trip file has a key that begins like this.
    #[error("no .csv, .csv.gz, .zip or .parquet object has a key that begins like this")]
    Empty,
    /// More objects than can be meant.
    #[error("more than {0} objects have keys that begin like this: name a longer prefix")]
    TooMany(usize),
    /// The object was there when the bucket was listed.
    #[error("the object has vanished since the bucket was listed")]
    Gone,
    /// The object is another one.
    #[error("the object was replaced while it was read")]
    Changed,
    /// The server sent something else than the bytes that were requested.
    #[error("the server does not answer requests for a part of an object")]
    NoRanges,
    /// The server is overloaded, or the way to it is broken.
    #[error("{0}")]
    Unreachable(String),
    /// The body ended before its end.
    #[error("the connection was cut {0} bytes into the object")]
    Cut(u64),
    /// Nothing came.
    #[error("no response within {} ms", .0.as_millis())]
    Silent(Duration),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl S3Error {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Cut(_) | Self::Silent(_))
    }
}

/// The error of a request that has failed.
pub(super) fn classify<E>(error: &SdkError<E, HttpResponse>) -> S3Error
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let text = || error_chain(error);
    let Some(response) = error.raw_response() else {
        return match error {
            _ if text().to_lowercase().contains("credential") => S3Error::NoCredentials(text()),
            // However the way to the server broke, it may be there again.
            SdkError::DispatchFailure(failure) if !failure.is_user() => {
                S3Error::Unreachable(text())
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => S3Error::Unreachable(text()),
            _ => S3Error::Other(text()),
        };
    };
    let code = error.as_service_error().and_then(|error| error.code());
    let status = response.status().as_u16();
    match (status, code.unwrap_or_default()) {
        (_, "NoSuchBucket") => S3Error::NoBucket,
        (301 | 307 | 400, "PermanentRedirect" | "AuthorizationHeaderMalformed") => {
            let region = response.headers().get("x-amz-bucket-region");
            S3Error::Region(region.unwrap_or("…").to_owned())
        }
        (301, _) => match response.headers().get("x-amz-bucket-region") {
            Some(region) => S3Error::Region(region.to_owned()),
            None => S3Error::Other(text()),
        },
        (401 | 403, "") => S3Error::Denied(format!("status {status}")),
        (401 | 403, code) => S3Error::Denied(code.to_owned()),
        (404, _) => S3Error::Gone,
        (412, _) => S3Error::Changed,
        (408 | 429 | 500..=599, code) => {
            let text = format!("the server answers {status} {code}");
            S3Error::Unreachable(text.trim_end().to_owned())
        }
        // A whole response that cannot be understood was cut, or came from something in between.
        (200..=299, _) => S3Error::Unreachable(text()),
        _ => S3Error::Other(text()),
    }
}
