//! A broker in a process of its own, for tests that kill it or look at what it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::{Process, wait_until};

use crate::support::start;

const FOLDER: &str = "BIKESHARE_TEST_BROKER_FOLDER";

/// Not a test by itself: the process that [`Child`] starts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by tests that need a broker in a process of its own"]
async fn broker_of_its_own() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let broker = start(&folder).await;
    fs::write(folder.join("address.tmp"), broker.address().to_string()).unwrap();
    fs::rename(folder.join("address.tmp"), folder.join("address")).unwrap();
    std::future::pending::<()>().await;
}

/// Killed with the test, whatever happens.
pub(crate) struct Child(Process);

impl Child {
    /// Starts a broker on a folder, which may have been another one's before; gives its address.
    pub(crate) async fn start(folder: &Path) -> (Self, String) {
        let address = folder.join("address");
        wait_until("the old address is gone", async || {
            !address.exists() || fs::remove_file(&address).is_ok()
        })
        .await;
        let variables = [(FOLDER, folder.to_str().unwrap())];
        let child = Self(Process::of_test("child::broker_of_its_own", &variables));
        wait_until("the child listens", async || address.exists()).await;
        (child, fs::read_to_string(address).unwrap())
    }

    /// Hundredths of a second that all its threads have computed.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<_> = fields.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    pub(crate) fn resident_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() / 1024
    }

    /// Whether it computes for less than a twentieth of a second in one.
    pub(crate) async fn is_idle(&self) -> bool {
        let before = self.ticks();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.ticks() - before < 5
    }
}
