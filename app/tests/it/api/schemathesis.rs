//! What Schemathesis finds when it asks for whatever the document allows, and for what it does not.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::server;

/// What takes longer has found something to wait for.
const PATIENCE: &str = "60";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_document_allows_or_forbids_is_answered_otherwise() {
    let Some(python) = testkit::python("schemathesis") else {
        return;
    };
    let Some((_city, server)) = server().await else {
        return;
    };
    let base = format!("http://{}", server.address);
    let tries = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let served = format!("{base}/api/v1/openapi.json");
        let right = try_all(&python, folder.path(), &served, &base);
        // The same with one type that is not so shows that it can find errors here.
        let wrong = folder.path().join("wrong.json");
        std::fs::write(&wrong, wrong_document()).unwrap();
        let wrong = try_all(&python, folder.path(), wrong.to_str().unwrap(), &base);
        (right, wrong)
    });
    let (right, wrong) = tries.await.unwrap();
    server.stop().await;
    if let Err(report) = right {
        panic!("{report}");
    }
    let report = wrong.expect_err("a number is no text");
    assert!(report.contains("Response violates schema"), "{report}");
}

/// The document that is published, with departures as a text.
fn wrong_document() -> String {
    let document = include_str!("../../../../docs/openapi.json");
    let mut document: Value = serde_json::from_str(document).unwrap();
    document["components"]["schemas"]["Window"]["properties"]["departures"] =
        serde_json::json!({"type": "string"});
    document.to_string()
}

/// Tries the routes of a document at a server; the report if there is anything to say.
fn try_all(python: &PathBuf, folder: &Path, document: &str, base: &str) -> Result<(), String> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/api/schemathesis.toml");
    let output = Command::new("timeout")
        .arg(PATIENCE)
        .arg(python)
        // It keeps what it has found in its folder.
        .current_dir(folder)
        // The server is on this machine, where no proxy goes.
        .env("NO_PROXY", "127.0.0.1")
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(config)
        .args(["run", document, "--url", base])
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    let report = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&report).into_owned())
}
