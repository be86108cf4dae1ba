//! Keeps the leader epoch of a data folder in a file, and raises it.

use std::io;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::epoch::LeaderEpoch;
use crate::error::BrokerError;
use crate::quarantine;
use crate::sealed;

const FILE: &str = "EPOCH";
/// The greatest first epoch of a folder: half of all are left to go up.
const FIRST_MAX: i32 = 1 << 30;
/// How far an epoch goes up at most. Random, so that a folder restored from an old copy does not
/// come to the epochs that the lost one had; chosen: one in 16,384, and 100,000 starts at least.
const STEP_MAX: i32 = 1 << 14;

/// The epoch of a data folder, stored before it is used.
#[derive(Debug)]
pub(crate) struct EpochFile {
    path: PathBuf,
    current: LeaderEpoch,
}

impl EpochFile {
    /// Reads the folder's last epoch, or draws one. It must be raised before it is used.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        let path = data_dir.join(FILE);
        let stored = match sealed::read(&path, |_| false).and_then(parse) {
            Err(error) if sealed::is_broken(&error) => {
                let aside = quarantine::take(data_dir, FILE, &[Path::new(FILE)])?;
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    aside = %aside.display(),
                    "the file of leader epochs is broken: moved it aside and draw a new epoch"
                );
                None
            }
            stored => stored.map_err(BrokerError::file("read", &path))?,
        };
        let first = || StdRng::from_os_rng().random_range(1..=FIRST_MAX);
        Ok(Self {
            path,
            current: LeaderEpoch::new(stored.unwrap_or_else(first)),
        })
    }

    /// Goes up, and above an epoch that was found in a log.
    pub(crate) fn raise(&self, found: i32) -> Result<(), BrokerError> {
        let step = StdRng::from_os_rng().random_range(1..=STEP_MAX);
        let failed = BrokerError::file("write", &self.path);
        let used_up = || io::Error::other("there is no greater epoch: begin a new data folder");
        let raised = match self.current().max(found).checked_add(step) {
            Some(raised) => {
                sealed::write(&self.path, raised.to_string().as_bytes()).map(|()| raised)
            }
            None => Err(used_up()),
        };
        self.current.set(raised.map_err(failed)?);
        Ok(())
    }

    /// The number as all logs share it.
    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        self.current.clone()
    }

    fn current(&self) -> i32 {
        self.current.get()
    }
}

fn parse(content: Option<Vec<u8>>) -> io::Result<Option<i32>> {
    let Some(content) = content else {
        return Ok(None);
    };
    let epoch = std::str::from_utf8(&content)
        .ok()
        .and_then(|text| text.parse().ok());
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "it is not a number");
    epoch.ok_or_else(unknown).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_goes_up_over_restarts_and_over_what_logs_hold() {
        let folder = tempfile::tempdir().unwrap();
        let first = EpochFile::open(folder.path()).unwrap();
        first.raise(i32::MIN).unwrap();
        assert!(first.current() > 1);
        let second = EpochFile::open(folder.path()).unwrap();
        second.raise(i32::MIN).unwrap();
        assert!(second.current() > first.current());
        second.raise(1_500_000_000).unwrap();
        assert!(second.current() > 1_500_000_000);
    }

    #[test]
    fn two_folders_begin_with_different_epochs() {
        let epoch = || EpochFile::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert_ne!(epoch().current(), epoch().current());
    }
}
