//! A second opinion on S3: moto's server from `PyPI`, which shares no code with the other one.

use std::path::Path;
use std::process::Stdio;

use testkit::archives::{city, shuffled, zip};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use trip_files::{FilesConfig, S3Config};

use crate::support::read;

/// Starts a server with the folder's files as objects; gives its address.
async fn start(python: &Path, folder: &Path) -> (Child, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/moto_bucket.py");
    let mut server = Command::new(python)
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = testkit::within_patience("moto listens", lines.next_line()).await;
    (server, line.unwrap().expect("moto has ended"))
}

fn config(endpoint: String) -> FilesConfig {
    FilesConfig {
        s3: S3Config {
            endpoint: Some(endpoint),
            path_style: true,
            anonymous: true,
            ..S3Config::default()
        },
        ..FilesConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_lists_in_pages_answers_ranges_and_keeps_what_is_private() {
    let Some(python) = testkit::python("moto") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let text = shuffled(&city("trips=40000,stations=60,bikes=600,days=5"));
    write("big 202606-trips.zip", &zip(&[("202606-trips.csv", &text)]));
    // A listing's page has a thousand at most.
    for number in 0..1_001 {
        write(&format!("other-{number}.txt"), b"");
    }
    write("z.csv", &city("seed=8,trips=10"));
    write("private.csv", &city("seed=9,trips=10"));
    let (_server, endpoint) = start(&python, folder.path()).await;

    let config = config(endpoint);
    let found = read("s3://tripdata".parse().unwrap(), &config).await;
    // The one without permission is one reject.
    assert_eq!((found.len(), found.rejects().count()), (40_011, 1));
    assert_eq!(found.refused_files, 1);

    let found = read("s3://tripdata/big".parse().unwrap(), &config).await;
    assert_eq!(found.len(), 40_000);
    found.assert_whole();
}
