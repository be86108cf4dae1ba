//! A place in a bucket.

use std::fmt;
use std::str::FromStr;

/// `s3://bucket/prefix`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// What keys begin with: a folder, one object's key, or nothing.
    pub prefix: String,
}

/// A text that names no bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no bucket: write s3://bucket or s3://bucket/prefix")]
pub struct NoBucketName(String);

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for S3Location {
    type Err = NoBucketName;

    /// Reads `s3://bucket/prefix`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = text.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        match bucket {
            "" => Err(NoBucketName(text.to_owned())),
            _ => Ok(Self {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            }),
        }
    }
}
