//! Compiled modules on disk, so that the next start need not compile them.
//!
//! ```text
//! compiled/LIST                  sealed: checksum and path of each file
//! compiled/wasmtime/modules/…    written and named by wasmtime: by content, version and processor
//! ```
//! What is in a file runs as machine code, and wasmtime does not see whether one has changed. So what
//! is not as listed is removed before the engine starts, and compiled again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wasmtime::{Cache, CacheConfig};

use crate::files;
use crate::sealed;

const LIST: &str = "LIST";
/// Where wasmtime removes what it does not know.
const CACHE: &str = "wasmtime";
/// Beyond it wasmtime removes what was used longest ago. Chosen: some tens of modules.
const BYTES_MAX: u64 = 64 << 20;
/// What wasmtime notes of a file's use: no code.
const NOTES: &str = "stats";

/// A folder of compiled modules, and what is in it by the list.
#[derive(Debug)]
pub(super) struct CompiledModules {
    folder: PathBuf,
    listed: BTreeMap<String, u32>,
    cache: Cache,
}

impl CompiledModules {
    /// Creates the folder if needed, and removes what is not as it was written.
    pub(super) fn open(folder: &Path) -> wasmtime::Result<Self> {
        files::create_folder(folder)?;
        let folder = folder.canonicalize()?;
        let listed = keep_listed(&folder)?;
        let mut config = CacheConfig::new();
        config
            .with_directory(folder.join(CACHE))
            .with_files_total_size_soft_limit(BYTES_MAX)
            // A file that is written again would not be as listed.
            .with_optimized_compression_usage_counter_threshold(u64::MAX);
        Ok(Self {
            cache: Cache::new(config)?,
            folder,
            listed,
        })
    }

    /// What wasmtime writes to and reads from.
    pub(super) fn cache(&self) -> Cache {
        self.cache.clone()
    }

    /// Lists the files that have come since.
    pub(super) fn add_new(&mut self) -> io::Result<()> {
        let listed = self.listed.len();
        for path in files(&self.folder)? {
            let name = name_of(&path, &self.folder);
            // One that is being written has an extension.
            if path.extension().is_none() && !self.listed.contains_key(&name) {
                self.listed.insert(name, checksum_of(&path)?);
            }
        }
        if self.listed.len() == listed {
            return Ok(());
        }
        sealed::write(&self.folder.join(LIST), &format(&self.listed))
    }
}

/// Removes what is not as listed; gives what is.
fn keep_listed(folder: &Path) -> io::Result<BTreeMap<String, u32>> {
    let mut listed = match sealed::read(&folder.join(LIST), |_| false) {
        Ok(content) => parse(&content.unwrap_or_default()),
        Err(error) if sealed::is_broken(&error) => BTreeMap::new(),
        Err(error) => return Err(error),
    };
    let mut found = BTreeMap::new();
    for path in files(folder)? {
        let name = name_of(&path, folder);
        match listed.remove(&name) {
            Some(checksum) if checksum == checksum_of(&path)? => {
                found.insert(name, checksum);
            }
            _ => {
                tracing::warn!(
                    file = name,
                    "a compiled module is not as written: it is removed"
                );
                files::remove(&path)?;
            }
        }
    }
    Ok(found)
}

/// All files but wasmtime's notes.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join(CACHE).join("modules")];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != NOTES) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn name_of(path: &Path, folder: &Path) -> String {
    let name = path.strip_prefix(folder).unwrap_or(path);
    name.to_string_lossy().into_owned()
}

fn checksum_of(path: &Path) -> io::Result<u32> {
    Ok(crc32c::crc32c(&fs::read(path)?))
}

fn format(listed: &BTreeMap<String, u32>) -> Vec<u8> {
    let lines = listed
        .iter()
        .map(|(name, checksum)| format!("{checksum:08x} {name}\n"));
    lines.collect::<String>().into_bytes()
}

fn parse(content: &[u8]) -> BTreeMap<String, u32> {
    let content = String::from_utf8_lossy(content);
    let lines = content.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter_map(|(checksum, name)| {
            let checksum = u32::from_str_radix(checksum, 16).ok()?;
            Some((name.to_owned(), checksum))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::engine::Engine;
    use crate::engine::tests::modules::identity;

    use super::*;

    /// Starts an engine that needs a module; gives how many were not compiled anew.
    fn compile(folder: &Path) -> usize {
        let engine = Engine::start_in(folder).unwrap();
        engine.check("identity", &identity("map")).unwrap();
        let compiled = engine.compile_alone();
        compiled.as_ref().unwrap().cache.cache_hits()
    }

    fn as_listed(folder: &Path) -> Vec<PathBuf> {
        keep_listed(folder).unwrap();
        files(folder).unwrap()
    }

    #[test]
    fn a_module_is_compiled_once_for_all_starts() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(compile(folder.path()), 0);
        assert_eq!(as_listed(folder.path()).len(), 1);
        assert_eq!(compile(folder.path()), 1);
        assert_eq!(as_listed(folder.path()).len(), 1);
    }

    #[test]
    fn a_file_with_any_byte_changed_is_not_run_but_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path());
        let path = &as_listed(folder.path())[0];
        let written = fs::read(path).unwrap();
        for at in (0..written.len()).step_by(101) {
            let mut changed = written.clone();
            changed[at] ^= 1;
            fs::write(path, changed).unwrap();
            assert_eq!(as_listed(folder.path()), [] as [PathBuf; 0], "byte {at}");
        }
        fs::write(path, &written[1..]).unwrap();
        assert_eq!(compile(folder.path()), 0);
        assert_eq!(fs::read(path).unwrap(), written);
    }

    #[test]
    fn a_file_that_is_not_listed_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path());
        let written = fs::read(folder.path().join("LIST")).unwrap();
        fs::write(folder.path().join("LIST"), &written[1..]).unwrap();
        assert_eq!(compile(folder.path()), 0);
        assert_eq!(fs::read(folder.path().join("LIST")).unwrap(), written);
        fs::remove_file(folder.path().join("LIST")).unwrap();
        assert_eq!(compile(folder.path()), 0);
    }
}
