//! Keeps what the broker cannot use, instead of deleting it.
//!
//! ```text
//! quarantine/trips-1/logs/trips/0/00000000000000000000.log
//!            └ name and number, then the path it had in the data folder
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::BrokerError;
use crate::files::create_folder;

const FOLDER: &str = "quarantine";

/// Moves those of some paths of the data folder that exist into a new folder of the quarantine.
pub(crate) fn take(data_dir: &Path, name: &str, paths: &[&Path]) -> Result<PathBuf, BrokerError> {
    let aside = new_folder(data_dir, name)?;
    for path in paths {
        let (from, to) = (data_dir.join(path), aside.join(path));
        if let Some(parent) = to.parent() {
            create_folder(parent).map_err(BrokerError::file("create", parent))?;
        }
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved.map_err(BrokerError::file("move into quarantine", from))?,
        }
    }
    Ok(aside)
}

/// Warns of what is still in quarantine.
pub(crate) fn report(data_dir: &Path) -> Result<(), BrokerError> {
    let folder = data_dir.join(FOLDER);
    let places = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        entries => entries.map_err(BrokerError::file("list", &folder))?.count(),
    };
    if places > 0 {
        tracing::warn!(
            path = %folder.display(),
            places,
            "the quarantine holds data that is not served: put it back, or remove it"
        );
    }
    Ok(())
}

fn new_folder(data_dir: &Path, name: &str) -> Result<PathBuf, BrokerError> {
    let folder = data_dir.join(FOLDER);
    create_folder(&folder).map_err(BrokerError::file("create", &folder))?;
    let mut number = 1_u32;
    loop {
        let aside = folder.join(format!("{name}-{number}"));
        match fs::create_dir(&aside) {
            Ok(()) => return Ok(aside),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(BrokerError::file("create", aside)(error)),
        }
    }
}
