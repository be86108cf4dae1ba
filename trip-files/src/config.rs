//! How files are read.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of reading a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesConfig {
    /// Most bytes of rows in memory while a file is ordered; as much again may hold files that are
    /// small enough to stay there. What is more lies on the disk.
    pub sort_bytes: usize,
    /// Folder for the rows that do not stay in memory: 62 bytes a trip. Without it, a temporary one.
    pub spill_dir: Option<PathBuf>,
    /// How to reach a bucket; for such a source only.
    pub s3: S3Config,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            // Chosen: 900,000 trips.
            sort_bytes: 64 << 20,
            spill_dir: None,
            s3: S3Config::default(),
        }
    }
}

/// How to reach a server that speaks S3. What is not said here, the environment and the profile
/// files of Amazon's tools say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// URL of a server that is not Amazon's.
    pub endpoint: Option<String>,
    /// The bucket's region.
    pub region: Option<String>,
    /// Whether the bucket's name stands in the path, as most other servers need it, and not in the
    /// host's name.
    pub path_style: bool,
    /// Whether to send requests without credentials, as for public buckets.
    pub anonymous: bool,
    /// How long a server may send nothing before a request is retried.
    pub silent_after: Duration,
    /// How long to try without getting a byte before giving up.
    pub give_up_after: Duration,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            path_style: false,
            anonymous: false,
            silent_after: Duration::from_secs(20),
            give_up_after: Duration::from_secs(60),
        }
    }
}
