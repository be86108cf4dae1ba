//! The official Python client from `PyPI`: an independent reading of the protocol.

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use testkit::{smartmodule_path, unique};

use crate::support::start;

#[tokio::test]
async fn the_python_client_creates_produces_and_consumes_through_a_module() {
    let Some(python) = testkit::python("fluvio") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (address, broker) = match std::env::var("BIKESHARE_TEST_CLUSTER") {
        Ok(address) => (address, None),
        Err(_) => {
            let broker = start(folder.path()).await;
            (broker.address().to_string(), Some(broker))
        }
    };
    let seen = tokio::task::spawn_blocking(move || run(&python, &address))
        .await
        .unwrap();
    expect![[r#"
        created: True
        offsets: [0, 1, 2]
        read back: True
        through the module: 0 0 departure
        through the module: 0 0 arrival
        through the module: 1 1 departure
        through the module: 1 1 arrival
        through the module: 2 2 departure
        through the module: 2 2 arrival
        deleted: True
    "#]]
    .assert_eq(&seen);
    if let Some(broker) = broker {
        broker.shutdown().await.unwrap();
    }
}

fn run(python: &Path, address: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("timeout")
        .arg("60")
        .arg(python)
        .arg(folder.join("tests/python/conformance.py"))
        .args([address, &unique("python")])
        .arg(smartmodule_path("trip-split"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
