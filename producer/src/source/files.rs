//! Finds trip files, unpacks them and keeps one table for each content.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zip::ZipArchive;

use super::Loaded;
use super::table::{self, Table};
use crate::error::{ProducerError, RefusedFile, chain};
use crate::order::Feed;

/// Reads the file at `path`, or all trip files in the folder, ordered by name.
pub(super) fn load(path: &Path, stop: &CancellationToken) -> Result<Loaded, ProducerError> {
    let path_error = |source| ProducerError::Path {
        path: path.to_owned(),
        source,
    };
    let mut loader = Loader::new(stop);
    if !fs::metadata(path).map_err(path_error)?.is_dir() {
        loader.file(path).map_err(|source| ProducerError::Refused {
            name: name_of(path),
            source,
        })?;
        return Ok(loader.loaded);
    }
    let files = trip_files(path).map_err(path_error)?;
    if files.is_empty() {
        return Err(ProducerError::EmptyFolder {
            path: path.to_owned(),
        });
    }
    for file in files {
        if let Err(reason) = loader.file(&file) {
            let hash = hash_of_file(&file).unwrap_or_default();
            loader.refuse(&name_of(&file), hash, &reason);
        }
    }
    Ok(loader.loaded)
}

/// The visible trip files directly in `folder`, ordered by name.
fn trip_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if Packing::of(&path).is_some() && !is_hidden(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// How a file's name says that it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zip,
}

impl Packing {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Plain),
            "gz" => Some(Self::Gzip),
            "zip" => Some(Self::Zip),
            _ => None,
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    let mut parts = path.components().rev();
    let name = parts.next();
    name.is_some_and(|name| name.as_os_str().as_encoded_bytes().starts_with(b"."))
        || parts.any(|part| part.as_os_str() == OsStr::new("__MACOSX"))
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Reads files one after the other and remembers their contents.
struct Loader<'a> {
    stop: &'a CancellationToken,
    loaded: Loaded,
    /// Name of the file that had this content first.
    seen: HashMap<u64, String>,
}

impl<'a> Loader<'a> {
    fn new(stop: &'a CancellationToken) -> Self {
        Self {
            stop,
            loaded: Loaded::default(),
            seen: HashMap::new(),
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), RefusedFile> {
        let name = name_of(path);
        let file = File::open(path)?;
        match Packing::of(path) {
            Some(Packing::Gzip) => self.table(&name, MultiGzDecoder::new(io::BufReader::new(file))),
            Some(Packing::Zip) => self.archive(&name, file),
            // Whatever the name says, its first row tells whether it is a trip file.
            Some(Packing::Plain) | None => self.table(&name, file),
        }
    }

    /// Reads the members of an archive: like a folder, a bad member does not stop the others.
    fn archive(&mut self, name: &str, file: File) -> Result<(), RefusedFile> {
        let mut archive = ZipArchive::new(io::BufReader::new(file))?;
        let mut members: Vec<_> = archive.file_names().map(str::to_owned).collect();
        let is_zip = |member: &String| Packing::of(Path::new(member)) == Some(Packing::Zip);
        let nested = members.iter().any(is_zip);
        members.retain(|member| {
            let path = Path::new(member);
            Packing::of(path) == Some(Packing::Plain) && !is_hidden(path)
        });
        members.sort();
        if members.is_empty() {
            return Err(RefusedFile::NoMembers { nested });
        }
        for member in members {
            let name = format!("{name}/{member}");
            let mut checksum = 0;
            let read = match archive.by_name(&member) {
                Ok(reader) => {
                    checksum = u64::from(reader.crc32());
                    self.table(&name, reader)
                }
                Err(error) => Err(error.into()),
            };
            if let Err(reason) = read {
                self.refuse(&name, checksum, &reason);
            }
        }
        Ok(())
    }

    fn table(&mut self, name: &str, input: impl Read) -> Result<(), RefusedFile> {
        let Some(table) = table::read(name, input, self.stop)? else {
            self.loaded.stopped = true;
            return Ok(());
        };
        if let Some(first) = self.seen.get(&table.hash) {
            warn!(
                file = name,
                duplicate_of = first,
                "file \"{name}\" has the same content as \"{first}\": it is left out"
            );
            self.loaded.duplicate_files += 1;
            return Ok(());
        }
        info!(
            file = name,
            rows = table.rows.len(),
            rejected = table.rejects.len(),
            "read file \"{name}\": {} rows, of which {} are rejected",
            table.rows.len(),
            table.rejects.len(),
        );
        self.seen.insert(table.hash, name.to_owned());
        self.push(name, table);
        Ok(())
    }

    /// Keeps a file that cannot be used as one reject.
    fn refuse(&mut self, name: &str, content_hash: u64, reason: &RefusedFile) {
        let reason = chain(reason);
        error!(file = name, "file \"{name}\" is refused: {reason}");
        self.loaded.refused_files += 1;
        // With its name in the hash: two unreadable files are not duplicates of each other.
        let hash = content_hash ^ xxh3_64(name.as_bytes());
        self.push(name, table::refused(name, hash, &reason));
    }

    fn push(&mut self, name: &str, table: Table) {
        // For people: the file's own name, without the archive around it.
        let short = name.rsplit('/').next().unwrap_or(name);
        self.loaded.feeds.push(Feed::table(short, table));
    }
}

/// Hash of the bytes as they lie on the disk.
fn hash_of_file(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest()),
            count => hash.update(&buffer[..count]),
        }
    }
}
